import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type Csr, checkedCsr, transposeCsr } from "./csr.ts";
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
    // Sorted by ASV first and then by sample: two transpositions sort without comparing, and keep duplicates.
    const indptr = Int32Array.from({ length: length + 1 }, (_, i) => i);
    const cells: Csr = {
      indptr,
      indices: this.#asvs.subarray(0, length),
      data: this.#counts.subarray(0, length),
    };
    const byAsv = transposeCsr(cells, asvIds.length);
    byAsv.indices.set(Int32Array.from(byAsv.indices, (cell) => this.#samples[cell]));
    const matrix = checkedCsr(transposeCsr(byAsv, sampleIds.length), {
      where: this.#source,
      rowKind: "sample",
      rowIds: sampleIds,
      columnIds: asvIds,
    });
    return { sampleIds, asvIds, ...matrix };
  }
}
