import * as torch from "../../torch/index.ts";
import type { KernelName } from "./kernelName.ts";
import type { Study } from "./study.ts";

/** A score of each class, or one: kernels [samples, train] times `alpha` [train, k], plus `offsets` [k]. */
export interface KernelScores {
  readonly kernel: KernelSum;
  readonly alpha: Float64Array;
  readonly offsets: Float64Array;
}

/**
 * A sum of kernels between training samples and others, each centred on the training samples and scaled so
 * that their mean diagonal is 1: both are taken from the training samples alone.
 */
export class KernelSum {
  readonly #parts: { name: KernelName; columnMeans: Float64Array; mean: number; scale: number }[];
  readonly #study: Study;
  readonly #train: Int32Array;
  /** [train, train] */
  readonly gram: Float64Array;

  constructor(study: Study, names: readonly KernelName[], train: Int32Array) {
    this.#study = study;
    this.#train = train;
    const n = train.length;
    this.gram = new Float64Array(n * n);
    this.#parts = names.map((name) => {
      const block = study.block(name, train, train);
      const columnMeans = new Float64Array(n);
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) columnMeans[j] += block[i * n + j] / n;
      const mean = columnMeans.reduce((sum, value) => sum + value, 0) / n;
      let diagonal = 0;
      for (let i = 0; i < n; i++) diagonal += (block[i * n + i] - 2 * columnMeans[i] + mean) / n;
      const scale = diagonal > 1e-12 ? 1 / (diagonal * names.length) : 0;
      return { name, columnMeans, mean, scale };
    });
    this.gram = this.against(train);
  }

  /** What each centred kernel is multiplied by. */
  get scales(): number[] {
    return this.#parts.map(({ scale }) => scale);
  }

  /** [samples, train] */
  against(samples: Int32Array): Float64Array {
    return this.ofBlocks(samples.length, (name) => this.#study.block(name, samples, this.#train));
  }

  /** The likeness of a sample that has each ASV as far as the training samples do, where that adds up. */
  meanOf(name: KernelName): Float64Array {
    return this.#parts.find((part) => part.name === name)!.columnMeans;
  }

  /** [rows, train] from each kernel's likeness [rows, train] of anything to the training samples. */
  ofBlocks(rows: number, blockOf: (name: KernelName) => Float64Array): Float64Array {
    const n = this.#train.length;
    const sum = new Float64Array(rows * n);
    for (const { name, columnMeans, mean, scale } of this.#parts) {
      const block = blockOf(name);
      for (let i = 0; i < rows; i++) {
        let rowMean = 0;
        for (let j = 0; j < n; j++) rowMean += block[i * n + j] / n;
        for (let j = 0; j < n; j++)
          sum[i * n + j] += scale * (block[i * n + j] - rowMean - columnMeans[j] + mean);
      }
    }
    return sum;
  }
}

/** Scores [rows, k] = block [rows, n] times coefficients [n, k], plus an offset for each. */
export function multiply(
  block: Float64Array,
  alpha: Float64Array,
  rows: number,
  n: number,
  offsets: Float64Array,
): Float64Array {
  return torch.tidy(() => {
    const scores = torch
      .tensor(block, { shape: [rows, n] })
      .matmul(torch.tensor(alpha, { shape: [n, alpha.length / n] }))
      .add(torch.tensor(offsets));
    return scores.toFloat64Array();
  });
}
