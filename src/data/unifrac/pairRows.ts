import { AdjustedBranches } from "./adjustedBranches.ts";
import type { DenseSums } from "./denseBranches.ts";
import { distanceOf } from "./metrics.ts";
import type { PairData } from "./pairData.ts";
import { SharedBranches } from "./sharedBranches.ts";

/**
 * Distances of the samples `from` .. `to` to all samples from `from` on, row by row; only those to
 * later samples are filled in.
 */
export interface DistanceRows {
  readonly from: number;
  readonly to: number;
  readonly values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/** Computes distances from what `preparePairs` has prepared, some rows at a time. */
export class PairRows {
  readonly #data: PairData;
  readonly #denseSums: ((from: number, to: number) => DenseSums) | undefined;
  readonly #shared: SharedBranches | undefined;
  readonly #adjusted: AdjustedBranches | undefined;
  readonly #low: Float64Array;
  readonly #high: Float64Array;

  /** `denseSums` gives the dense branches' part of some rows, where there are such branches. */
  constructor(data: PairData, denseSums?: (from: number, to: number) => DenseSums) {
    this.#data = data;
    this.#denseSums = denseSums;
    this.#shared = data.byBranch && new SharedBranches(data, data.byBranch);
    this.#adjusted = data.adjusted && new AdjustedBranches(data, data.adjusted);
    this.#low = new Float64Array(data.samples);
    this.#high = new Float64Array(data.samples);
  }

  /** Rows must come in ascending order, but some may be left out. */
  compute(from: number, to: number): DistanceRows {
    const { samples, precision, alone, fingerprint, form } = this.#data;
    const width = samples - from;
    const size = (to - from) * width;
    const values = precision === "float64" ? new Float64Array(size) : new Float32Array(size);
    const sums = this.#denseSums?.(from, to);
    // `high` is what the two samples have alone, corrected for what they share: by `low` itself where w is 1.
    const isComplement = form.exponent === 0 && !this.#adjusted;
    const low = this.#low;
    const high = this.#high;
    for (let i = from; i < to; i++) {
      low.fill(0, i);
      high.fill(0, i);
      this.#shared?.addRow(i, low, high);
      this.#adjusted?.addRow(i, low, high);
      const offset = (i - from) * width - from;
      for (let j = i + 1; j < samples; j++) {
        if (fingerprint[i] === fingerprint[j]) continue;
        const lowSum = sums ? low[j] + sums.low[offset + j] : low[j];
        let highSum = this.#adjusted ? high[j] : alone[i] + alone[j] + (isComplement ? -lowSum : high[j]);
        if (sums?.high) highSum += sums.high[offset + j];
        values[offset + j] = distanceOf(lowSum, highSum, form);
      }
    }
    return { from, to, values };
  }
}
