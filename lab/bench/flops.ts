import type { Batch } from "../../src/data/batches/batch.ts";

/** Sizes that decide what a transformer computes. */
export interface StackShape {
  readonly dim: number;
  readonly layers: number;
}

/**
 * Floating-point operations of the products of a transformer, forward, over sequences of such lengths. Per
 * token and layer: queries, keys, values and output 4 D^2, feed-forward 8 D^2, attention 2 D times the length
 * multiplications, with an addition each. All else counts as nothing.
 */
export function stackOperations(lengths: Iterable<number>, { dim, layers }: StackShape): number {
  let operations = 0;
  for (const length of lengths) operations += 2 * length * (12 * dim ** 2 + 2 * length * dim);
  return layers * operations;
}

/**
 * What a step's products take: backward twice as much as forward, and forward once more where
 * values are computed anew.
 */
export const stepFactor = { kept: 3, recomputed: 4 } as const;

/** Lengths of what a batch's transformers work on: sequences of bases, and samples. */
export interface StepLengths {
  readonly sequences: readonly number[];
  readonly samples: readonly number[];
}

/** The lengths of a batch as ours computes it: each distinct ASV once, and nothing for padding. */
export function lengthsOf({ asvLengths, asvIndex, samples, slots }: Batch): StepLengths {
  return {
    sequences: [...asvLengths],
    samples: Array.from({ length: samples }, (_, row) =>
      asvIndex.subarray(row * slots, (row + 1) * slots).reduce((sum, index) => sum + (index > 0 ? 1 : 0), 0),
    ),
  };
}

/** Forward operations of an encoder: one stack over bases, two over the ASVs of samples. */
export function encoderOperations({ sequences, samples }: StepLengths, shape: StackShape): number {
  return stackOperations(sequences, shape) + 2 * stackOperations(samples, shape);
}

/**
 * Bytes that a step keeps for the backward pass, in float32 and without checkpointing: of each
 * token and layer its input, queries, keys, values, mixed values, the middle of the layer and four
 * times as many hidden values.
 */
export function keptBytes({ sequences, samples }: StepLengths, { dim, layers }: StackShape): number {
  const sum = (lengths: readonly number[]) => lengths.reduce((total, length) => total + length, 0);
  return 4 * 10 * dim * layers * (sum(sequences) + 2 * sum(samples));
}
