import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { checkedCsr } from "./csr.ts";
import type { Table } from "./table.ts";

/** Collects the cells of a table in any order and makes a `Table` of them. */
export class SparseBuilder {
  #asvs = new Int32Array(1024);
  #samples = new Int32Array(1024);
  #counts = new Float64Array(1024);
  #length = 0;

  readonly #asvIds: readonly string[];
  readonly #sampleIds: readonly string[];
  readonly #source: string;

  constructor(asvIds: readonly string[], sampleIds: readonly string[], source: string) {
    this.#asvIds = asvIds;
    this.#sampleIds = sampleIds;
    this.#source = source;
  }

  /**
   * Adds one count; zeros are left out. Returns false, and adds nothing, if it is no
   * finite number of at least 0.
   */
  add(asv: number, sample: number, count: unknown): boolean {
    if (count === 0) return true;
    if (typeof count !== "number" || !(count > 0 && count < Infinity)) return false;
    const at = this.#length++;
    if (at === this.#counts.length) this.#grow();
    this.#asvs[at] = asv;
    this.#samples[at] = sample;
    this.#counts[at] = count;
    return true;
  }

  /** The error for a count that `add` refused; `place` says where in the file it stands. */
  badCount(asv: number, sample: number, count: unknown, place: string): UserError {
    return new UserError(
      `${this.#source}: ${place} (ASV ${quote(this.#asvIds[asv])}, sample ` +
        `${quote(this.#sampleIds[sample])}) is ${quote(count)}, expected a finite number of at least 0; ` +
        `correct it where the table was made.`,
    );
  }

  #grow(): void {
    const size = 2 * this.#counts.length;
    const larger = [new Int32Array(size), new Int32Array(size), new Float64Array(size)] as const;
    larger[0].set(this.#asvs);
    larger[1].set(this.#samples);
    larger[2].set(this.#counts);
    [this.#asvs, this.#samples, this.#counts] = larger;
  }

  /** @throws UserError if a cell was added twice. */
  table(): Table {
    const [asvIds, sampleIds, length] = [this.#asvIds, this.#sampleIds, this.#length];
    const starts = new Int32Array(sampleIds.length + 1);
    for (let cell = 0; cell < length; cell++) starts[this.#samples[cell] + 1]++;
    for (let sample = 0; sample < sampleIds.length; sample++) starts[sample + 1] += starts[sample];
    const indices = new Int32Array(length);
    const data = new Float64Array(length);
    const next = starts.slice();
    for (let cell = 0; cell < length; cell++) {
      const at = next[this.#samples[cell]]++;
      indices[at] = this.#asvs[cell];
      data[at] = this.#counts[cell];
    }
    const matrix = checkedCsr(
      { indptr: starts, indices, data },
      { where: this.#source, rowKind: "sample", rowIds: sampleIds, columnIds: asvIds },
    );
    return { sampleIds, asvIds, ...matrix };
  }
}
