import type { Dataset } from "../../data/dataset/dataset.ts";
import { distancesAmong } from "../../data/dataset/pairDistances.ts";
import type { Encoder } from "../../models/encoder.ts";
import { predictedRows } from "../../models/pairwiseDistances.ts";
import type { SetDistance } from "../../models/setDistance.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import type { SparseRows } from "../baselines/randomForest.ts";
import { relativeCounts } from "../baselines/runBaselines.ts";
import { batchOptionsOf, distanceFormOf } from "../config/buildModel.ts";
import { typicalDistance } from "../inference/calibratedDistance.ts";
import { embedSamples } from "../inference/embedSamples.ts";
import type { OpenedRun } from "../run/open.ts";
import type { KernelName } from "./kernelName.ts";
import { type SoftKernels, softEncoder, softTree } from "./softKernels.ts";

type OfEncoder = "codes" | "learned";

const isOfEncoder = (name: KernelName): name is OfEncoder => name === "codes" || name === "learned";

/** What has been computed of samples without an encoder. */
interface OfData {
  readonly kernels: Map<KernelName, Float64Array>;
  soft?: SoftKernels | null;
  distance?: (a: number, b: number) => number;
}

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
  /** The kernels that the data set allows. */
  readonly kernels: readonly KernelName[];
  /** Those of `encoder`: what it has learned takes the place of the tree; none without one. */
  readonly encoderKernels: readonly KernelName[];
  readonly #encoder: OpenedRun | null;
  readonly #rowOf: Int32Array;
  readonly #ofData: OfData;
  readonly #ofEncoder: { kernels: Map<KernelName, Float64Array>; soft?: SoftKernels | null } = {
    kernels: new Map(),
  };

  /**
   * @param encoder a pretrained one, which knows no values of metadata.
   * @param ofData what the same samples have without an encoder, computed as it is asked for.
   */
  constructor(
    dataset: Dataset,
    samples: Int32Array,
    encoder: OpenedRun | null = null,
    ofData: OfData = { kernels: new Map() },
  ) {
    this.dataset = dataset;
    this.samples = samples;
    this.#encoder = encoder;
    this.#ofData = ofData;
    const { distances, vectors } = dataset.manifest;
    this.metric = distances.includes("unweighted") ? "unweighted" : (distances[0] ?? null);
    const hasBranches = this.metric === "unweighted" && vectors.includes("faith_pd");
    this.kernels = [
      "presence",
      "counts",
      ...(this.metric === null ? [] : (["unifrac"] as const)),
      ...(hasBranches ? (["branches"] as const) : []),
    ];
    const hasDistance = encoder?.facts.encoderType === "unifrac";
    this.encoderKernels = encoder
      ? ["presence", "counts", "codes", ...(hasDistance ? (["learned"] as const) : [])]
      : [];
    this.#rowOf = new Int32Array(dataset.sampleCount).fill(-1);
    samples.forEach((sample, row) => {
      this.#rowOf[sample] = row;
    });
  }

  /** The same study as another encoder sees it; what needs no encoder is not computed again. */
  withEncoder(encoder: OpenedRun): Study {
    return new Study(this.dataset, this.samples, encoder, this.#ofData);
  }

  /** Counts of ASVs as shares of their sample. */
  relative(samples: Int32Array): SparseRows {
    return relativeCounts(this.dataset, samples);
  }

  /** The true distance between two of the samples, NaN where unknown. */
  distance(a: number, b: number): number {
    if (this.metric === null) return Number.NaN;
    this.#ofData.distance ??= distancesAmong(this.dataset.distance(this.metric), this.samples);
    return this.#ofData.distance(a, b);
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

  /**
   * Kernels that are no sums over ASVs, as functions of presence. Null where they cannot be had: without the
   * tree or for distances other than unweighted UniFrac; and for encoders that do not pool sets by
   * union, or do not read all ASVs of a sample.
   */
  soft(names: readonly KernelName[]): SoftKernels | null {
    if (names.some(isOfEncoder)) return (this.#ofEncoder.soft ??= this.#softEncoder());
    return (this.#ofData.soft ??= this.#softTree());
  }

  #softTree(): SoftKernels | null {
    const hasTree = this.metric === "unweighted" && this.dataset.fromTree.includes(this.metric);
    return hasTree ? softTree(this.dataset.tree()) : null;
  }

  #softEncoder(): SoftKernels | null {
    const { encoder, facts } = this.#encoder!;
    const { maxBp, tokenLimit = 1024 } = batchOptionsOf(facts.config.model);
    if (!(encoder instanceof SetEncoder) || encoder.poolings.some(({ kind }) => kind !== "union"))
      return null;
    if (this.samples.some((sample) => this.dataset.richness(sample) > tokenLimit)) return null;
    const distance = distanceOf(encoder);
    if (this.encoderKernels.includes("learned") && !distance) return null;
    return softEncoder(encoder, this.dataset, maxBp, distance);
  }

  #kernel(name: KernelName): Float64Array {
    const { kernels } = isOfEncoder(name) ? this.#ofEncoder : this.#ofData;
    if (!kernels.has(name)) {
      if (isOfEncoder(name)) this.#encode(this.#encoder!);
      else kernels.set(name, this.#compute(name));
    }
    return kernels.get(name)!;
  }

  /**
   * Products of samples as the encoder places them, which stand for the length of shared branches, and
   * 1 - the distances that it predicts.
   */
  #encode(encoder: OpenedRun): void {
    using embeddings = embedSamples(encoder, this.dataset, this.samples, "cpu");
    const { encoder: model, facts } = encoder;
    this.#ofEncoder.kernels.set("codes", products(embeddings));
    if (!this.encoderKernels.includes("learned")) return;
    const n = this.samples.length;
    const learned = new Float64Array(n * n);
    let row = 0;
    const form = distanceOf(model) ?? distanceFormOf(facts.config, model);
    for (const distances of predictedRows(embeddings, form))
      learned.set(
        Float64Array.from(distances, (distance) => 1 - distance),
        n * row++,
      );
    this.#ofEncoder.kernels.set("learned", learned);
  }

  #compute(name: Exclude<KernelName, OfEncoder>): Float64Array {
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
    const lengths = name === "branches" ? dataset.vector("faith_pd") : null;
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        const distance = this.distance(samples[i], samples[j]);
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

/** How a set encoder compares samples of a study that it was not trained on; null where it does not. */
function distanceOf(encoder: Encoder): SetDistance | null {
  if (encoder instanceof SetEncoder && encoder.otherDistances) return typicalDistance(encoder);
  return encoder.distance;
}

/** Columns that are multiplied at a time, in float64. */
const columnsAtOnce = 4096;

/** The products of all rows of [n, columns]: [n, n]. */
function products(rows: torch.Tensor): Float64Array {
  return torch.tidy(() => {
    const [n, columns] = rows.shape;
    let sum = torch.zeros([n, n], { dtype: "float64" });
    for (let from = 0; from < columns; from += columnsAtOnce) {
      const part = rows.narrow(1, from, Math.min(columnsAtOnce, columns - from)).to("float64");
      sum = sum.add(part.matmul(part.t()));
    }
    return sum.toFloat64Array();
  });
}
