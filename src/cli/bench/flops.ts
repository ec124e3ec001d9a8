/** Sizes that decide what a transformer computes. */
export interface StackShape {
  readonly dim: number;
  readonly layers: number;
}

/**
 * Floating-point operations of the products of a transformer, forward, over sequences of such lengths. Per token and layer: queries,
 * keys, values and output 4 D^2, feed-forward 8 D^2, attention 2 D times the length multiplications, with an addition each. All else
 * counts as nothing.
 */
export function stackOperations(lengths: Iterable<number>, { dim, layers }: StackShape): number {
  let operations = 0;
  for (const length of lengths) operations += 2 * length * (12 * dim ** 2 + 2 * length * dim);
  return layers * operations;
}

/** What a step's products take: backward twice as much as forward, and forward once more where values are computed anew. */
export const stepFactor = { kept: 3, recomputed: 4 } as const;

/** Lengths of what a batch's transformers work on: sequences of bases, and samples. */
export interface StepLengths {
  readonly sequences: readonly number[];
  readonly samples: readonly number[];
}

/** Forward operations of an encoder: one stack over bases, two over the ASVs of samples. */
export function encoderOperations({ sequences, samples }: StepLengths, shape: StackShape): number {
  return stackOperations(sequences, shape) + 2 * stackOperations(samples, shape);
}
