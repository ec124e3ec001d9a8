import * as torch from "../../torch/index.ts";
import type { Grouping } from "./grouping.ts";
import { type PermutationOptions, Permutations, permutationCount } from "./permutations.ts";

/** Bytes of the indicator columns that are multiplied together. */
const chunkBytes = 2 ** 26;

export interface WithinSums {
  /** Of the groups as they are. */
  readonly observed: number;
  readonly permuted: Float64Array;
}

/**
 * The sum over pairs of samples of one group of a symmetric matrix's entries [samples, samples], each times
 * its group's weight, for the groups as they are and for permuted ones. Many permutations are one product
 * of the matrix with their groups' indicator columns.
 */
export function withinSums(
  matrix: torch.Tensor,
  groups: Grouping,
  weights: Float64Array,
  options: PermutationOptions & { readonly strata?: Int32Array },
): WithinSums {
  const { seed = 0, strata, onProgress } = options;
  const permutations = permutationCount(options);
  const n = groups.of.length;
  const count = groups.names.length;
  const orders = new Permutations(n, seed, strata);
  const permuted = new Float64Array(permutations);
  const halves = torch.tensor(weights.map((weight) => weight / 2));
  const sumsOf = (labelings: readonly Int32Array[]): Float64Array =>
    torch.tidy(() => {
      const width = labelings.length * count;
      const indicator = new Float64Array(n * width);
      labelings.forEach((labels, at) => {
        for (let i = 0; i < n; i++) indicator[i * width + at * count + labels[i]] = 1;
      });
      const columns = torch.tensor(indicator, { shape: [n, width] }).to(matrix.dtype);
      const sums = columns.mul(matrix.matmul(columns)).sum(0, { dtype: "float64" });
      return sums.view([labelings.length, count]).matmul(halves).toFloat64Array();
    });
  try {
    const perChunk = Math.max(1, Math.min(128, Math.floor(chunkBytes / (8 * n * count))));
    for (let from = 0; from < permutations; from += perChunk) {
      const labelings = Array.from({ length: Math.min(perChunk, permutations - from) }, () =>
        orders.next().map((sample) => groups.of[sample]),
      );
      permuted.set(sumsOf(labelings), from);
      onProgress?.(from + labelings.length);
    }
    return { observed: sumsOf([groups.of])[0], permuted };
  } finally {
    halves.dispose();
  }
}
