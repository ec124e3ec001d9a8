import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset, Sample } from "../dataset/dataset.ts";
import type { PairDistances } from "../dataset/pairDistances.ts";
import type { ChosenPairs } from "../unifrac/chosenPairs.ts";

/** Samples that are mixed from others of a data set; they have the numbers after its own, without end. */
export interface Mixtures {
  /** The samples that they are mixed from. */
  readonly of: Int32Array;
  readonly seed: number;
}

/** Some samples, and so many mixtures besides, from this number on. */
export function withMixtures(samples: Int32Array, count: number, first: number): Int32Array {
  if (count === 0) return samples;
  const { length } = samples;
  return Int32Array.from({ length: length + count }, (_, i) => samples[i] ?? first + i - length);
}

/** The least share of the first sample's ASVs that is wanted in a mixture. */
const leastShare = 0.3;

/**
 * A data set's samples and mixtures of them. A mixture has a random share, 0.3 to 1, of the ASVs of one
 * sample, and in half of the cases a random share, 0 to 1, of another's; where these are more than `limit`,
 * as many random ones. A tree gives the distance between any two sets of ASVs, so mixtures teach as exactly
 * as samples do, and there are as many as one likes: what few samples leave open, which of many branches a
 * distance is due to, they decide. Each mixture depends on the seed and its number alone.
 */
export class MixedSamples {
  readonly #dataset: Dataset;
  readonly #mixtures: Mixtures;
  readonly #limit: number;
  readonly #random: Random;

  constructor(dataset: Dataset, mixtures: Mixtures, limit = Number.POSITIVE_INFINITY) {
    this.#dataset = dataset;
    this.#limit = limit;
    this.#mixtures = mixtures;
    this.#random = new Random(mixtures.seed).derive("mixtures");
  }

  sample(index: number): Sample {
    const own = this.#dataset.sampleCount;
    if (index < own) return this.#dataset.sample(index);
    const { of } = this.#mixtures;
    const random = this.#random.derive(index - own);
    const counts = new Map<number, number>();
    const draw = (share: number): Sample => {
      const sample = this.#dataset.sample(of[random.integer(of.length)]);
      sample.asvs.forEach((asv, i) => {
        if (random.float() < share) counts.set(asv, (counts.get(asv) ?? 0) + sample.counts[i]);
      });
      return sample;
    };
    const first = draw(leastShare + (1 - leastShare) * random.float());
    if (random.float() < 0.5) draw(random.float());
    if (counts.size === 0)
      first.asvs.forEach((asv, i) => {
        counts.set(asv, first.counts[i]);
      });
    let asvs = Int32Array.from(counts.keys()).sort();
    // The distance is that of what is read.
    if (asvs.length > this.#limit)
      asvs = random
        .sample(asvs.length, this.#limit)
        .sort()
        .map((at) => asvs[at]);
    return { asvs, counts: Float32Array.from(asvs, (asv) => counts.get(asv)!) };
  }

  distance(metric: string): Pick<PairDistances, "block"> {
    const own = this.#dataset.sampleCount;
    const known = this.#dataset.distance(metric);
    let computed: ChosenPairs | undefined;
    return {
      block: (samples) => {
        if (Array.prototype.every.call(samples, (sample: number) => sample < own))
          return known.block(samples);
        computed ??= this.#dataset.chosenPairs(metric, (sample) => this.sample(sample));
        return computed.block(samples);
      },
    };
  }

  /** Faith's PD of a sample. @throws UserError for other values, and where no tree gives it. */
  valueOf(name: string): (sample: number) => number {
    const known = this.#dataset.vector(name);
    if (name !== "faith_pd" || !this.#dataset.fromTree.includes(name))
      throw new UserError(
        `The data set ${this.#dataset.path} has no tree that gives ${name} of mixtures; leave them out.`,
      );
    const { parent, length, tipOfAsv } = this.#dataset.tree();
    return (sample) => {
      if (sample < known.length) return known[sample];
      const above = new Set<number>();
      let value = 0;
      for (const asv of this.sample(sample).asvs)
        for (let node = tipOfAsv[asv]; node > 0 && !above.has(node); node = parent[node]) {
          above.add(node);
          value += length[node];
        }
      return value;
    };
  }
}
