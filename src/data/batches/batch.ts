import type { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset, Sample } from "../dataset/dataset.ts";
import type { PairDistances } from "../dataset/pairDistances.ts";
import { tokenCount } from "../sequences/tokenizer.ts";
import { MixedSamples, type Mixtures } from "./mixtures.ts";

/**
 * Which ASVs of a sample are kept when it has more than the limit: the first in the table's order,
 * the most abundant (equal counts in the table's order; slots by falling count), or random ones
 * (slots in the table's order).
 */
export type AsvSampling = "first" | "abundance" | "random";

export interface BatchOptions {
  /** The most ASVs of a sample that are kept. Default 1024. */
  readonly tokenLimit?: number;
  readonly asvSampling?: AsvSampling;
  /** Bases of an ASV that are kept. Default 150. */
  readonly maxBp?: number;
  /** Name of the pairwise distances to give with the batch, or names. */
  readonly distance?: string | readonly string[];
  /** Name of the values per sample to give with the batch, such as `faith_pd`. */
  readonly vector?: string;
  /** Leave `asvTokens` empty, for a model that has the embeddings of all ASVs already. Default false. */
  readonly withoutTokens?: boolean;
  /** Samples besides, with the numbers from the data set's `sampleCount` on. Default none. */
  readonly mixtures?: Mixtures;
}

/**
 * B samples, ragged and deduplicated: each of the U distinct ASVs of the batch stands once in `asvTokens`,
 * and the samples refer to it. Arrays are row-major. S is the number of ASVs of the batch's richest sample, L
 * the number of tokens of its longest ASV.
 */
export interface Batch {
  readonly samples: number;
  readonly slots: number;
  readonly distinct: number;
  readonly tokens: number;
  /** [B] Which samples of the data set these are. */
  readonly sampleIndices: Int32Array;
  /**
   * [U] Which ASVs of the data set these are; ordered by length, then by row, so that
   * equal lengths are together.
   */
  readonly asvRows: Int32Array;
  /** [U] Tokens of each ASV, START included. */
  readonly asvLengths: Int32Array;
  /** [U, L] Padded with 0. */
  readonly asvTokens: Uint8Array;
  /** [U] How many samples of the batch have the ASV (in the slots that are kept). */
  readonly multiplicity: Float32Array;
  /** [B, S] 1 + the row of `asvTokens`; 0 where the slot is empty. */
  readonly asvIndex: Int32Array;
  /** [B, S] 0 where the slot is empty. */
  readonly counts: Float32Array;
  /** [B, B], of several names [M, B, B], or absent. 0 where unknown. */
  readonly distances?: Float32Array;
  /** Of the same size: 1 where the distance is known, 0 elsewhere and on the diagonal. */
  readonly distanceMask?: Uint8Array;
  /** [B] or absent. 0 where unknown. */
  readonly vector?: Float32Array;
  /** [B] 1 where the value is known. */
  readonly vectorMask?: Uint8Array;
}

/** A batch's memory, in the order of a transfer to another thread. */
export function batchBuffers(batch: Batch): ArrayBuffer[] {
  return Object.values(batch).flatMap((value) =>
    ArrayBuffer.isView(value) ? [value.buffer as ArrayBuffer] : [],
  );
}

/**
 * Builds batches of a data set. Not to be shared between threads: it keeps working
 * memory of one number per ASV.
 */
export class BatchBuilder {
  readonly #dataset: Dataset;
  readonly #samples: Pick<Dataset, "sample">;
  readonly #tokenLimit: number;
  readonly #asvSampling: AsvSampling;
  readonly #maxTokens: number;
  readonly #withoutTokens: boolean;
  readonly #distances: readonly Pick<PairDistances, "block">[];
  readonly #valueOf: ((sample: number) => number) | undefined;
  /** For each ASV of the data set 1 + its row in the present batch, or 0. All 0 between batches. */
  readonly #rowOf: Int32Array;

  /** @throws UserError for a limit below 1 or distances that the data set does not have. */
  constructor(dataset: Dataset, options: BatchOptions = {}) {
    const { tokenLimit = 1024, asvSampling = "first", maxBp = 150 } = options;
    for (const [name, value] of Object.entries({ tokenLimit, maxBp })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new UserError(`The option ${name} must be a whole number from 1 on, got ${value}.`);
      }
    }
    const { mixtures } = options;
    const mixed = mixtures && new MixedSamples(dataset, mixtures, tokenLimit);
    this.#dataset = dataset;
    this.#samples = mixed ?? dataset;
    this.#tokenLimit = tokenLimit;
    this.#asvSampling = asvSampling;
    this.#maxTokens = tokenCount(maxBp);
    this.#withoutTokens = options.withoutTokens ?? false;
    this.#distances = [options.distance ?? []].flat().map((name) => (mixed ?? dataset).distance(name));
    if (options.vector !== undefined) {
      const values = dataset.vector(options.vector);
      this.#valueOf = mixed?.valueOf(options.vector) ?? ((sample) => values[sample]);
    }
    this.#rowOf = new Int32Array(dataset.asvCount);
  }

  /** The batch of some samples, given by index. `random` is used for random ASV sampling alone. */
  build(sampleIndices: Int32Array, random: Random): Batch {
    const samples = Array.from(sampleIndices, (index) => this.#limited(this.#samples.sample(index), random));
    const slots = samples.reduce((most, sample) => Math.max(most, sample.asvs.length), 0);
    const { asvRows, asvLengths } = this.#distinctAsvs(samples);
    const asvIndex = new Int32Array(samples.length * slots);
    const counts = new Float32Array(samples.length * slots);
    const multiplicity = new Float32Array(asvRows.length);
    samples.forEach((sample, i) => {
      counts.set(sample.counts, i * slots);
      const { asvs } = sample;
      for (let slot = 0; slot < asvs.length; slot++) {
        const row = this.#rowOf[asvs[slot]];
        asvIndex[i * slots + slot] = row;
        multiplicity[row - 1] += 1;
      }
    });
    for (const asv of asvRows) this.#rowOf[asv] = 0;
    // The rows are ordered by length.
    const tokens = this.#withoutTokens || asvRows.length === 0 ? 0 : asvLengths[asvRows.length - 1];
    return {
      samples: samples.length,
      slots,
      distinct: asvRows.length,
      tokens,
      sampleIndices: sampleIndices.slice(),
      asvRows,
      asvLengths,
      asvTokens: tokens === 0 ? new Uint8Array(0) : tokenMatrix(this.#dataset, asvRows, tokens),
      multiplicity,
      asvIndex,
      counts,
      ...this.#pairTargets(sampleIndices),
      ...this.#sampleTargets(sampleIndices),
    };
  }

  #limited(sample: Sample, random: Random): Sample {
    const limit = this.#tokenLimit;
    const { asvs, counts } = sample;
    if (asvs.length <= limit) return sample;
    if (this.#asvSampling === "first")
      return { asvs: asvs.subarray(0, limit), counts: counts.subarray(0, limit) };
    const kept =
      this.#asvSampling === "random"
        ? random.sample(asvs.length, limit).sort()
        : Int32Array.from(asvs.keys())
            .sort((a, b) => counts[b] - counts[a] || a - b)
            .subarray(0, limit);
    return { asvs: kept.map((slot) => asvs[slot]), counts: Float32Array.from(kept, (slot) => counts[slot]) };
  }

  /** The distinct ASVs by length and row, and leaves 1 + the place of each in `#rowOf`. */
  #distinctAsvs(samples: readonly Sample[]): { asvRows: Int32Array; asvLengths: Int32Array } {
    const rowOf = this.#rowOf;
    const keys: number[] = [];
    for (const { asvs } of samples) {
      for (const asv of asvs) {
        if (rowOf[asv] !== 0) continue;
        rowOf[asv] = 1;
        keys.push(Math.min(this.#dataset.asvTokens(asv).length, this.#maxTokens) * 2 ** 31 + asv);
      }
    }
    const sorted = Float64Array.from(keys).sort();
    const asvRows = new Int32Array(sorted.length);
    const asvLengths = new Int32Array(sorted.length);
    for (let row = 0; row < sorted.length; row++) {
      asvLengths[row] = Math.floor(sorted[row] / 2 ** 31);
      asvRows[row] = sorted[row] - asvLengths[row] * 2 ** 31;
      rowOf[asvRows[row]] = row + 1;
    }
    return { asvRows, asvLengths };
  }

  #pairTargets(sampleIndices: Int32Array): Pick<Batch, "distances" | "distanceMask"> {
    if (this.#distances.length === 0) return {};
    const size = sampleIndices.length;
    const distances = new Float32Array(this.#distances.length * size * size);
    this.#distances.forEach((metric, m) => {
      distances.set(metric.block(sampleIndices), m * size * size);
    });
    const distanceMask = unknownToZero(distances);
    for (let m = 0; m < this.#distances.length; m++)
      for (let i = 0; i < size; i++) distanceMask[(m * size + i) * size + i] = 0;
    return { distances, distanceMask };
  }

  #sampleTargets(sampleIndices: Int32Array): Pick<Batch, "vector" | "vectorMask"> {
    const value = this.#valueOf;
    if (value === undefined) return {};
    const vector = Float32Array.from(sampleIndices, (sample) => value(sample));
    return { vector, vectorMask: unknownToZero(vector) };
  }
}

/** The tokens of some ASVs as a matrix [rows, tokens]: cut on the right, or padded with 0. */
export function tokenMatrix(
  dataset: Pick<Dataset, "asvTokens">,
  rows: ArrayLike<number>,
  tokens: number,
): Uint8Array {
  const matrix = new Uint8Array(rows.length * tokens);
  for (let i = 0; i < rows.length; i++) {
    const all = dataset.asvTokens(rows[i]);
    matrix.set(all.length > tokens ? all.subarray(0, tokens) : all, i * tokens);
  }
  return matrix;
}

/** Makes NaN 0, and returns where there was none. */
function unknownToZero(values: Float32Array): Uint8Array {
  const known = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) values[i] = 0;
    else known[i] = 1;
  }
  return known;
}
