import type { ChosenPairs } from "../unifrac/chosenPairs.ts";

/**
 * Distances of one metric between all pairs of a data set's samples: stored ones, or computed
 * when they are asked for.
 */
export interface PairDistances {
  readonly metric: string;
  readonly samples: number;
  readonly pairs: number;
  /**
   * Whether every pair is stored; else distances cost time, and all pairs of many samples more than there is.
   */
  readonly isStored: boolean;
  /** The distance between two samples, NaN if it is unknown; 0 between a sample and itself. */
  between(a: number, b: number): number;
  /** The distances between all of some samples: row-major `[n, n]` float32, symmetric, 0 on the diagonal. */
  block(samples: ArrayLike<number>): Float32Array;
  /** All pairs in the order (0,1), (0,2), ... (1,2), ..., in parts. */
  condensed(): Iterable<Float32Array>;
}

/**
 * A function of any two of some samples that gives their distance, NaN if it is unknown: looked up where
 * distances are stored, else from all of these samples' distances, computed at once and kept.
 * @throws RangeError from the function, for other samples than these.
 */
export function distancesAmong(
  distances: PairDistances,
  samples: Int32Array,
): (a: number, b: number) => number {
  if (distances.isStored) return (a, b) => distances.between(a, b);
  const distinct = Int32Array.from(new Set(samples));
  const block = distances.block(distinct);
  const rowOf = new Int32Array(distances.samples).fill(-1);
  distinct.forEach((sample, row) => {
    rowOf[sample] = row;
  });
  return (a, b) => {
    const [row, column] = [rowOf[a], rowOf[b]];
    if (row < 0 || column < 0) throw new RangeError(`The distance of samples ${a} and ${b} is not at hand.`);
    return block[row * distinct.length + column];
  };
}

/** Where the numbers of a large condensed matrix are: parts of equal length (the last may be shorter). */
export interface CondensedParts {
  /** Length of every part but the last. */
  readonly partLength: number;
  part(index: number): Float32Array;
}

/** Distances that lie in parts in a mapped file. */
export class StoredDistances implements PairDistances {
  readonly metric: string;
  readonly samples: number;
  readonly isStored = true;
  readonly #parts: CondensedParts;

  constructor(metric: string, samples: number, parts: CondensedParts) {
    this.metric = metric;
    this.samples = samples;
    this.#parts = parts;
  }

  get pairs(): number {
    return (this.samples * (this.samples - 1)) / 2;
  }

  between(a: number, b: number): number {
    if (a === b) return 0;
    const [row, column] = a < b ? [a, b] : [b, a];
    const pair = (row * (2 * this.samples - row - 1)) / 2 + (column - row - 1);
    const part = Math.floor(pair / this.#parts.partLength);
    return this.#parts.part(part)[pair - part * this.#parts.partLength];
  }

  block(samples: ArrayLike<number>): Float32Array {
    const n = samples.length;
    const block = new Float32Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const distance = this.between(samples[i], samples[j]);
        block[i * n + j] = distance;
        block[j * n + i] = distance;
      }
    }
    return block;
  }

  *condensed(): Generator<Float32Array> {
    const { partLength } = this.#parts;
    for (let start = 0, part = 0; start < this.pairs; start += partLength, part++)
      yield this.#parts.part(part);
  }
}

/**
 * Up to so many samples a single distance that is asked for has all of them computed and kept,
 * since others will follow.
 */
const keptSamples = 2048;

/**
 * Distances that are computed from the tree when they are asked for: the numbers that
 * would be stored, bit by bit.
 */
export class ComputedDistances implements PairDistances {
  readonly metric: string;
  readonly samples: number;
  readonly isStored = false;
  readonly #pairs: ChosenPairs;
  #kept: StoredDistances | undefined;

  constructor(metric: string, samples: number, pairs: ChosenPairs) {
    this.metric = metric;
    this.samples = samples;
    this.#pairs = pairs;
  }

  get pairs(): number {
    return (this.samples * (this.samples - 1)) / 2;
  }

  between(a: number, b: number): number {
    if (a === b) return 0;
    if (this.samples > keptSamples) return this.block([a, b])[1];
    this.#kept ??= this.#keep();
    return this.#kept.between(a, b);
  }

  block(samples: ArrayLike<number>): Float32Array {
    return this.#pairs.block(samples);
  }

  *condensed(): Generator<Float32Array> {
    const all = Int32Array.from({ length: this.samples }, (_, i) => i);
    for (const { distances } of this.#pairs.rows(all)) yield Float32Array.from(distances);
  }

  #keep(): StoredDistances {
    const values = new Float32Array(this.pairs);
    let at = 0;
    for (const part of this.condensed()) {
      values.set(part, at);
      at += part.length;
    }
    return new StoredDistances(this.metric, this.samples, {
      partLength: Math.max(1, values.length),
      part: () => values,
    });
  }
}
