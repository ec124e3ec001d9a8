import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";

/**
 * Where each batch of an epoch begins among its samples, and where the last one ends. A last batch of a
 * single sample has no pair to learn from, so that sample joins the batch before it (which then has
 * `batchSize + 1`); a shorter last batch of two or more stays. With `dropLast` samples that fill no batch are
 * left out, unless they are all there are.
 */
export function batchStarts(samples: number, batchSize: number, dropLast: boolean): Int32Array {
  if (!Number.isInteger(batchSize) || batchSize < 2) {
    throw new UserError(
      `The batch size must be a whole number from 2 on, because pairs are learnt; got ${batchSize}.`,
    );
  }
  const full = Math.floor(samples / batchSize);
  const left = samples - full * batchSize;
  if (full === 0) return samples === 0 ? Int32Array.of(0) : Int32Array.of(0, samples);
  const starts = Array.from({ length: full + 1 }, (_, batch) => batch * batchSize);
  if (left === 1 && !dropLast) starts[full] += 1;
  if (left > 1 && !dropLast) starts.push(samples);
  return Int32Array.from(starts);
}

/** The samples of an epoch in their order, which depends on the seed of `random` and the epoch alone. */
export function epochOrder(samples: Int32Array, shuffle: boolean, random: Random, epoch: number): Int32Array {
  return shuffle ? random.derive("order", epoch).shuffle(samples.slice()) : samples;
}

/** The generator of a batch's random ASV sampling: the same whoever builds the batch, and whenever. */
export function batchRandom(seed: number, epoch: number, batch: number): Random {
  return new Random(seed).derive("asvs", epoch, batch);
}
