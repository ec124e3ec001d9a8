import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";

const headerBytes = 64;

/**
 * Why a file is no whole library, in words that follow its name; undefined where nothing speaks against it.
 * Looked at before it is loaded: a library that has been cut off does not make `dlopen` fail, it ends the
 * process. Only Linux's format (ELF, 64 bits) is known here.
 */
export function faultOfLibrary(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    return `cannot be read (${(cause as { code?: string }).code})`;
  }
  try {
    const { size } = fstatSync(descriptor);
    const header = Buffer.alloc(headerBytes);
    const got = readSync(descriptor, header, 0, headerBytes, 0);
    if (got < headerBytes || header.toString("latin1", 0, 6) !== "\x7fELF\x02\x01")
      return size === 0 ? "is empty" : "is no library";
    // Linkers put the table of sections last.
    const end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
    return size < end ? `is cut off (${size} of ${end} bytes are there)` : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** What the system says of a library that it cannot load, without repeating the library's path. */
export function reasonOfFailure(path: string, said: string): string {
  const reason = said
    .replace(`Failed to open library "${path}": `, "")
    .replace(`${path}: `, "")
    .replaceAll(path, basename(path));
  return reason.replace(/\.$/, "");
}
