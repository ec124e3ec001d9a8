import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { removeOnInterrupt } from "../interrupt.ts";
import { UserError } from "../userError.ts";
import { isTagRunning, processTag } from "./processIdentity.ts";

/** Whether an error comes from the operating system (and so is no mistake in the program). */
export function isSystemError(cause: unknown): cause is Error & { code: string } {
  return cause instanceof Error && /^E[A-Z0-9]+$/.test(String((cause as { code?: unknown }).code));
}

/** Turns what the operating system says about a failed write into one sentence with its cure. */
export function describeWriteError(path: string, cause: unknown): UserError {
  const code = (cause as { code?: string }).code ?? "";
  const reasons: Record<string, string> = {
    ENOSPC: "the disk is full; free some space or choose another folder",
    EDQUOT: "the disk quota is used up; free some space or choose another folder",
    EFBIG: "it became larger than this file system or the limit on file sizes (ulimit -f) allows",
    EACCES: "the folder or file is not writable; choose another folder or change its permissions",
    EPERM: "the folder or file is not writable; choose another folder or change its permissions",
    EROFS: "the file system is read-only; choose another folder",
    ENOENT: "its folder does not exist (any more); create it or choose another",
    ENOTDIR: "a part of its path is a file, not a folder; choose another path",
    EEXIST: "a file of that name is there; choose another path or delete it",
    EISDIR: "it is a folder; give a file's path",
    ENAMETOOLONG: "its name is too long; choose a shorter one",
    ELOOP: "its path goes round in circles of symbolic links; choose another",
    EMFILE: "too many files are open; raise the limit (ulimit -n)",
    EIO: "the disk reports an error; check it or choose another",
  };
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new UserError(`Cannot write ${path}: ${reason}.`);
}

let temporaryCount = 0;

/**
 * A name beside `path` that no other writer uses, on this machine or another.
 * `removeLeftovers` knows such names.
 */
export function temporaryName(path: string): string {
  return `${path}.${processTag()}-${threadId}-${temporaryCount++}.tmp`;
}

/** A leftover of a program on another machine is removed when nothing was written to it for this long. */
const foreignLeftoverAgeMs = 24 * 3600 * 1000;

/**
 * Removes what writers of `path` left beside it under names of `temporaryName` when they were killed. What
 * belongs to a running program stays, and so does what cannot be removed.
 */
export function removeLeftovers(path: string): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of entriesOf(folder)) {
    const tag = name.startsWith(prefix)
      ? /^(\w+-\d+-\w+)-\d+-\d+\.tmp$/.exec(name.slice(prefix.length))?.[1]
      : undefined;
    const isRunning = tag === undefined ? true : isTagRunning(tag);
    if (isRunning === true) continue;
    const leftover = join(folder, name);
    try {
      const isOld = () => Date.now() - statSync(leftover).mtimeMs > foreignLeftoverAgeMs;
      if (isRunning === false || isOld()) rmSync(leftover, { recursive: true, force: true });
    } catch {
      // Another writer removes it at this moment, or it is not ours to remove.
    }
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Makes a folder and its parents; a failure is a `UserError`. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw describeWriteError(path, cause);
  }
}

/** Makes a rename or a removal in `folder` survive a power cut, where the file system can do that. */
export function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    // Network and foreign file systems cannot sync folders, and a folder may be writable but not readable.
    if (!["EINVAL", "ENOSYS", "ENOTSUP", "EACCES", "EPERM"].includes((cause as { code?: string }).code ?? ""))
      throw cause;
  }
}

/**
 * Writes a whole file so that a reader sees the old one or the new one, never a part: the bytes go to a
 * temporary name, are synced to the disk, then renamed. On failure the temporary file is removed; what the
 * operating system refuses is a `UserError`, what `content` throws is thrown on. A symbolic link stays and
 * its target is replaced; what is no file (a pipe, a device) is written to directly.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  try {
    const target = targetOf(path);
    if (target === undefined) {
      writeParts(path, content);
      return;
    }
    removeLeftovers(target);
    const temporary = temporaryName(target);
    const release = removeOnInterrupt(temporary);
    try {
      writeParts(temporary, content);
      renameSync(temporary, target);
      syncFolder(dirname(target));
    } catch (cause) {
      removeQuietly(temporary);
      throw cause;
    } finally {
      release();
    }
  } catch (cause) {
    throw isSystemError(cause) ? describeWriteError(path, cause) : cause;
  }
}

/** The file to replace, or undefined for what is no file and must be written to as it is. */
function targetOf(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return path;
  if (!found.isSymbolicLink()) return found.isDirectory() ? path : undefined;
  let target: string;
  try {
    target = realpathSync(path);
  } catch {
    return path;
  }
  const behind = statSync(target, { throwIfNoEntry: false });
  return behind === undefined || behind.isFile() || behind.isDirectory() ? target : undefined;
}

/** Writes and syncs. */
function writeParts(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  const parts =
    typeof content === "string"
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : gathered(content);
  const descriptor = openSync(path, "w");
  try {
    for (const part of parts) {
      // A system call may write less than it is given.
      for (let offset = 0; offset < part.byteLength; ) offset += writeSync(descriptor, part, offset);
    }
    try {
      fsyncSync(descriptor);
    } catch (cause) {
      // Pipes and terminals cannot be synced.
      if ((cause as { code?: string }).code !== "EINVAL") throw cause;
    }
  } finally {
    closeSync(descriptor);
  }
}

const gatherBytes = 1 << 18;

/** Joins small parts, so that they do not cost a system call each. */
function* gathered(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let buffer: Uint8Array | undefined;
  let used = 0;
  for (const part of parts) {
    if (used > 0 && used + part.byteLength > gatherBytes) {
      yield buffer!.subarray(0, used);
      used = 0;
    }
    if (part.byteLength > gatherBytes / 4) {
      if (used > 0) yield buffer!.subarray(0, used);
      used = 0;
      yield part;
      continue;
    }
    buffer ??= new Uint8Array(gatherBytes);
    buffer.set(part, used);
    used += part.byteLength;
  }
  if (used > 0) yield buffer!.subarray(0, used);
}

/** Removes a file or folder if that is possible. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The failure that led here is the one to tell.
  }
}
