import { crc32, inflateRawSync } from "node:zlib";
import { unpackedLimit } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";

/** One file of a zip archive, as its central directory lists it. */
export interface ZipEntry {
  readonly name: string;
  readonly packedSize: number;
  readonly size: number;
  readonly crc: number;
  /** 0 is stored, 8 is deflate; no other is read. */
  readonly method: number;
  readonly encrypted: boolean;
  /** Offset of the local header. */
  readonly offset: number;
}

/**
 * A zip archive in memory: nothing is unpacked until `read` is called, and nothing is ever written to disk.
 */
export interface Zip {
  /** Names of the files (not folders), in the archive's order, unique. */
  readonly names: readonly string[];
  /** Unpacks one file and checks its size and checksum; a `UserError` says what is wrong. */
  read(name: string): Uint8Array;
}

const localSignature = 0x04034b50;
const entrySignature = 0x02014b50;
const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Opens a zip archive by its central directory (APPNOTE.TXT 6.3; zip64 too). `source`
 * names the archive in errors.
 * @throws UserError for a truncated or inconsistent archive.
 */
export function openZip(bytes: Uint8Array, source: string): Zip {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<string, ZipEntry>();
  for (const entry of centralDirectory(bytes, view, source)) {
    if (entry.name.endsWith("/")) continue;
    if (entries.has(entry.name)) {
      throw new UserError(`${source} is a zip archive that lists ${quote(entry.name)} twice; make it anew.`);
    }
    entries.set(entry.name, entry);
  }
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name);
      if (!entry) throw new UserError(`${source} holds no file ${quote(name)}.`);
      return unpack(bytes, view, entry, source);
    },
  };
}

function centralDirectory(bytes: Uint8Array, view: DataView, source: string): ZipEntry[] {
  const damaged = (what: string) =>
    new UserError(`${source} is a damaged zip archive (${what}); obtain the file again.`);
  const end = findEnd(view);
  if (end < 0) throw damaged("its end is missing");
  let count = view.getUint16(end + 10, true);
  let offset = view.getUint32(end + 16, true);
  if (count === 0xffff || offset === 0xffffffff) {
    const locator = end - 20;
    if (locator < 0 || view.getUint32(locator, true) !== end64LocatorSignature) {
      throw damaged("its zip64 locator is missing");
    }
    const end64 = Number(view.getBigUint64(locator + 8, true));
    if (end64 + 56 > bytes.length || view.getUint32(end64, true) !== end64Signature) {
      throw damaged("its zip64 end is missing");
    }
    count = Number(view.getBigUint64(end64 + 32, true));
    offset = Number(view.getBigUint64(end64 + 48, true));
  }
  const entries: ZipEntry[] = [];
  for (let i = 0; i < count; i++) {
    if (offset + 46 > end || view.getUint32(offset, true) !== entrySignature) {
      throw damaged(`entry ${i + 1} of ${count} of its directory is missing`);
    }
    const nameLength = view.getUint16(offset + 28, true);
    const extraLength = view.getUint16(offset + 30, true);
    const commentLength = view.getUint16(offset + 32, true);
    const extra = offset + 46 + nameLength;
    const next = extra + extraLength + commentLength;
    if (next > end) throw damaged(`entry ${i + 1} of ${count} of its directory runs past the end`);
    const [size, packedSize, headerOffset] = withZip64Values(
      view,
      [
        view.getUint32(offset + 24, true),
        view.getUint32(offset + 20, true),
        view.getUint32(offset + 42, true),
      ],
      extra,
      extra + extraLength,
    );
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(offset + 46, extra)),
      packedSize,
      size,
      crc: view.getUint32(offset + 16, true),
      method: view.getUint16(offset + 10, true),
      encrypted: (view.getUint16(offset + 8, true) & 1) !== 0,
      offset: headerOffset,
    });
    offset = next;
  }
  return entries;
}

/** The end record stands within the last 64 KiB + 22 bytes: a comment may follow it. */
function findEnd(view: DataView): number {
  const first = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let i = view.byteLength - 22; i >= first; i--) {
    if (
      view.getUint32(i, true) === endSignature &&
      i + 22 + view.getUint16(i + 20, true) === view.byteLength
    ) {
      return i;
    }
  }
  return -1;
}

/**
 * Replaces each 0xffffffff of `values` by the 64-bit value that the zip64 extra field
 * holds in the same order.
 */
function withZip64Values(
  view: DataView,
  values: [number, number, number],
  start: number,
  end: number,
): [number, number, number] {
  for (let i = start; i + 4 <= end; ) {
    const id = view.getUint16(i, true);
    const fieldEnd = Math.min(end, i + 4 + view.getUint16(i + 2, true));
    if (id === 1) {
      let at = i + 4;
      return values.map((value) => {
        if (value !== 0xffffffff || at + 8 > fieldEnd) return value;
        at += 8;
        return Number(view.getBigUint64(at - 8, true));
      }) as [number, number, number];
    }
    i = fieldEnd;
  }
  return values;
}

function unpack(bytes: Uint8Array, view: DataView, entry: ZipEntry, source: string): Uint8Array {
  const where = `${quote(entry.name)} in ${source}`;
  const { offset, size, packedSize } = entry;
  if (entry.encrypted)
    throw new UserError(`${where} is encrypted; unpack the archive and pack it without a password.`);
  if (size > unpackedLimit(packedSize)) {
    throw new UserError(
      `${where} claims to unpack from ${packedSize} to ${size} bytes, which is refused as unsafe; if it is meant to be so, unpack the archive and give the file.`,
    );
  }
  const damaged = (what: string) => new UserError(`${where} is damaged (${what}); obtain the file again.`);
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== localSignature) {
    throw damaged("its header is missing");
  }
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packedSize > bytes.length) throw damaged("it is cut off");
  const packed = bytes.subarray(start, start + packedSize);
  const content = entry.method === 0 ? packed : inflate(packed, entry, damaged);
  if (content.length !== size) throw damaged(`${content.length} bytes instead of ${size}`);
  if (crc32(content) !== entry.crc) throw damaged("its checksum does not match");
  return content;
}

function inflate(packed: Uint8Array, entry: ZipEntry, damaged: (what: string) => UserError): Uint8Array {
  if (entry.method !== 8) throw damaged(`compression method ${entry.method}, only deflate is read`);
  try {
    const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.size) });
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  } catch (cause) {
    const tooLong = (cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    const what = cause instanceof Error ? cause.message : String(cause);
    throw damaged(tooLong ? `it unpacks to more than the ${entry.size} bytes it claims` : what);
  }
}
