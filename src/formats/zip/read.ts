import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { type ByteSource, partBytes, partsOf } from "../../common/files/byteSource.ts";
import { inflated } from "../../common/files/inflate.ts";
import { plausibleSize, unpackedLimit } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { contentStart, type ReadBytes, readDirectory, ZipDefect, type ZipEntry } from "./directory.ts";

/** A zip archive: nothing is unpacked until it is asked for. */
export interface Zip {
  /** Names of the files (not folders), in the archive's order, unique. */
  readonly names: readonly string[];
  /** Unpacks one file and checks its size and checksum; a `UserError` says what is wrong. */
  read(name: string): Uint8Array;
  /** As `read`, part by part, for a file of any size; what is wrong may show behind the last part. */
  parts(name: string): AsyncIterable<Uint8Array>;
  /** To how many bytes a file claims to unpack. */
  sizeOf(name: string): number;
}

export function isZip(bytes: ByteSource): boolean {
  const [first, second, third, fourth] = bytes.subarray(0, Math.min(4, bytes.length));
  return first === 0x50 && second === 0x4b && third === 3 && fourth === 4;
}

/** An error that names `where` a `ZipDefect` is; others as they are. */
function told(cause: unknown, where: string): unknown {
  if (!(cause instanceof ZipDefect)) return cause;
  return new UserError(`${where} is damaged (${cause.message}); obtain the file again.`);
}

/**
 * Opens a zip archive, in memory or (as `FileBytes`) on the disk. `source` names it in errors.
 * @throws UserError for a truncated or inconsistent archive.
 */
export function openZip(bytes: ByteSource, source: string): Zip {
  const view: ReadBytes = (start, size) => {
    const part = bytes.subarray(start, start + size);
    return new DataView(part.buffer, part.byteOffset, size);
  };
  let entries: ReadonlyMap<string, ZipEntry>;
  try {
    entries = readDirectory(view, bytes.length);
  } catch (cause) {
    throw told(cause, `${source} is a zip archive that`);
  }
  const entryOf = (name: string) => {
    const entry = entries.get(name);
    if (!entry) throw new UserError(`${source} holds no file ${quote(name)}.`);
    return entry;
  };
  /** The bytes of a file as they are in the archive, and where. */
  const member = (name: string, limit: (packedSize: number) => number) => {
    const entry = entryOf(name);
    refuse(entry, `${quote(name)} in ${source}`, limit(entry.packedSize));
    const start = contentStart(view, entry, bytes.length);
    return { entry, start, end: start + entry.packedSize };
  };
  return {
    names: [...entries.keys()],
    sizeOf: (name) => entryOf(name).size,
    read(name) {
      try {
        const { entry, start, end } = member(name, unpackedLimit);
        const content = inflate(bytes.subarray(start, end), entry);
        checkContent(content.length, crc32(content), entry);
        return content;
      } catch (cause) {
        throw told(cause, `${quote(name)} in ${source}`);
      }
    },
    async *parts(name) {
      try {
        const { entry, start, end } = member(name, plausibleSize);
        const packed = partsOf(bytes, start, end);
        const isPacked = entry.method !== 0;
        let [size, checksum] = [0, 0];
        for await (const part of isPacked
          ? inflated(packed, createInflateRaw({ chunkSize: partBytes }))
          : packed) {
          size += part.length;
          if (size > entry.size) throw tooLong(entry);
          checksum = crc32(part, checksum);
          yield part;
        }
        checkContent(size, checksum, entry);
      } catch (cause) {
        const isZlibs = String((cause as { code?: unknown }).code).startsWith("Z_");
        throw told(isZlibs ? new ZipDefect((cause as Error).message) : cause, `${quote(name)} in ${source}`);
      }
    },
  };
}

function refuse({ encrypted, size, packedSize, method }: ZipEntry, where: string, limit: number): void {
  if (encrypted)
    throw new UserError(`${where} is encrypted; unpack the archive and pack it without a password.`);
  if (size > limit) {
    throw new UserError(
      `${where} claims to unpack from ${packedSize} to ${size} bytes, which is refused as unsafe; if it is meant to be so, unpack the archive and give the file.`,
    );
  }
  if (method !== 0 && method !== 8) throw new ZipDefect(`compression method ${method}, only deflate is read`);
}

function checkContent(size: number, checksum: number, entry: ZipEntry): void {
  if (size !== entry.size) throw new ZipDefect(`${size} bytes instead of ${entry.size}`);
  if (checksum !== entry.crc) throw new ZipDefect("its checksum does not match");
}

const tooLong = ({ size }: ZipEntry) => new ZipDefect(`it unpacks to more than the ${size} bytes it claims`);

function inflate(packed: Uint8Array, entry: ZipEntry): Uint8Array {
  if (entry.method === 0) return packed;
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  } catch (cause) {
    if ((cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooLong(entry);
    throw new ZipDefect(cause instanceof Error ? cause.message : String(cause));
  }
}
