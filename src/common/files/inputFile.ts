import { isUtf8 } from "node:buffer";
import { closeSync, fstatSync, openSync, readFileSync, readSync, type Stats, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { UserError } from "../userError.ts";
import { type ByteSource, partBytes, partsOf } from "./byteSource.ts";

/** What is larger does not fit one buffer. */
const maxUnpackedBytes = 4 * 2 ** 30 - 1;
/**
 * Any input may be unpacked to so much, and larger ones to so many times their size: only
 * bombs are packed better.
 */
const freeUnpackedBytes = 64 * 2 ** 20;
const maxUnpackedRatio = 200;

/** To how much so many bytes of compressed data may unpack, in parts. */
export function plausibleSize(packedBytes: number): number {
  return Math.max(freeUnpackedBytes, maxUnpackedRatio * packedBytes);
}

/** To how much so many bytes of compressed data may unpack at once. */
export function unpackedLimit(packedBytes: number): number {
  return Math.min(maxUnpackedBytes, plausibleSize(packedBytes));
}

/** Turns what the operating system says about a failed read into one sentence with its cure. */
export function describeReadError(path: string, cause: unknown): UserError {
  const code = (cause as { code?: string }).code ?? "";
  const reasons: Record<string, string> = {
    ENOENT: "there is no such file; check the path",
    ENOTDIR: "a part of its path is a file, not a folder; check the path",
    EISDIR: "it is a folder; give a file's path",
    EACCES: "you are not allowed to read it; change its permissions",
    EPERM: "you are not allowed to read it; change its permissions",
    ENOMEM: "it does not fit into memory",
    ERR_FS_FILE_TOO_LARGE: "it is too large to be read at once",
  };
  if (code === "ENOENT" && /^\/(dev|proc\/self)\/fd\//.test(path))
    reasons["ENOENT"] =
      "that pipe was closed on the way, as `bun run` does; write a file first and give its path";
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new UserError(`Cannot read ${path}: ${reason}.`);
}

/**
 * What `read` gives of a file that is open meanwhile. What the operating system refuses is a `UserError`.
 * @example withOpenFile(path, (descriptor, size) => readSync(descriptor, new Uint8Array(16)));
 */
export function withOpenFile<T>(path: string, read: (descriptor: number, size: number) => T): T {
  try {
    const descriptor = openSync(path, "r");
    try {
      return read(descriptor, fstatSync(descriptor).size);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw (cause as { code?: string }).code ? describeReadError(path, cause) : cause;
  }
}

/** Tells a file from another of its name, and from itself when it was written to. */
export function identityOf({ dev, ino, size, mtimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs].join();
}

/**
 * What `read` makes of a file that it opens several times by its path: all of it comes from one file, as it
 * reads again where another was put there meanwhile.
 * @throws UserError for one that never stays the same.
 */
export function readUnreplaced<T>(path: string, read: () => T): T {
  for (let left = 100; left > 0; left--) {
    const outcome = withOpenFile(path, (descriptor) => {
      // As long as it is open, no other file can have its number.
      const before = identityOf(fstatSync(descriptor));
      const isSame = () => identityOf(statSync(path)) === before;
      try {
        const result = read();
        return isSame() ? { result } : undefined;
      } catch (cause) {
        if (isSame()) throw cause;
        return undefined;
      }
    });
    if (outcome !== undefined) return outcome.result;
  }
  throw changedWhileRead(path);
}

/** What to say of a file that is not what it was at first. */
export function changedWhileRead(path: string): UserError {
  return new UserError(`${path} was changed while it was read; start again when nothing writes to it.`);
}

/** Whether a path leads to a folder; false also where nothing can be told. */
export function isFolder(path: string): boolean {
  return kindOf(path)?.isDirectory() ?? false;
}

/** Whether a path leads to a file; false also where nothing can be told. */
export function isFile(path: string): boolean {
  return kindOf(path)?.isFile() ?? false;
}

function kindOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

const hashedAtOnce = 4 * 2 ** 20;

/** The size and the hash of a file of any size. A file that cannot be read is a `UserError`. */
export function hashFile(path: string, algorithm: "md5" | "sha256"): { bytes: number; hash: string } {
  const hasher = new Bun.CryptoHasher(algorithm);
  const chunk = new Uint8Array(hashedAtOnce);
  return withOpenFile(path, (descriptor) => {
    let bytes = 0;
    for (let read = 0; (read = readSync(descriptor, chunk)) > 0; bytes += read)
      hasher.update(chunk.subarray(0, read));
    return { bytes, hash: hasher.digest("hex") };
  });
}

/** The bytes of a file as they are. A file that is missing, unreadable or a folder is a `UserError`. */
export function readFileBytes(path: string): Uint8Array {
  try {
    const bytes = readFileSync(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    throw describeReadError(path, cause);
  }
}

export function isGzip(bytes: ByteSource): boolean {
  const [first, second, third] = bytes.subarray(0, Math.min(3, bytes.length));
  return first === 0x1f && second === 0x8b && third === 8;
}

/**
 * Unpacks `bytes` if they are gzip (several members in a row, as bgzip writes, included) and returns
 * them unchanged otherwise. `source` names the bytes in errors. Damage, truncation, trailing bytes
 * and bombs are `UserError`s.
 */
export function gunzipIfNeeded(bytes: Uint8Array, source: string): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  const limit = unpackedLimit(bytes.length);
  try {
    const unpacked = gunzipSync(bytes, { maxOutputLength: limit });
    return new Uint8Array(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength);
  } catch (cause) {
    throw gunzipError(cause, source, bytes.length, limit);
  }
}

/** What to say where so many bytes could not be unpacked, or not within a limit. */
export function gunzipError(cause: unknown, source: string, bytes: number, limit: number): UserError {
  if (cause instanceof UserError) return cause;
  if ((cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
    return new UserError(
      `${source} is gzip data of ${bytes} bytes that unpacks to more than ${limit}, which is refused as unsafe; ` +
        "if it is meant to be so, unpack it with gunzip and give the result.",
    );
  }
  const what = cause instanceof Error ? cause.message : String(cause);
  return new UserError(`${source} is damaged gzip data (${what}); obtain the file again.`);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Files that people have beside text, by how they begin. */
const otherFiles: readonly (readonly [start: RegExp, what: string, cure: string])[] = [
  [/^%PDF-/, "a PDF document", "give the data as tab-separated text"],
  [/^PAR1/, "a Parquet file", "save it as tab-separated text"],
  [
    /^(RD[AX]\d\n|[XB]\n\0)/,
    "an R data file",
    "write its table from R, with biomformat::write_biom or write.table",
  ],
];

/**
 * Refuses bytes that are meant to be text but are UTF-16 (Excel's "Unicode text"), an old Excel workbook, a
 * PDF or something else with zeros in it, which no text has.
 * @throws UserError that says what they are, and the cure.
 */
export function refuseNoText(bytes: ByteSource, source: string): void {
  const head = bytes.subarray(0, Math.min(64, bytes.length));
  const [first, second, third, fourth] = head;
  const isUtf32 = first === 0xff && second === 0xfe && third === 0 && fourth === 0;
  const hasMark = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  // Without a mark every other byte of European text is zero.
  const zeros = [0, 1].map((odd) => head.filter((byte, i) => byte === 0 && i % 2 === odd).length);
  const looksSo =
    head.length >= 4 && zeros.some((count, odd) => count * 4 >= head.length && zeros[1 - odd] === 0);
  if (hasMark || looksSo) {
    throw new UserError(
      `${source} is UTF-${isUtf32 ? 32 : 16} text, as Excel's "Unicode text" is; save it as UTF-8 (in Excel: "Text (tab delimited)" ` +
        `or "CSV UTF-8"; elsewhere: iconv -f UTF-${isUtf32 ? 32 : 16} -t UTF-8).`,
    );
  }
  if (first === 0xd0 && second === 0xcf && third === 0x11 && fourth === 0xe0) {
    throw new UserError(
      `${source} is an old Excel workbook (.xls) or another Office document; save the sheet as tab-separated text.`,
    );
  }
  const start = String.fromCharCode(...head.subarray(0, 6));
  const other = otherFiles.find(([pattern]) => pattern.test(start));
  if (other !== undefined) throw new UserError(`${source} is ${other[1]}; ${other[2]}.`);
  let at = 0;
  for (const part of partsOf(bytes)) {
    const zero = part.indexOf(0);
    if (zero >= 0)
      throw new UserError(
        `${source} is no text (a zero byte at offset ${at + zero}), nor another file that is read here; check which file it is.`,
      );
    at += part.length;
  }
}

/** Refuses bytes that are no UTF-8 text, as `decodeText` does, but for no size. */
export function refuseNoUtf8(bytes: ByteSource, source: string): void {
  refuseNoText(bytes, source);
  for (let [at, end] = [0, 0]; at < bytes.length; at = end) {
    end = Math.min(bytes.length, at + partBytes);
    // A character is not taken apart; what has none of its beginnings is none.
    for (let back = 0; back < 3 && end < bytes.length; back++) {
      if ((bytes.subarray(end, end + 1)[0] & 0xc0) !== 0x80) break;
      end--;
    }
    const part = bytes.subarray(at, end);
    if (!isUtf8(part)) throw noUtf8(part, firstInvalidUtf8(part), source, at);
  }
}

/**
 * Decodes UTF-8 text and drops a byte order mark. Bytes that are no UTF-8 are a `UserError` with their
 * offset, other files than text as in `refuseNoText`.
 */
export function decodeText(bytes: Uint8Array, source: string): string {
  refuseNoText(bytes, source);
  try {
    return utf8.decode(bytes);
  } catch {
    const offset = firstInvalidUtf8(bytes);
    if (offset === bytes.length && bytes.length > 2 ** 29) {
      throw new UserError(`${source} has ${bytes.length} bytes, too many to be read as one text.`);
    }
    throw noUtf8(bytes, offset, source);
  }
}

/** `start` is where the bytes begin in the source. */
function noUtf8(bytes: Uint8Array, offset: number, source: string, start = 0): UserError {
  const byte = `0x${(bytes[offset] ?? 0).toString(16).padStart(2, "0")}`;
  return new UserError(
    `${source} is not UTF-8 text (byte ${byte} at offset ${start + offset}); save it as UTF-8, or check the file.`,
  );
}

/** Offset of the first byte of the first character that is no UTF-8; the length if there is none. */
function firstInvalidUtf8(bytes: Uint8Array): number {
  const isValid = (end: number, stream: boolean) => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream });
      return true;
    } catch {
      return false;
    }
  };
  // A prefix that ends within a valid character passes as the start of a stream: bisect
  // on that, then step back.
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (isValid(middle, true)) low = middle;
    else high = middle - 1;
  }
  while (!isValid(low, false)) low--;
  return low;
}
