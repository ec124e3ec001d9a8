import { checkedWhole } from "../../common/checkedWhole.ts";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";

export interface PermutationOptions {
  /** How many; default 999. Without any there is no p. */
  readonly permutations?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Is told how many permutations are done. */
  readonly onProgress?: (done: number) => void;
}

/** How many permutations are asked for. @throws UserError for what is no whole number from 0 on. */
export function permutationCount({ permutations = 999 }: PermutationOptions): number {
  return checkedWhole("permutations", permutations, 0);
}

/**
 * Statistics that differ by no more, for all of them are around 1, count as equal: samples that change
 * places within a group move them by rounding.
 */
const rounding = 1e-9;

/**
 * The share of permutations, the data as they are among them, whose statistic is at least as large: (1 +
 * count) / (1 + permutations); NaN without permutations.
 */
export function permutationP(observed: number, permuted: ArrayLike<number>): number {
  if (permuted.length === 0) return Number.NaN;
  const bound = Number.isFinite(observed) ? observed - rounding * Math.max(1, Math.abs(observed)) : observed;
  let count = 1;
  for (let i = 0; i < permuted.length; i++) if (permuted[i] >= bound) count++;
  return count / (permuted.length + 1);
}

/** Draws orders of samples, within strata only where these are given. */
export class Permutations {
  readonly #random: Random;
  readonly #count: number;
  readonly #members: readonly Int32Array[] | undefined;

  /**
   * `strata` has the number of each sample's stratum. @throws UserError for strata of one sample each,
   * which leave no order but one.
   */
  constructor(count: number, seed: number, strata?: Int32Array) {
    this.#random = new Random(seed).derive("permutations");
    this.#count = count;
    if (strata === undefined) return;
    const members = Map.groupBy(strata.keys(), (sample) => strata[sample]);
    this.#members = [...members.values()].map((samples) => Int32Array.from(samples));
    if (this.#members.every((samples) => samples.length === 1))
      throw new UserError(
        "Every stratum has one sample alone, so nothing can be permuted within them; choose a column with fewer values.",
      );
  }

  /** For each place the sample that comes there. */
  next(): Int32Array {
    if (this.#members === undefined) return this.#random.permutation(this.#count);
    const order = new Int32Array(this.#count);
    for (const places of this.#members) {
      const samples = this.#random.shuffle(places.slice());
      places.forEach((place, i) => {
        order[place] = samples[i];
      });
    }
    return order;
  }
}
