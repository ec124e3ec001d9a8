import { type Hdf5Bytes, nowhere } from "./byteReader.ts";
import type { EntryFormat, StoredChunk } from "./storedChunk.ts";

/**
 * Reads the fixed array at `address`, the chunk index of datasets of fixed size in the newest file format.
 */
export function readFixedArray(
  file: Hdf5Bytes,
  address: number,
  total: number,
  format: (entrySize: number) => EntryFormat,
  chunks: (StoredChunk | undefined)[],
): void {
  const header = file.structure(address, "FAHD").skip(2);
  const entry = format(header.u8());
  const pageBits = header.u8();
  const entries = header.length();
  const blockAddress = header.offset();
  file.verifyChecksum(address, header.at, "chunk index");
  if (entries !== total) throw file.damaged(`a chunk index of ${entries} entries for ${total} chunks`);
  if (blockAddress === nowhere) return;
  const block = file.structure(blockAddress, "FADB").skip(2 + file.offsetSize);
  const pageSize = 2 ** pageBits;
  const paged = entries > pageSize;
  const pages = paged ? Math.ceil(entries / pageSize) : 1;
  const present = paged ? block.take(Math.ceil(pages / 8)) : undefined;
  if (paged) {
    file.verifyChecksum(blockAddress, block.at, "chunk index");
    block.skip(4);
  }
  for (let page = 0, number = 0; page < pages; page++) {
    const count = Math.min(pageSize, entries - number);
    // Bits count from the highest of each byte; a page that was never written is there, but holds nothing.
    const written = !present || (present[page >> 3] & (0x80 >> (page & 7))) !== 0;
    const start = paged ? block.at : blockAddress;
    if (!written) {
      block.skip(count * entry.size + 4);
      number += count;
      continue;
    }
    for (let i = 0; i < count; i++) chunks[number++] = entry.read(block);
    file.verifyChecksum(start, block.at, "chunk index");
    block.skip(4);
  }
}
