import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { describeWriteError, makeFolder, syncFolder, temporaryName } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";

/** A leftover of another program is removed when that has ended and nothing was written for this long. */
const leftoverAgeMs = 60_000;

/**
 * Fills a folder under a temporary name, syncs it and renames it to `target`, so that nobody sees a part of it and an
 * interrupted writer leaves `target` as it was. A folder that stands there is replaced if it is empty or holds a file
 * `marker` (it is one of ours); the only moment without either is between two renames. Anything else is a `UserError`,
 * as is what the operating system refuses. When two writers meet, the later rename wins.
 */
export function writeFolderAtomic(target: string, marker: string, fill: (folder: string) => void): void {
  const path = resolve(target);
  refuseForeign(path, marker);
  makeFolder(dirname(path));
  removeLeftovers(path);
  const temporary = temporaryName(path);
  try {
    mkdirSync(temporary);
    fill(temporary);
    syncFolder(temporary);
    install(temporary, path, marker);
    syncFolder(dirname(path));
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw cause instanceof UserError || (cause as { code?: string }).code === undefined
      ? cause
      : describeWriteError(target, cause);
  }
}

/**
 * Makes sure, before any work is done for it, that a folder can be written with `writeFolderAtomic` as far as can be
 * told. @throws UserError if a file or a folder with other files stands there.
 */
export function refuseForeign(path: string, marker: string): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) {
    throw new UserError(
      `Cannot write ${path}: it is a file; choose another name for the folder or delete it.`,
    );
  }
  if (existsSync(join(path, marker)) || readdirSync(path).length === 0) return;
  throw new UserError(
    `Cannot write ${path}: the folder exists and holds other files; choose another or empty it.`,
  );
}

function install(temporary: string, path: string, marker: string): void {
  for (;;) {
    try {
      // Replaces nothing or an empty folder.
      renameSync(temporary, path);
      return;
    } catch (cause) {
      const code = (cause as { code?: string }).code;
      if (code !== "ENOTEMPTY" && code !== "EEXIST") throw cause;
    }
    refuseForeign(path, marker);
    const old = temporaryName(path);
    try {
      renameSync(path, old);
    } catch (cause) {
      // Another writer has just moved it away.
      if ((cause as { code?: string }).code !== "ENOENT") throw cause;
      continue;
    }
    rmSync(old, { recursive: true, force: true });
  }
}

/** Removes what a writer of the same folder left behind when it was killed. */
function removeLeftovers(path: string): void {
  const prefix = basename(path) + ".";
  for (const name of readdirSync(dirname(path))) {
    const writer = name.startsWith(prefix) ? /^(\d+)\.\d+\.tmp$/.exec(name.slice(prefix.length)) : null;
    if (writer === null || isRunning(Number(writer[1]))) continue;
    const leftover = join(dirname(path), name);
    try {
      if (Date.now() - statSync(leftover).mtimeMs > leftoverAgeMs) rmSync(leftover, { recursive: true });
    } catch {
      // Another writer removes it at this moment, or it is not ours to remove.
    }
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (cause) {
    return (cause as { code?: string }).code !== "ESRCH";
  }
}
