import { type Cursor, type Hdf5Bytes, nowhere } from "./byteReader.ts";
import type { EntryFormat, StoredChunk } from "./storedChunk.ts";

/**
 * Reads the extensible array at `address`, the chunk index of datasets that may grow in one dimension
 * in the newest file format: a few entries in the index block, then data blocks, then super blocks of
 * data blocks that double.
 */
export function readExtensibleArray(
  file: Hdf5Bytes,
  address: number,
  total: number,
  format: (entrySize: number) => EntryFormat,
  chunks: (StoredChunk | undefined)[],
): void {
  const header = file.structure(address, "EAHD").skip(2);
  const entry = format(header.u8());
  const maxBits = header.u8();
  const inIndexBlock = header.u8();
  const smallestBlock = header.u8();
  const smallestPointers = header.u8();
  const pageBits = header.u8();
  header.skip(6 * file.lengthSize);
  const indexAddress = header.offset();
  file.verifyChecksum(address, header.at, "chunk index");
  const pointerBits = Math.log2(smallestPointers);
  const blockBits = Math.log2(smallestBlock);
  if (!Number.isInteger(pointerBits) || !Number.isInteger(blockBits) || maxBits > 64) {
    throw file.damaged(`the chunk index at byte ${address} has wrong sizes`);
  }
  if (indexAddress === nowhere) return;

  const offsetBytes = Math.ceil(maxBits / 8);
  const pageEntries = 2 ** pageBits;
  let number = 0;
  const readEntries = (cursor: Cursor, count: number) => {
    for (let i = 0; i < count; i++, number++) {
      const chunk = entry.read(cursor);
      if (number < total) chunks[number] = chunk;
    }
  };
  const readDataBlock = (at: number, count: number) => {
    if (at === nowhere || number >= total) {
      number += count;
      return;
    }
    const block = file.structure(at, "EADB").skip(2 + file.offsetSize + offsetBytes);
    if (count <= pageEntries) {
      readEntries(block, count);
      file.verifyChecksum(at, block.at, "chunk index");
      return;
    }
    file.verifyChecksum(at, block.at, "chunk index");
    block.skip(4);
    for (let page = 0; page < count / pageEntries && number < total; page++) {
      const start = block.at;
      readEntries(block, pageEntries);
      file.verifyChecksum(start, block.at, "chunk index");
      block.skip(4);
    }
  };

  const index = file.structure(indexAddress, "EAIB").skip(2 + file.offsetSize);
  readEntries(index, inIndexBlock);
  // Super block k has 2^floor(k/2) data blocks of 2^ceil(k/2) times the smallest size; the first few of them
  // are no blocks of their own: the index block points to their data blocks.
  const blocksOf = (k: number) => 2 ** Math.floor(k / 2);
  const sizeOf = (k: number) => 2 ** Math.floor((k + 1) / 2) * smallestBlock;
  const superBlocks = 1 + (maxBits - blockBits);
  const direct = Math.min(superBlocks, 2 * pointerBits);
  for (let k = 0; k < direct; k++) {
    for (let i = 0; i < blocksOf(k); i++) readDataBlock(index.offset(), sizeOf(k));
  }
  for (let k = direct; k < superBlocks; k++) {
    const at = index.offset();
    const blocks = blocksOf(k);
    const size = sizeOf(k);
    if (at === nowhere || number >= total) {
      number += blocks * size;
      continue;
    }
    const superBlock = file.structure(at, "EASB").skip(2 + file.offsetSize + offsetBytes);
    if (size > pageEntries) superBlock.skip(blocks * Math.ceil(size / pageEntries / 8));
    for (let i = 0; i < blocks && number < total; i++) readDataBlock(superBlock.offset(), size);
  }
}
