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
    if (this.#parsedBytes > file.bytes.length) throw file.damaged("its heap collections overlap");
    const places: number[] = [];
    const { view, lengthSize } = file;
    const end = address + size;
    for (let at = header.at; at + 8 + lengthSize <= end; ) {
      const index = view.getUint16(at, true);
      if (index === 0) break;
      const start = at + 8 + lengthSize;
      const high = lengthSize === 8 ? view.getUint32(at + 12, true) : 0;
      const stop = start + high * 2 ** 32 + view.getUint32(at + 8, true);
      if (stop > end) throw file.damaged(`a heap object at byte ${at} runs past its collection`);
      places[2 * index] = start;
      places[2 * index + 1] = stop;
      at = stop + (-(stop - start) & 7);
    }
    this.#collections.set(address, places);
    return places;
  }
}
