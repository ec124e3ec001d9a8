import type { Random } from "../common/random/random.ts";

/**
 * A uniform random sample of fixed size out of rows that come in pieces (algorithm L, Li 1994): which rows it
 * holds depends only on the generator and the order of the rows, not on how they were cut into pieces.
 */
export class Reservoir {
  readonly #columns: Float64Array[];
  readonly #capacity: number;
  readonly #random: Pick<Random, "float" | "integer">;
  #seen = 0;
  #nextTaken: number;
  #weight = 1;

  /** `capacity`: rows to keep, at least 1. `columnCount`: numbers in a row. */
  constructor(capacity: number, columnCount: number, random: Pick<Random, "float" | "integer">) {
    this.#capacity = capacity;
    this.#random = random;
    this.#columns = Array.from({ length: columnCount }, () => new Float64Array(capacity));
    this.#nextTaken = capacity - 1;
    this.#skip();
  }

  /** Rows seen so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Offers rows, given as one array per column. */
  offer(...columns: readonly ArrayLike<number>[]): void {
    const count = columns[0].length;
    if (columns.length !== this.#columns.length || columns.some((column) => column.length !== count)) {
      throw new RangeError(`Expected ${this.#columns.length} columns of one length.`);
    }
    let row = 0;
    for (; row < count && this.#seen < this.#capacity; row++, this.#seen++) {
      this.#put(this.#seen, columns, row);
    }
    const first = this.#seen - row;
    while (this.#nextTaken < first + count) {
      this.#put(this.#random.integer(this.#capacity), columns, this.#nextTaken - first);
      this.#skip();
    }
    this.#seen = first + count;
  }

  /** The kept values of one column; row `i` of all columns belongs together. */
  column(index: number): Float64Array {
    return this.#columns[index].slice(0, Math.min(this.#seen, this.#capacity));
  }

  #put(slot: number, columns: readonly ArrayLike<number>[], row: number): void {
    for (let i = 0; i < columns.length; i++) this.#columns[i][slot] = columns[i][row];
  }

  #skip(): void {
    // 1 - float() is in (0, 1], so that no logarithm is infinite.
    this.#weight *= Math.exp(Math.log(1 - this.#random.float()) / this.#capacity);
    const passed = Math.floor(Math.log(1 - this.#random.float()) / Math.log1p(-this.#weight));
    this.#nextTaken += passed + 1;
  }
}
