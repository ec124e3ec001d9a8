import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "./userError.ts";

/** Turns what the operating system says about a failed write into one sentence with its cure. */
export function describeWriteError(path: string, cause: unknown): UserError {
  const code = (cause as { code?: string }).code ?? "";
  const reasons: Record<string, string> = {
    ENOSPC: "the disk is full; free some space or choose another folder",
    EDQUOT: "the disk quota is used up; free some space or choose another folder",
    EACCES: "the folder or file is not writable; choose another folder or change its permissions",
    EPERM: "the folder or file is not writable; choose another folder or change its permissions",
    EROFS: "the file system is read-only; choose another folder",
    ENOENT: "its folder does not exist (any more); create it or choose another",
    ENOTDIR: "a part of its path is a file, not a folder; choose another path",
    EISDIR: "it is a folder; give a file's path",
  };
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new UserError(`Cannot write ${path}: ${reason}.`);
}

let temporaryCount = 0;

/** A name beside `path` that no other writer of this machine uses. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${temporaryCount++}.tmp`;
}

/** Makes a folder and its parents; a failure is a `UserError`. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw describeWriteError(path, cause);
  }
}

/** Makes a rename or a removal in `folder` survive a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes a whole file so that a reader sees the old one or the new one, never a part: the bytes go to a temporary
 * name, are synced to the disk, then renamed. On failure the temporary file is removed and a `UserError` thrown.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  const temporary = temporaryName(path);
  try {
    const descriptor = openSync(temporary, "w");
    try {
      const parts =
        typeof content === "string"
          ? [new TextEncoder().encode(content)]
          : content instanceof Uint8Array
            ? [content]
            : content;
      for (const part of parts) {
        for (let offset = 0; offset < part.byteLength; ) offset += writeSync(descriptor, part, offset);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw describeWriteError(path, cause);
  }
}
