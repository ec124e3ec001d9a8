import { constants, deflateRawSync } from "node:zlib";

/** One member to write. */
export interface ZipSource {
  readonly name: string;
  /**
   * Of a member that is stored as it is: its parts are asked for twice, for the checksum, then for the
   * file. Without a size the parts are asked for once and deflated.
   */
  readonly size?: number;
  parts(): Iterable<Uint8Array>;
}

/**
 * The data of stored members start at multiples of this, so that a reader can map them, as torch.save
 * lays them out.
 */
const alignment = 64;
/** Bytes that are deflated together; they are written before the next ones are asked for. */
const deflatedBytes = 1 << 20;
const limit32 = 0xffffffff;
const encoder = new TextEncoder();

interface Written {
  readonly name: Uint8Array;
  readonly size: number;
  readonly packedSize: number;
  readonly crc: number;
  readonly offset: number;
  readonly isDeflated: boolean;
}

function zip64Field(numbers: readonly number[]): Uint8Array {
  const field = new DataView(new ArrayBuffer(4 + 8 * numbers.length));
  field.setUint16(0, 1, true);
  field.setUint16(2, 8 * numbers.length, true);
  numbers.forEach((number, i) => {
    field.setBigUint64(4 + 8 * i, BigInt(number), true);
  });
  return new Uint8Array(field.buffer);
}

function concatenated(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The fields that a member's own header and its entry in the table of contents share, from `at` on. */
function setCommon(view: DataView, at: number, member: Written, extraLength: number): void {
  const { crc, size, packedSize, name, isDeflated } = member;
  const isLarge = Math.max(size, packedSize) >= limit32;
  view.setUint16(at, isLarge ? 45 : 20, true);
  // Names are UTF-8, and the sizes of deflated members follow them.
  view.setUint16(at + 2, isDeflated ? 0x808 : 0x800, true);
  view.setUint16(at + 4, isDeflated ? 8 : 0, true);
  view.setUint16(at + 8, 33, true); // the first of January 1980, so that equal content gives equal bytes
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, isLarge ? limit32 : packedSize, true);
  view.setUint32(at + 18, isLarge ? limit32 : size, true);
  view.setUint16(at + 22, name.length, true);
  view.setUint16(at + 24, extraLength, true);
}

function localHeader(member: Written): Uint8Array {
  const large = member.size >= limit32 ? zip64Field([member.size, member.size]) : new Uint8Array(0);
  const unpadded = member.offset + 30 + member.name.length + large.length + 4;
  const padding = new Uint8Array(4 + ((alignment - (unpadded % alignment)) % alignment));
  new DataView(padding.buffer).setUint32(0, 0x4246 | ((padding.length - 4) << 16), true);
  const header = new DataView(new ArrayBuffer(30));
  header.setUint32(0, 0x04034b50, true);
  setCommon(header, 4, member, large.length + padding.length);
  return concatenated(new Uint8Array(header.buffer), member.name, large, padding);
}

/** The header of a deflated member, whose checksum and sizes come behind it, in 8 bytes each. */
function openHeader(name: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(30));
  const large = zip64Field([0, 0]);
  header.setUint32(0, 0x04034b50, true);
  const unknown = { name, size: limit32, packedSize: limit32, crc: 0, offset: 0, isDeflated: true };
  setCommon(header, 4, unknown, large.length);
  return concatenated(new Uint8Array(header.buffer), name, large);
}

function sizesBehind({ crc, size, packedSize }: Written): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint32(0, 0x08074b50, true);
  view.setUint32(4, crc, true);
  view.setBigUint64(8, BigInt(packedSize), true);
  view.setBigUint64(16, BigInt(size), true);
  return new Uint8Array(view.buffer);
}

/**
 * Deflates parts as they come: stretches that end on whole bytes, put together, are one stream (RFC
 * 1951, 3.2.4).
 */
function* deflated(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for (const part of parts) {
    // The next part may be in the memory of this one.
    waiting.push(part.slice());
    size += part.length;
    if (size < deflatedBytes) continue;
    yield deflateRawSync(concatenated(...waiting), { finishFlush: constants.Z_SYNC_FLUSH });
    waiting = [];
    size = 0;
  }
  yield deflateRawSync(concatenated(...waiting));
}

function directoryEntry(member: Written): Uint8Array {
  const isLarge = Math.max(member.size, member.packedSize) >= limit32;
  const numbers = isLarge ? [member.size, member.packedSize] : [];
  if (member.offset >= limit32) numbers.push(member.offset);
  const large = numbers.length > 0 ? zip64Field(numbers) : new Uint8Array(0);
  const entry = new DataView(new ArrayBuffer(46));
  entry.setUint32(0, 0x02014b50, true);
  entry.setUint16(4, 45, true);
  setCommon(entry, 6, member, large.length);
  entry.setUint32(42, Math.min(member.offset, limit32), true);
  return concatenated(new Uint8Array(entry.buffer), member.name, large);
}

function endOfArchive(start: number, size: number, count: number): Uint8Array {
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, Math.min(count, 0xffff), true);
  end.setUint16(10, Math.min(count, 0xffff), true);
  end.setUint32(12, Math.min(size, limit32), true);
  end.setUint32(16, Math.min(start, limit32), true);
  if (start < limit32 && size < limit32 && count < 0xffff) return new Uint8Array(end.buffer);
  const end64 = new DataView(new ArrayBuffer(76));
  end64.setUint32(0, 0x06064b50, true);
  end64.setBigUint64(4, 44n, true);
  end64.setUint16(12, 45, true);
  end64.setUint16(14, 45, true);
  end64.setBigUint64(24, BigInt(count), true);
  end64.setBigUint64(32, BigInt(count), true);
  end64.setBigUint64(40, BigInt(size), true);
  end64.setBigUint64(48, BigInt(start), true);
  end64.setUint32(56, 0x07064b50, true);
  end64.setBigUint64(64, BigInt(start + size), true);
  end64.setUint32(72, 1, true);
  return concatenated(new Uint8Array(end64.buffer), new Uint8Array(end.buffer));
}

/**
 * The bytes of a zip archive of any size; a source is asked for its parts when those before it are
 * written.
 */
export function* zipBytes(sources: Iterable<ZipSource>): Generator<Uint8Array> {
  const written: Written[] = [];
  let offset = 0;
  for (const source of sources) {
    const member = yield* source.size === undefined
      ? deflatedMember(source, offset)
      : storedMember(source, source.size, offset);
    written.push(member);
    offset = member.end;
  }
  const start = offset;
  for (const member of written) {
    const entry = directoryEntry(member);
    yield entry;
    offset += entry.length;
  }
  yield endOfArchive(start, offset - start, written.length);
}

type Ended = Written & { readonly end: number };

function* storedMember(source: ZipSource, size: number, offset: number): Generator<Uint8Array, Ended> {
  let crc = 0;
  for (const part of source.parts()) crc = Bun.hash.crc32(part, crc);
  const name = encoder.encode(source.name);
  const member = { name, size, packedSize: size, crc, offset, isDeflated: false };
  const header = localHeader(member);
  yield header;
  yield* source.parts();
  return { ...member, end: offset + header.length + size };
}

function* deflatedMember(source: ZipSource, offset: number): Generator<Uint8Array, Ended> {
  let [crc, size, packedSize] = [0, 0, 0];
  const name = encoder.encode(source.name);
  const header = openHeader(name);
  yield header;
  function* observed(): Generator<Uint8Array> {
    for (const part of source.parts()) {
      crc = Bun.hash.crc32(part, crc);
      size += part.length;
      yield part;
    }
  }
  for (const piece of deflated(observed())) {
    packedSize += piece.length;
    yield piece;
  }
  const member = { name, size, packedSize, crc, offset, isDeflated: true };
  const behind = sizesBehind(member);
  yield behind;
  return { ...member, end: offset + header.length + packedSize + behind.length };
}
