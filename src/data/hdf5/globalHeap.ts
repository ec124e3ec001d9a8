import type { Hdf5Bytes } from "./byteReader.ts";

/** Finds variable-length values in the global heap collections of one file. */
export class GlobalHeap {
  /** Per collection address: start and end of each object, two numbers per index. */
  private readonly collections = new Map<number, number[]>();
  /** Collections do not overlap, so that all of them together are no longer than the file. */
  private parsedBytes = 0;

  constructor(private readonly file: Hdf5Bytes) {}

  /** Start and end pairs of the collection at `address`; the pair of object `i` is at `2 * i`. */
  collection(address: number): readonly number[] {
    const known = this.collections.get(address);
    if (known) return known;
    const { file } = this;
    const header = file.structure(address, "GCOL").skip(4);
    const size = header.length();
    file.check(address, size);
    this.parsedBytes += size;
    if (this.parsedBytes > file.bytes.length) throw file.damaged("its heap collections overlap");
    const places: number[] = [];
    const cursor = file.cursor(header.at, address + size);
    while (cursor.left >= 8 + file.lengthSize) {
      const index = cursor.u16();
      if (index === 0) break;
      const length = cursor.skip(6).length();
      const object = cursor.sub(length);
      places[2 * index] = object.at;
      places[2 * index + 1] = object.end;
      cursor.skip(Math.min(cursor.left, -length & 7));
    }
    this.collections.set(address, places);
    return places;
  }
}
