import { powerOf } from "./metrics.ts";
import type { PairData } from "./pairData.ts";

/**
 * The sparse branches' part of the distances: pairs that share a branch are found in its list of samples, and
 * no work is done for the many pairs that do not.
 */
export class SharedBranches {
  readonly #data: PairData;
  readonly #byBranch: NonNullable<PairData["byBranch"]>;
  /** Where in each branch's list the first sample is that no row has passed. */
  readonly #next: Float64Array;

  constructor(data: PairData, byBranch: NonNullable<PairData["byBranch"]>) {
    this.#data = data;
    this.#byBranch = byBranch;
    this.#next = byBranch.start.slice();
  }

  /**
   * For a sample, which must come in ascending order, adds up what it has in common with each later one:
   * `low` as in `MetricForm`, and `high` less what each of the two has counted alone, which is `-low` and not
   * stored if the exponent is 0.
   */
  addRow(row: number, low: Float64Array, high: Float64Array): void {
    const { form, bySample } = this.#data;
    const branches = bySample.branches.subarray(bySample.start[row], bySample.start[row + 1]);
    if (form.isPresence) this.#addPresence(row, branches, low);
    else if (form.exponent === 0) this.#addMinima(row, branches, low);
    else this.#addPowers(row, branches, low, high);
  }

  /** The place of the row's sample in a branch's list. */
  #place(branch: number, row: number): number {
    const { samples } = this.#byBranch;
    let place = this.#next[branch];
    // Other threads have taken the rows between.
    while (samples[place] < row) place++;
    this.#next[branch] = place + 1;
    return place;
  }

  #addPresence(row: number, branches: Int32Array, low: Float64Array): void {
    const { length } = this.#data;
    const { start, samples } = this.#byBranch;
    for (let k = 0; k < branches.length; k++) {
      const branch = branches[k];
      const end = start[branch + 1];
      const branchLength = length[branch];
      for (let p = this.#place(branch, row) + 1; p < end; p++) low[samples[p]] += branchLength;
    }
  }

  #addMinima(row: number, branches: Int32Array, low: Float64Array): void {
    const { length } = this.#data;
    const { start, samples, amounts } = this.#byBranch;
    for (let k = 0; k < branches.length; k++) {
      const branch = branches[k];
      const place = this.#place(branch, row);
      const end = start[branch + 1];
      const halfLength = length[branch] / 2;
      const x = amounts[place];
      for (let p = place + 1; p < end; p++) {
        const y = amounts[p];
        // Twice the minimum; a comparison that is as often true as not costs the
        // processor many times as much.
        low[samples[p]] += halfLength * (x + y - Math.abs(x - y));
      }
    }
  }

  #addPowers(row: number, branches: Int32Array, low: Float64Array, high: Float64Array): void {
    const { length, form } = this.#data;
    const { start, samples, amounts } = this.#byBranch;
    const power = powerOf(form.exponent);
    for (let k = 0; k < branches.length; k++) {
      const branch = branches[k];
      const place = this.#place(branch, row);
      const end = start[branch + 1];
      const halfLength = length[branch] / 2;
      const x = amounts[place];
      const aloneX = 2 * x * power(x);
      for (let p = place + 1; p < end; p++) {
        const y = amounts[p];
        const sum = x + y;
        const difference = Math.abs(x - y);
        const weight = power(sum);
        low[samples[p]] += halfLength * weight * (sum - difference);
        high[samples[p]] += halfLength * (weight * (sum + difference) - aloneX - 2 * y * power(y));
      }
    }
  }
}
