import type { Hdf5Bytes } from "./byteReader.ts";

/** Finds variable-length values in the global heap collections of one file. */
export class GlobalHeap {
  /** Per collection address: start and end of each object, two numbers per index. */
  readonly #collections = new Map<number, number[]>();
  /** Collections do not overlap, so that all of them together are no longer than the file. */
  #parsedBytes = 0;

  readonly #file: Hdf5Bytes;

  constructor(file: Hdf5Bytes) {
    this.#file = file;
  }

  /** Start and end pairs of the collection at `address`; the pair of object `i` is at `2 * i`. */
  collection(address: number): readonly number[] {
    const known = this.#collections.get(address);
    if (known) return known;
    const file = this.#file;
    const header = file.structure(address, "GCOL").skip(4);
    const size = header.length();
    file.check(address, size);
    this.#parsedBytes += size;
    if (this.#parsedBytes > file.length) throw file.damaged("its heap collections overlap");
    const places: number[] = [];
    const { lengthSize } = file;
    const end = address + size;
    for (let at = header.at; at + 8 + lengthSize <= end; ) {
      const index = file.uint(at, 2);
      if (index === 0) break;
      const start = at + 8 + lengthSize;
      const stop = start + file.uint(at + 8, lengthSize);
      if (stop > end) throw file.damaged(`a heap object at byte ${at} runs past its collection`);
      places[2 * index] = start;
      places[2 * index + 1] = stop;
      at = stop + (-(stop - start) & 7);
    }
    this.#collections.set(address, places);
    return places;
  }
}
