import { crc32, inflateRawSync } from "node:zlib";
import { unpackedLimit } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { contentStart, type ReadBytes, readDirectory, ZipDefect, type ZipEntry } from "./directory.ts";

/**
 * A zip archive in memory: nothing is unpacked until `read` is called, and nothing is ever written to disk.
 */
export interface Zip {
  /** Names of the files (not folders), in the archive's order, unique. */
  readonly names: readonly string[];
  /** Unpacks one file and checks its size and checksum; a `UserError` says what is wrong. */
  read(name: string): Uint8Array;
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** What `read` gives; a `ZipDefect` becomes an error that names `where` it is. */
function told<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof ZipDefect)) throw cause;
    throw new UserError(`${where} is damaged (${cause.message}); obtain the file again.`);
  }
}

/**
 * Opens a zip archive. `source` names it in errors.
 * @throws UserError for a truncated or inconsistent archive.
 */
export function openZip(bytes: Uint8Array, source: string): Zip {
  const read: ReadBytes = (start, size) => new DataView(bytes.buffer, bytes.byteOffset + start, size);
  const entries = told(`${source} is a zip archive that`, () => readDirectory(read, bytes.length));
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (!entry) throw new UserError(`${source} holds no file ${quote(name)}.`);
      const where = `${quote(name)} in ${source}`;
      return told(where, () => unpack(bytes, contentStart(read, entry, bytes.length), entry, where));
    },
  };
}

function unpack(bytes: Uint8Array, start: number, entry: ZipEntry, where: string): Uint8Array {
  const { size, packedSize } = entry;
  if (entry.encrypted)
    throw new UserError(`${where} is encrypted; unpack the archive and pack it without a password.`);
  if (size > unpackedLimit(packedSize)) {
    throw new UserError(
      `${where} claims to unpack from ${packedSize} to ${size} bytes, which is refused as unsafe; if it is meant to be so, unpack the archive and give the file.`,
    );
  }
  const packed = bytes.subarray(start, start + packedSize);
  const content = entry.method === 0 ? packed : inflate(packed, entry);
  if (content.length !== size) throw new ZipDefect(`${content.length} bytes instead of ${size}`);
  if (crc32(content) !== entry.crc) throw new ZipDefect("its checksum does not match");
  return content;
}

function inflate(packed: Uint8Array, { method, size }: ZipEntry): Uint8Array {
  if (method !== 8) throw new ZipDefect(`compression method ${method}, only deflate is read`);
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, size) });
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  } catch (cause) {
    const tooLong = (cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new ZipDefect(tooLong ? `it unpacks to more than the ${size} bytes it claims` : what);
  }
}
