import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { checkDistances, type Distances, squareRows } from "../distances/distances.ts";
import { MantelThreads } from "./mantelThreads.ts";
import { type PermutationOptions, Permutations, permutationCount, permutationP } from "./permutations.ts";
import { ranksOf } from "./ranks.ts";

export const mantelAlternatives = ["two-sided", "greater", "less"] as const;

export interface MantelOptions extends PermutationOptions {
  /** Pearson's correlation of the distances, or Spearman's of their ranks. Default `pearson`. */
  readonly method?: "pearson" | "spearman";
  /** Which correlations of permuted matrices count as extreme. Default `two-sided`. */
  readonly alternative?: (typeof mantelAlternatives)[number];
  /** Cores to use; by default one where the work is small, else all. */
  readonly threads?: number;
}

export interface Mantel {
  readonly correlation: number;
  /** NaN without permutations. */
  readonly p: number;
  readonly permutations: number;
  readonly samples: number;
}

/** Permutations that a core does at a time. */
const perRequest = 16;
/** Pairs times permutations above which further cores are worth starting. */
const largeWork = 5e8;

/**
 * The Mantel test (Mantel 1967): the correlation of two matrices' distances, beside that when the samples
 * of one are permuted. Both have the same samples in the same order.
 * @throws UserError for fewer than three samples, for distances that are not known, and for a matrix whose
 * distances are all equal.
 * @example
 * const { correlation, p } = await mantel(predicted, unifrac, { method: "spearman" });
 */
export async function mantel(a: Distances, b: Distances, options: MantelOptions = {}): Promise<Mantel> {
  const { method = "pearson", alternative = "two-sided", seed = 0, onProgress } = options;
  const permutations = permutationCount(options);
  const n = a.ids.length;
  if (a.ids.some((id, i) => id !== b.ids[i]) || b.ids.length !== n)
    throw new RangeError("The matrices must have the same samples in the same order.");
  if (n < 3) throw new UserError(`A Mantel test needs at least three samples in both matrices, not ${n}.`);
  if (!["pearson", "spearman"].includes(method) || !mantelAlternatives.includes(alternative))
    throw new UserError(
      `There is no Mantel test ${quote(method)}, ${quote(alternative)}; choose pearson or spearman, and ${mantelAlternatives.join(", ")}.`,
    );
  checkDistances(a);
  checkDistances(b);
  const [x, y] = [a, b].map(({ values }) => standardized(method === "spearman" ? ranksOf(values) : values));
  let correlation = 0;
  for (let i = 0; i < x.length; i++) correlation += x[i] * y[i];
  correlation = Math.max(-1, Math.min(1, correlation));
  const square = new Float64Array(new SharedArrayBuffer(8 * n * n));
  let row = 0;
  for (const values of squareRows({ ids: a.ids, values: x })) square.set(values, n * row++);
  const work = x.length * permutations;
  const { threads = work > largeWork ? navigator.hardwareConcurrency : 1 } = options;
  const drawn = new Permutations(n, seed);
  const permuted = new Float64Array(permutations);
  const workers = new MantelThreads(square, shared(y), threads);
  try {
    let done = 0;
    const requests = function* () {
      for (let from = 0; from < permutations; from += perRequest)
        yield Array.from({ length: Math.min(perRequest, permutations - from) }, () => drawn.next());
    };
    for await (const some of workers.compute(requests())) {
      permuted.set(some, done);
      done += some.length;
      onProgress?.(done);
    }
  } finally {
    workers.close();
  }
  const extremeness = { "two-sided": Math.abs, greater: (r: number) => r, less: (r: number) => -r }[
    alternative
  ];
  const p = permutationP(extremeness(correlation), permuted.map(extremeness));
  return { correlation, p, permutations, samples: n };
}

/** Values less their mean, divided so that the sum of their squares is 1. */
function standardized(values: Float32Array | Float64Array): Float64Array {
  const exact = Float64Array.from(values);
  const mean = exact.reduce((sum, value) => sum + value, 0) / exact.length;
  const centred = exact.map((value) => value - mean);
  const length = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0));
  if (length <= 1e-13 * Math.abs(mean) * Math.sqrt(exact.length))
    throw new UserError(
      "All distances of one matrix are equal, so nothing can vary with them; check the matrices.",
    );
  return centred.map((value) => value / length);
}

function shared(values: Float64Array): Float64Array {
  const copy = new Float64Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}
