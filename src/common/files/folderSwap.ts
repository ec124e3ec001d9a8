import { mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { removeOnInterrupt } from "../interrupt.ts";
import { UserError } from "../userError.ts";
import {
  describeWriteError,
  isSystemError,
  makeFolder,
  removeLeftovers,
  removeQuietly,
  syncFolder,
  temporaryName,
} from "./atomicFile.ts";

/**
 * Fills a folder under a temporary name, syncs it and renames it to `target`, so that nobody sees a part
 * of it and an interrupted writer leaves `target` as it was. A folder that stands there is replaced if it
 * is empty or holds a file `marker` (it is one of ours); the only moment without either is between two
 * renames. Anything else is a `UserError`, as is what the operating system refuses. When two writers
 * meet, the later rename wins.
 */
export function writeFolderAtomic(target: string, marker: string, fill: (folder: string) => void): void {
  const path = resolve(target);
  refuseForeign(path, marker);
  makeFolder(dirname(path));
  removeLeftovers(path);
  const temporary = temporaryName(path);
  const release = removeOnInterrupt(temporary);
  try {
    mkdirSync(temporary);
    fill(temporary);
    syncFolder(temporary);
    install(temporary, path, marker);
    syncFolder(dirname(path));
  } catch (cause) {
    removeQuietly(temporary);
    throw isSystemError(cause) ? describeWriteError(target, cause) : cause;
  } finally {
    release();
  }
}

/**
 * Makes sure, before any work is done for it, that a folder can be written with `writeFolderAtomic`, or is
 * free for results, as far as can be told. Files that `isIdle` names do not count.
 * @throws UserError if a file or a folder with other files stands there.
 */
export function refuseForeign(
  path: string,
  marker: string,
  isIdle: (name: string) => boolean = () => false,
): void {
  for (;;) {
    const before = statSync(path, { throwIfNoEntry: false });
    if (before === undefined) return;
    if (!before.isDirectory()) {
      throw new UserError(
        `Cannot write ${path}: it is a file; choose another name for the folder or delete it.`,
      );
    }
    const names = namesIn(path).filter((name) => !isIdle(name));
    if (names.length === 0 || names.includes(marker)) return;
    // Another writer may have moved the folder away and be deleting it while its names were read.
    if (statSync(path, { throwIfNoEntry: false })?.ino === before.ino) break;
  }
  throw new UserError(
    `Cannot write ${path}: the folder exists and holds other files; choose another or empty it.`,
  );
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return [];
    throw cause;
  }
}

function install(temporary: string, path: string, marker: string): void {
  const replaced: string[] = [];
  try {
    for (;;) {
      try {
        // Replaces nothing or an empty folder.
        renameSync(temporary, path);
        break;
      } catch (cause) {
        const code = (cause as { code?: string }).code;
        if (code !== "ENOTEMPTY" && code !== "EEXIST") throw cause;
      }
      refuseForeign(path, marker);
      const aside = temporaryName(path);
      try {
        renameSync(path, aside);
        replaced.push(aside);
      } catch (cause) {
        // Another writer has just moved it away.
        if ((cause as { code?: string }).code !== "ENOENT") throw cause;
      }
    }
  } catch (cause) {
    const last = replaced.pop();
    try {
      if (last !== undefined) renameSync(last, path);
    } catch {
      // Another writer has put something there; the failure that led here is the one to tell.
    }
    throw cause;
  } finally {
    for (const old of replaced) removeQuietly(old);
  }
}
