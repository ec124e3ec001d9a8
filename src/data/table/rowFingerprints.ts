import type { Csr } from "./csr.ts";

/**
 * 64 bits for each row of a matrix, made from its cells in whatever order they come: both orientations
 * of a matrix are compared with neither in memory. Of rows that differ one pair in 2^64 is taken for equal.
 */
export class RowFingerprints {
  readonly #sums: Int32Array;

  constructor(rows: number) {
    this.#sums = new Int32Array(2 * rows);
  }

  /** Adds the cells of rows `first`, `first + 1`, ..., or where `transposed` of such columns. */
  add({ indptr, indices, data }: Csr, first: number, transposed = false): void {
    const sums = this.#sums;
    const value = new Float64Array(1);
    const words = new Int32Array(value.buffer);
    for (let i = 0; i + 1 < indptr.length; i++) {
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        const row = transposed ? indices[k] : first + i;
        const column = transposed ? first + i : indices[k];
        value[0] = data[k];
        const bits = mixed(mixed(column, words[0]), words[1]);
        sums[2 * row] += bits;
        sums[2 * row + 1] += mixed(mixed(words[1], bits), column);
      }
    }
  }

  /** The first row that is not the same in both, -1 if there is none. */
  firstDifference(other: RowFingerprints): number {
    const at = this.#sums.findIndex((sum, i) => sum !== other.#sums[i]);
    return at < 0 ? -1 : at >> 1;
  }
}

/** Two words mixed as MurmurHash3 does at its end. */
function mixed(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ b, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f);
  return hash ^ (hash >>> 15);
}
