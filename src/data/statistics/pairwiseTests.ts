import type { Distances } from "../distances/distances.ts";
import { chosen, type Grouping, groupsOf } from "./grouping.ts";
import type { GroupTest, GroupTestOptions } from "./groupTests.ts";

/** A test of two groups alone. */
export interface PairTest extends GroupTest {
  readonly pair: readonly [string, string];
  /** p corrected for the number of pairs, by the false discovery rate. */
  readonly q: number;
}

/**
 * A test of each two groups, in which only their samples count. Pairs that nothing can be tested of are left
 * out: two single samples, and samples whose distances are all 0.
 * @throws UserError as the test does.
 * @example
 * const pairs = pairwise(permanova, distances, groups);
 */
export function pairwise(
  test: (distances: Distances, groups: Grouping, options: GroupTestOptions) => GroupTest,
  distances: Distances,
  groups: Grouping,
  options: Omit<GroupTestOptions, "strata"> = {},
): PairTest[] {
  const { onProgress, ...rest } = options;
  const { names, of, sizes } = groups;
  const results: (GroupTest & Pick<PairTest, "pair">)[] = [];
  let done = 0;
  for (let a = 0; a < names.length; a++) {
    for (let b = a + 1; b < names.length; b++) {
      onProgress?.(done++);
      if (sizes[a] + sizes[b] < 3) continue;
      const samples = [...of.keys()].filter((sample) => of[sample] === a || of[sample] === b);
      const part = chosen(distances, samples);
      if (part.values.every((distance) => distance === 0)) continue;
      const labels = samples.map((sample) => names[of[sample]]);
      const result = test(part, groupsOf(labels), rest);
      results.push({ ...result, pair: [names[a], names[b]] });
    }
  }
  const qs = falseDiscoveryRates(results.map(({ p }) => p));
  return results.map((result, i) => ({ ...result, q: qs[i] }));
}

/**
 * The false discovery rate at which each of several p counts as significant (Benjamini and Hochberg 1995).
 */
export function falseDiscoveryRates(ps: readonly number[]): number[] {
  const order = [...ps.keys()].sort((a, b) => ps[b] - ps[a]);
  const rates = new Array<number>(ps.length).fill(Number.NaN);
  let least = 1;
  order.forEach((at, i) => {
    least = Math.min(least, ps[at] * (ps.length / (ps.length - i)));
    rates[at] = least;
  });
  return rates;
}
