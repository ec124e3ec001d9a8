import type { Dataset } from "../../data/dataset/dataset.ts";
import type { SparseRows } from "../baselines/randomForest.ts";
import { relativeCounts } from "../baselines/runBaselines.ts";

/** How alike two samples are, told by these two alone: no label and no other sample decides it. */
export const kernelNames = ["presence", "counts", "unifrac", "branches"] as const;
export type KernelName = (typeof kernelNames)[number];

/**
 * What predictors see of samples: features, and likeness between pairs of samples. All of it belongs to a
 * sample or a pair alone, so it is computed once and shared by all folds without telling a fold anything of
 * its held-out samples' labels.
 */
export class Study {
  readonly dataset: Dataset;
  readonly samples: Int32Array;
  /** Distances that `unifrac` and neighbours go by; null where the data set has none. */
  readonly metric: string | null;
  readonly #kernels = new Map<KernelName, Float64Array>();
  readonly #rowOf: Int32Array;

  constructor(dataset: Dataset, samples: Int32Array) {
    this.dataset = dataset;
    this.samples = samples;
    const { distances } = dataset.manifest;
    this.metric = distances.includes("unweighted") ? "unweighted" : (distances[0] ?? null);
    this.#rowOf = new Int32Array(dataset.sampleCount).fill(-1);
    samples.forEach((sample, row) => {
      this.#rowOf[sample] = row;
    });
  }

  /** The kernels that the data set allows. */
  get kernels(): KernelName[] {
    const { vectors } = this.dataset.manifest;
    return kernelNames.filter((name) => {
      if (name === "unifrac") return this.metric !== null;
      return name !== "branches" || (this.metric === "unweighted" && vectors.includes("faith_pd"));
    });
  }

  /** Counts of ASVs as shares of their sample. */
  relative(samples: Int32Array): SparseRows {
    return relativeCounts(this.dataset, samples);
  }

  /** The true distance between two samples, NaN where unknown. */
  distance(a: number, b: number): number {
    return this.metric === null ? Number.NaN : this.dataset.distance(this.metric).between(a, b);
  }

  /** Likeness of every sample of `rows` to every one of `columns`: row-major [rows, columns]. */
  block(name: KernelName, rows: Int32Array, columns: Int32Array): Float64Array {
    const all = this.#kernel(name);
    const n = this.samples.length;
    const block = new Float64Array(rows.length * columns.length);
    rows.forEach((sample, i) => {
      const row = this.#rowOf[sample] * n;
      for (let j = 0; j < columns.length; j++)
        block[i * columns.length + j] = all[row + this.#rowOf[columns[j]]];
    });
    return block;
  }

  #kernel(name: KernelName): Float64Array {
    let kernel = this.#kernels.get(name);
    if (!kernel) {
      kernel = this.#compute(name);
      this.#kernels.set(name, kernel);
    }
    return kernel;
  }

  #compute(name: KernelName): Float64Array {
    const { samples, dataset } = this;
    const n = samples.length;
    const kernel = new Float64Array(n * n);
    if (name === "presence" || name === "counts") {
      const dense = new Float64Array(dataset.asvCount);
      const weigh = name === "presence" ? () => 1 : (count: number) => Math.log1p(count);
      for (let i = 0; i < n; i++) {
        const own = dataset.sample(samples[i]);
        own.asvs.forEach((asv, k) => {
          dense[asv] = weigh(own.counts[k]);
        });
        for (let j = 0; j <= i; j++) {
          const { asvs, counts } = dataset.sample(samples[j]);
          let sum = 0;
          for (let k = 0; k < asvs.length; k++)
            if (dense[asvs[k]] > 0) sum += dense[asvs[k]] * weigh(counts[k]);
          kernel[i * n + j] = sum;
          kernel[j * n + i] = sum;
        }
        for (const asv of own.asvs) dense[asv] = 0;
      }
      return kernel;
    }
    const distances = dataset.distance(this.metric!);
    const lengths = name === "branches" ? dataset.vector("faith_pd") : null;
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        const distance = distances.between(samples[i], samples[j]);
        // A pair whose distance is unknown is taken for wholly unlike.
        let value = Number.isNaN(distance) ? 0 : 1 - distance;
        // Shared branches s of lengths a and b: 1 - d = s / (a + b - s).
        if (lengths) value *= (lengths[samples[i]] + lengths[samples[j]]) / (1 + value);
        kernel[i * n + j] = value;
        kernel[j * n + i] = value;
      }
    return kernel;
  }
}
