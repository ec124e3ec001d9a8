import type { Csr } from "./csr.ts";

/** Collects the cells of a sparse matrix row by row, each row's columns in ascending order. */
export class CsrBuilder {
  #indices = new Int32Array(4096);
  #data = new Float64Array(4096);
  #length = 0;
  readonly #ends: number[] = [0];

  add(column: number, value: number): void {
    const at = this.#length++;
    if (at === this.#data.length) {
      const [indices, data] = [new Int32Array(2 * at), new Float64Array(2 * at)];
      indices.set(this.#indices);
      data.set(this.#data);
      [this.#indices, this.#data] = [indices, data];
    }
    this.#indices[at] = column;
    this.#data[at] = value;
  }

  endRow(): void {
    this.#ends.push(this.#length);
  }

  csr(): Csr {
    return {
      indptr: Int32Array.from(this.#ends),
      indices: this.#indices.slice(0, this.#length),
      data: this.#data.slice(0, this.#length),
    };
  }
}
