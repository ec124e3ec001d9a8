import { readSync } from "node:fs";
import { quote } from "../../common/quote.ts";

/** Where the bytes of a member of a zip archive lie in the file. */
export interface ZipMember {
  readonly start: number;
  readonly size: number;
  /** torch.save stores its members as they are; compressed ones are not read here. */
  readonly compressed: boolean;
}

/** A reason why a file is not a usable archive; the caller puts the file's name before it. */
export class ZipDefect extends Error {}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;

function readAt(descriptor: number, start: number, size: number): DataView {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size; ) {
    const count = readSync(descriptor, bytes, done, size - done, start + done);
    if (count === 0) throw new ZipDefect("it is cut short");
    done += count;
  }
  return new DataView(bytes.buffer);
}

function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipDefect("its table of contents is damaged");
  return Number(value);
}

/** Finds the table of contents: [its start, its size, the number of members]. */
function findDirectory(descriptor: number, fileSize: number): { start: number; size: number; count: number } {
  const tailSize = Math.min(fileSize, 22 + 0xffff);
  const tailStart = fileSize - tailSize;
  const tail = readAt(descriptor, tailStart, tailSize);
  for (let at = tailSize - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) !== endSignature) continue;
    const count = tail.getUint16(at + 10, true);
    const size = tail.getUint32(at + 12, true);
    const start = tail.getUint32(at + 16, true);
    const locatorAt = tailStart + at - 20;
    if (count !== 0xffff && size !== 0xffffffff && start !== 0xffffffff) return { start, size, count };
    if (locatorAt < 0) break;
    const locator = readAt(descriptor, locatorAt, 20);
    if (locator.getUint32(0, true) !== end64LocatorSignature) return { start, size, count };
    const end64 = readAt(descriptor, uint64(locator, 8), 56);
    if (end64.getUint32(0, true) !== end64Signature) break;
    return { start: uint64(end64, 48), size: uint64(end64, 40), count: uint64(end64, 32) };
  }
  throw new ZipDefect("its table of contents is missing (is it cut short?)");
}

/**
 * The members of a zip archive by name, from its table of contents; large (zip64) archives too.
 * @throws ZipDefect
 */
export function readZipIndex(descriptor: number, fileSize: number): Map<string, ZipMember> {
  if (fileSize < 22) throw new ZipDefect("it is too short");
  const { start, size, count } = findDirectory(descriptor, fileSize);
  if (start + size > fileSize) throw new ZipDefect("its table of contents lies outside the file");
  const directory = readAt(descriptor, start, size);
  const members = new Map<string, ZipMember>();
  const decoder = new TextDecoder();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || directory.getUint32(at, true) !== entrySignature)
      throw new ZipDefect("its table of contents is damaged");
    const nameLength = directory.getUint16(at + 28, true);
    const extraLength = directory.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + directory.getUint16(at + 32, true);
    if (next > size) throw new ZipDefect("its table of contents is damaged");
    const name = decoder.decode(new Uint8Array(directory.buffer, at + 46, nameLength));
    const compressed = directory.getUint16(at + 10, true) !== 0;
    const large = readLarge(directory, at, at + 46 + nameLength, extraLength);
    const place = locate(descriptor, name, large.offset, compressed ? 0 : large.size, fileSize);
    members.set(name, { ...place, compressed });
    at = next;
  }
  return members;
}

/** Size and place of a member, from the zip64 field where the normal ones are too small for them. */
function readLarge(directory: DataView, entry: number, extra: number, extraLength: number) {
  let size = directory.getUint32(entry + 24, true);
  const compressed = directory.getUint32(entry + 20, true);
  let offset = directory.getUint32(entry + 42, true);
  for (let at = extra; at + 4 <= extra + extraLength; at += 4 + directory.getUint16(at + 2, true)) {
    if (directory.getUint16(at, true) !== 1) continue;
    const end = at + 4 + directory.getUint16(at + 2, true);
    let field = at + 4;
    const next = () => {
      if (field + 8 > end || end > extra + extraLength)
        throw new ZipDefect("its table of contents is damaged");
      field += 8;
      return uint64(directory, field - 8);
    };
    if (size === 0xffffffff) size = next();
    if (compressed === 0xffffffff) next();
    if (offset === 0xffffffff) offset = next();
  }
  return { size, offset };
}

function locate(
  descriptor: number,
  name: string,
  offset: number,
  size: number,
  fileSize: number,
): { start: number; size: number } {
  if (offset + 30 > fileSize) throw new ZipDefect(`its member ${quote(name)} lies outside the file`);
  const header = readAt(descriptor, offset, 30);
  if (header.getUint32(0, true) !== localSignature)
    throw new ZipDefect(`its member ${quote(name)} is damaged`);
  const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + size > fileSize) throw new ZipDefect(`its member ${quote(name)} lies outside the file`);
  return { start, size };
}
