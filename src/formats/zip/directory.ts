import { quote } from "../../common/quote.ts";

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

/** Gives `size` bytes of an archive from `start` on, all of which it has. */
export type ReadBytes = (start: number, size: number) => DataView;

/** A reason why a file is not a usable archive; the caller puts the file's name before it. */
export class ZipDefect extends Error {}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;

const damaged = () => new ZipDefect("its table of contents is damaged");

function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged();
  return Number(value);
}

/**
 * The end record stands within the last 64 KiB + 22 bytes: a comment may follow it, to the end of the file.
 */
function findDirectory(read: ReadBytes, fileSize: number): { start: number; size: number; count: number } {
  const tailSize = Math.min(fileSize, 22 + 0xffff);
  const tail = read(fileSize - tailSize, tailSize);
  const isEnd = (at: number) =>
    tail.getUint32(at, true) === endSignature && at + 22 + tail.getUint16(at + 20, true) === tailSize;
  let at = tailSize - 22;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) throw new ZipDefect("its table of contents is missing (is it cut short?)");
  const count = tail.getUint16(at + 10, true);
  const size = tail.getUint32(at + 12, true);
  const start = tail.getUint32(at + 16, true);
  if (count !== 0xffff && size !== 0xffffffff && start !== 0xffffffff) return { start, size, count };
  const locatorAt = fileSize - tailSize + at - 20;
  if (locatorAt < 0) throw damaged();
  const locator = read(locatorAt, 20);
  // Without a locator it is an archive without 64-bit fields that has so many members.
  if (locator.getUint32(0, true) !== end64LocatorSignature) return { start, size, count };
  const end64At = uint64(locator, 8);
  if (end64At + 56 > fileSize) throw damaged();
  const end64 = read(end64At, 56);
  if (end64.getUint32(0, true) !== end64Signature) throw damaged();
  return { start: uint64(end64, 48), size: uint64(end64, 40), count: uint64(end64, 32) };
}

/**
 * The files (not folders) of a zip archive by name, in its order, from its central directory (APPNOTE.TXT
 * 6.3; zip64 too).
 * @throws ZipDefect for a truncated or inconsistent archive.
 */
export function readDirectory(read: ReadBytes, fileSize: number): Map<string, ZipEntry> {
  if (fileSize < 22) throw new ZipDefect("it is too short");
  const { start, size, count } = findDirectory(read, fileSize);
  if (start + size > fileSize) throw new ZipDefect("its table of contents lies outside the file");
  const view = read(start, size);
  const entries = new Map<string, ZipEntry>();
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== entrySignature) throw damaged();
    const extra = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = extra + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > size) throw damaged();
    const name = new TextDecoder().decode(
      new Uint8Array(view.buffer, view.byteOffset + at + 46, extra - at - 46),
    );
    if (entries.has(name)) throw new ZipDefect(`it lists ${quote(name)} twice`);
    if (!name.endsWith("/")) entries.set(name, readEntry(view, at, name, extra, extraEnd));
    at = next;
  }
  return entries;
}

/** An entry; what its 32-bit fields cannot hold stands in the zip64 extra field. */
function readEntry(view: DataView, at: number, name: string, extra: number, extraEnd: number): ZipEntry {
  let field = extraEnd;
  for (let i = extra; i + 4 <= extraEnd; i += 4 + view.getUint16(i + 2, true))
    if (view.getUint16(i, true) === 1) {
      field = i + 4;
      extraEnd = Math.min(extraEnd, field + view.getUint16(i + 2, true));
      break;
    }
  const whole = (value: number) => {
    if (value !== 0xffffffff) return value;
    if (field + 8 > extraEnd) throw damaged();
    field += 8;
    return uint64(view, field - 8);
  };
  const size = whole(view.getUint32(at + 24, true));
  const packedSize = whole(view.getUint32(at + 20, true));
  return {
    name,
    packedSize,
    size,
    crc: view.getUint32(at + 16, true),
    method: view.getUint16(at + 10, true),
    encrypted: (view.getUint16(at + 8, true) & 1) !== 0,
    offset: whole(view.getUint32(at + 42, true)),
  };
}

/**
 * Where an entry's bytes begin, all of which lie in the file.
 * @throws ZipDefect, as the rest of a sentence that begins with the entry's name.
 */
export function contentStart(read: ReadBytes, { offset, packedSize }: ZipEntry, fileSize: number): number {
  const header = offset + 30 > fileSize ? undefined : read(offset, 30);
  if (header?.getUint32(0, true) !== localSignature) throw new ZipDefect("its header is missing");
  const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + packedSize > fileSize) throw new ZipDefect("it is cut off");
  return start;
}
