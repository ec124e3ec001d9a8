import { type Cursor, type Hdf5Bytes, nowhere } from "./byteReader.ts";
import { readExtensibleArray } from "./extensibleArray.ts";
import { readFixedArray } from "./fixedArray.ts";
import type { EntryFormat, StoredChunk } from "./storedChunk.ts";

/** How a chunked dataset is divided. */
export interface ChunkGrid {
  /** Size of a whole chunk in each dimension. */
  readonly chunkShape: readonly number[];
  /** Number of chunks in each dimension. */
  readonly counts: readonly number[];
  readonly total: number;
  /** Bytes of a whole chunk without filters. */
  readonly chunkBytes: number;
  readonly filtered: boolean;
}

/** A chunk index as the layout message describes it. */
export type ChunkIndex =
  | { readonly kind: "tree"; readonly address: number }
  | { readonly kind: "single"; readonly address: number; readonly size: number; readonly mask: number }
  | { readonly kind: "implicit"; readonly address: number }
  | { readonly kind: "fixedArray"; readonly address: number }
  | { readonly kind: "extensibleArray"; readonly address: number };

/**
 * Finds all chunks of a dataset, in row-major order of the grid.
 * @throws UserError if one is missing: no program that writes whole tables leaves one out.
 */
export function readChunkIndex(
  file: Hdf5Bytes,
  index: ChunkIndex,
  grid: ChunkGrid,
  dataset: string,
): StoredChunk[] {
  const chunks = new Array<StoredChunk | undefined>(grid.total);
  if (index.kind === "tree") readTree(file, index.address, grid, chunks);
  else if (index.kind === "single") {
    const size = grid.filtered ? index.size : grid.chunkBytes;
    chunks[0] = { address: index.address, size, mask: index.mask };
  } else if (index.kind === "implicit") {
    for (let i = 0; i < grid.total; i++) {
      chunks[i] = { address: index.address + i * grid.chunkBytes, size: grid.chunkBytes, mask: 0 };
    }
  } else {
    const readArray = index.kind === "fixedArray" ? readFixedArray : readExtensibleArray;
    readArray(file, index.address, grid.total, entryFormat(file, grid), chunks);
  }
  for (let i = 0; i < grid.total; i++) {
    const chunk = chunks[i];
    if (!chunk || chunk.address === nowhere) {
      throw file.damaged(`chunk ${i + 1} of ${grid.total} of the dataset ${dataset} was never written`);
    }
  }
  return chunks as StoredChunk[];
}

function entryFormat(file: Hdf5Bytes, grid: ChunkGrid): (entrySize: number) => EntryFormat {
  return (entrySize) => {
    const sizeBytes = entrySize - file.offsetSize - 4;
    if (grid.filtered ? sizeBytes < 1 || sizeBytes > 8 : entrySize !== file.offsetSize) {
      throw file.damaged(`a chunk index with entries of ${entrySize} bytes`);
    }
    return {
      size: entrySize,
      read(cursor) {
        const address = cursor.offset();
        if (!grid.filtered) return { address, size: grid.chunkBytes, mask: 0 };
        return { address, size: cursor.uint(sizeBytes), mask: cursor.u32() };
      },
    };
  };
}

/** A version 1 B-tree: every key holds a chunk's size, mask and offset in each dimension. */
function readTree(file: Hdf5Bytes, root: number, grid: ChunkGrid, chunks: (StoredChunk | undefined)[]): void {
  const seen = new Set<number>();
  const visit = (address: number, expectedLevel: number | undefined) => {
    if (seen.has(address)) throw file.damaged(`the chunk tree at byte ${root} runs in a circle`);
    seen.add(address);
    const node = file.structure(address, "TREE");
    const type = node.u8();
    const level = node.u8();
    if (type !== 1 || (expectedLevel !== undefined && level !== expectedLevel)) {
      throw file.damaged(`the chunk tree has a wrong node at byte ${address}`);
    }
    const count = node.u16();
    node.skip(2 * file.offsetSize);
    for (let i = 0; i < count; i++) {
      const size = node.u32();
      const mask = node.u32();
      const number = chunkNumber(file, node, grid);
      const child = node.offset();
      if (level > 0) visit(child, level - 1);
      else if (chunks[number]) throw file.damaged(`the chunk tree at byte ${root} lists a chunk twice`);
      else chunks[number] = { address: child, size, mask };
    }
  };
  if (root !== nowhere) visit(root, undefined);
}

function chunkNumber(file: Hdf5Bytes, key: Cursor, grid: ChunkGrid): number {
  let number = 0;
  for (let d = 0; d < grid.counts.length; d++) {
    const position = key.uint(8) / grid.chunkShape[d];
    if (!(Number.isInteger(position) && position >= 0 && position < grid.counts[d])) {
      throw file.damaged("a chunk lies outside its dataset");
    }
    number = number * grid.counts[d] + position;
  }
  key.skip(8);
  return number;
}
