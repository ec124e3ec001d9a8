/**
 * One member to write: its bytes in parts, which are asked for twice (for the checksum, then for the file).
 */
export interface ZipSource {
  readonly name: string;
  readonly size: number;
  parts(): Iterable<Uint8Array>;
}

/** Member data start at multiples of this, so that a reader can map them, as torch.save lays them out. */
const alignment = 64;
const limit32 = 0xffffffff;
const encoder = new TextEncoder();

interface Written {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
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
function setCommon(view: DataView, at: number, { crc, size, name }: Written, extraLength: number): void {
  const short = Math.min(size, limit32);
  view.setUint16(at, size >= limit32 ? 45 : 20, true);
  view.setUint16(at + 2, 0x800, true); // names are UTF-8
  view.setUint16(at + 8, 33, true); // the first of January 1980, so that equal content gives equal bytes
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, short, true);
  view.setUint32(at + 18, short, true);
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

function directoryEntry(member: Written): Uint8Array {
  const numbers = member.size >= limit32 ? [member.size, member.size] : [];
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

/** The bytes of a zip archive whose members are stored without compression, of any size. */
export function* zipBytes(sources: Iterable<ZipSource>): Generator<Uint8Array> {
  const written: Written[] = [];
  let offset = 0;
  for (const source of sources) {
    let crc = 0;
    for (const part of source.parts()) crc = Bun.hash.crc32(part, crc);
    const member = { name: encoder.encode(source.name), size: source.size, crc, offset };
    const header = localHeader(member);
    yield header;
    for (const part of source.parts()) yield part;
    written.push(member);
    offset += header.length + source.size;
  }
  const start = offset;
  for (const member of written) {
    const entry = directoryEntry(member);
    yield entry;
    offset += entry.length;
  }
  yield endOfArchive(start, offset - start, written.length);
}
