import { powerOf } from "./metrics.ts";
import type { PairData } from "./pairData.ts";

/**
 * The branches of variance-adjusted metrics. Their weights depend on all counts of both samples, so nothing
 * can be summed up for a sample alone: for each pair the branches of both are gone through.
 */
export class AdjustedBranches {
  readonly #data: PairData;
  readonly #adjusted: NonNullable<PairData["adjusted"]>;
  readonly #power: (x: number) => number;
  /** What a branch's length is multiplied with, given the variance. */
  readonly #adjustment: (variance: number) => number;
  /** By branch, the place where the row's sample has it, or -1. */
  readonly #placeOf: Int32Array;
  /**
   * What the row's sample adds to `high` where it has a branch alone, by place, if `#pairTotal` are
   * the counts of both samples.
   */
  #aloneTerms = new Float64Array(0);
  #aloneSum = 0;
  #pairTotal = Number.NaN;

  constructor(data: PairData, adjusted: NonNullable<PairData["adjusted"]>) {
    this.#data = data;
    this.#adjusted = adjusted;
    this.#power = powerOf(data.form.exponent);
    this.#adjustment = powerOf(-(data.form.exponent + 1) / 2);
    this.#placeOf = new Int32Array(data.length.length).fill(-1);
  }

  /** Adds up `low` and `high` of `MetricForm` for a sample and each later one. */
  addRow(row: number, low: Float64Array, high: Float64Array): void {
    const { start, branches } = this.#data.bySample;
    for (let k = start[row]; k < start[row + 1]; k++) this.#placeOf[branches[k]] = k;
    this.#aloneTerms = new Float64Array(start[row + 1] - start[row]);
    this.#pairTotal = Number.NaN;
    for (let column = row + 1; column < this.#data.samples; column++) this.#addPair(row, column, low, high);
    for (let k = start[row]; k < start[row + 1]; k++) this.#placeOf[branches[k]] = -1;
  }

  /** What is alone in the row's sample is all that it has less what is shared. */
  #addPair(row: number, column: number, lows: Float64Array, highs: Float64Array): void {
    const { length, bySample } = this.#data;
    const { start, branches } = bySample;
    const { counts, amounts, totals } = this.#adjusted;
    const power = this.#power;
    const adjustment = this.#adjustment;
    const placeOf = this.#placeOf;
    const all = totals[row] + totals[column];
    if (all !== this.#pairTotal) this.#sumAlone(row, all);
    const aloneTerms = this.#aloneTerms;
    const first = start[row];
    let low = 0;
    let high = this.#aloneSum;
    for (let k = start[column]; k < start[column + 1]; k++) {
      const branch = branches[k];
      const place = placeOf[branch];
      const below = place < 0 ? counts[k] : counts[k] + counts[place];
      const variance = below * (all - below);
      const adjusted = variance > 0 ? length[branch] * adjustment(variance) : 0;
      const y = amounts[k];
      if (place < 0) {
        high += adjusted * power(y) * y;
        continue;
      }
      const sum = amounts[place] + y;
      const difference = Math.abs(amounts[place] - y);
      const halfWeight = (adjusted * power(sum)) / 2;
      low += halfWeight * (sum - difference);
      high += halfWeight * (sum + difference) - aloneTerms[place - first];
    }
    lows[column] = low;
    highs[column] = high;
  }

  #sumAlone(row: number, all: number): void {
    const { length, bySample } = this.#data;
    const { start, branches } = bySample;
    const { counts, amounts } = this.#adjusted;
    this.#pairTotal = all;
    this.#aloneSum = 0;
    for (let k = start[row]; k < start[row + 1]; k++) {
      const variance = counts[k] * (all - counts[k]);
      const adjusted = variance > 0 ? length[branches[k]] * this.#adjustment(variance) : 0;
      const term = adjusted * this.#power(amounts[k]) * amounts[k];
      this.#aloneTerms[k - start[row]] = term;
      this.#aloneSum += term;
    }
  }
}
