import { Generator } from "../../core/generator.ts";
import { getRank, getWorldSize } from "../../distributed/index.ts";
import { randperm } from "../../functions/creation.ts";
import type { Sampler } from "./samplers.ts";

export interface DistributedSamplerOptions {
  /** How many ranks share the examples; without it the process group's number. */
  readonly numReplicas?: number;
  /** This rank's number; without it the process group's. */
  readonly rank?: number;
  /** A new order each epoch (default), or the examples' own. */
  readonly shuffle?: boolean;
  /** The same on all ranks. */
  readonly seed?: number;
  /** Leave the last examples out where they do not go round, instead of giving some twice. */
  readonly dropLast?: boolean;
}

/**
 * One rank's share of the examples, of the same length on every rank: PyTorch's order at the same seed and
 * epoch. Call `setEpoch` before each pass, or every epoch has the first one's order.
 * @throws RangeError for a rank outside the group.
 * @example const loader = new DataLoader(data, { sampler: new DistributedSampler(data), batchSize: 8 });
 */
export class DistributedSampler implements Sampler {
  readonly length: number;
  readonly #count: number;
  readonly #ranks: number;
  readonly #rank: number;
  readonly #shuffle: boolean;
  readonly #seed: number;
  #epoch = 0;

  constructor(source: { readonly length: number }, options: DistributedSamplerOptions = {}) {
    const {
      numReplicas = getWorldSize(),
      rank = getRank(),
      shuffle = true,
      seed = 0,
      dropLast = false,
    } = options;
    if (!Number.isInteger(numReplicas) || numReplicas < 1)
      throw new RangeError(
        `DistributedSampler: numReplicas must be a whole number of at least 1, got ${numReplicas}`,
      );
    if (!Number.isInteger(rank) || rank < 0 || rank >= numReplicas)
      throw new RangeError(`DistributedSampler: rank must lie in 0 to ${numReplicas - 1}, got ${rank}`);
    this.#count = source.length;
    this.length = dropLast ? Math.floor(source.length / numReplicas) : Math.ceil(source.length / numReplicas);
    this.#ranks = numReplicas;
    this.#rank = rank;
    this.#shuffle = shuffle;
    this.#seed = seed;
  }

  /** Sets the epoch, of which the order depends, on all ranks alike. */
  setEpoch(epoch: number): void {
    this.#epoch = epoch;
  }

  *[Symbol.iterator](): globalThis.Generator<number> {
    const order = this.#order();
    for (let i = 0; i < this.length; i++) yield order[(this.#rank + i * this.#ranks) % this.#count];
  }

  #order(): ArrayLike<number> {
    if (!this.#shuffle) return Array.from({ length: this.#count }, (_, i) => i);
    const generator = new Generator().manualSeed(this.#seed + this.#epoch);
    using drawn = randperm(this.#count, { generator });
    return drawn.toFloat64Array();
  }
}
