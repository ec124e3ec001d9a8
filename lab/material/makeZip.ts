import { crc32, deflateRawSync } from "node:zlib";

export interface ZipPart {
  readonly name: string;
  readonly content: Uint8Array;
  readonly stored?: boolean;
  /** What the central directory says instead of the truth. */
  readonly stated?: { size?: number; crc?: number; method?: number; flags?: number; offset?: number };
}

/**
 * A zip archive with these files, honest or not; `zip64` states sizes, offsets and counts in 64 bits only.
 */
export function makeZip(
  parts: readonly ZipPart[],
  options: { readonly zip64?: boolean; comment?: string } = {},
): Uint8Array {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  const add = (piece: Buffer) => {
    pieces.push(piece);
    offset += piece.length;
  };
  for (const { name, content, stored, stated = {} } of parts) {
    const packed = stored ? Buffer.from(content) : deflateRawSync(content);
    const method = stated.method ?? (stored ? 0 : 8);
    const start = stated.offset ?? offset;
    const size = stated.size ?? content.length;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(45, 0);
    common.writeUInt16LE(stated.flags ?? 0, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(stated.crc ?? crc32(content), 10);
    common.writeUInt32LE(options.zip64 ? 0xffffffff : packed.length, 14);
    common.writeUInt32LE(options.zip64 ? 0xffffffff : size, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const extra = Buffer.alloc(options.zip64 ? 28 : 0);
    if (options.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, value] of [size, packed.length, start].entries()) {
        extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
      }
    }
    add(Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]));
    common.writeUInt16LE(extra.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(options.zip64 ? 0xffffffff : start, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02-\x00"), common, tail, Buffer.from(name), extra]));
  }
  const start = offset;
  for (const entry of directory) add(entry);
  const size = offset - start;
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(options.zip64 ? 0xffff : parts.length, 10);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : size, 12);
  end.writeUInt32LE(options.zip64 ? 0xffffffff : start, 16);
  const comment = Buffer.from(options.comment ?? "");
  end.writeUInt16LE(comment.length, 20);
  if (options.zip64) {
    const end64 = Buffer.alloc(56);
    end64.write("PK\x06\x06", "latin1");
    end64.writeBigUInt64LE(BigInt(parts.length), 32);
    end64.writeBigUInt64LE(BigInt(size), 40);
    end64.writeBigUInt64LE(BigInt(start), 48);
    const locator = Buffer.alloc(20);
    locator.write("PK\x06\x07", "latin1");
    locator.writeBigUInt64LE(BigInt(offset), 8);
    add(end64);
    add(locator);
  }
  return new Uint8Array(Buffer.concat([...pieces, end, comment]));
}
