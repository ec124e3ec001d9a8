import { UserError } from "../../common/userError.ts";
import { checkDistances, type Distances, pairCount } from "../distances/distances.ts";
import { checkGroups, type Grouping } from "./grouping.ts";
import { type PermutationOptions, permutationP } from "./permutations.ts";
import { ranksOf } from "./ranks.ts";
import { squareTensor } from "./squareTensor.ts";
import { type WithinSums, withinSums } from "./withinGroups.ts";

export interface GroupTestOptions extends PermutationOptions {
  /** Number of each sample's stratum; permutations stay within strata. */
  readonly strata?: Int32Array;
}

/** What a test says about groups. */
export interface GroupTest {
  readonly method: "PERMANOVA" | "ANOSIM";
  readonly statisticName: "pseudo-F" | "R";
  readonly statistic: number;
  /** NaN without permutations. */
  readonly p: number;
  readonly permutations: number;
  readonly samples: number;
  readonly groups: number;
  /** PERMANOVA: the share of the squared distances that groups explain. */
  readonly r2?: number;
}

/**
 * PERMANOVA (Anderson 2001): whether groups of samples have different centres, by the ratio of squared
 * distances between and within groups, F = (SS_between / (g - 1)) / (SS_within / (n - g)), beside that of
 * permuted groups.
 * @throws UserError for groups that cannot be compared, for distances that are not known, and if all are 0.
 * @example
 * const { statistic, p, r2 } = permanova(distances, groupsOf(["gut", "gut", "skin", "skin"]));
 */
export function permanova(distances: Distances, groups: Grouping, options: GroupTestOptions = {}): GroupTest {
  check(distances, groups, options);
  const n = distances.ids.length;
  const g = groups.names.length;
  const { values } = distances;
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i] * values[i];
  total /= n;
  using matrix = squareTensor(distances);
  matrix.square_();
  const weights = Float64Array.from(groups.sizes, (size) => 1 / size);
  const sums = withinSums(matrix, groups, weights, options);
  const ratio = (within: number) => (total - within) / (g - 1) / (within / (n - g));
  return {
    method: "PERMANOVA",
    statisticName: "pseudo-F",
    ...tested(sums, ratio),
    samples: n,
    groups: g,
    r2: 1 - sums.observed / total,
  };
}

/**
 * ANOSIM (Clarke 1993): whether samples are more alike within groups than between them, by ranks of
 * distances, R = (mean rank between - mean rank within) / (n (n - 1) / 4), from -1 to 1, beside that of
 * permuted groups.
 * @throws UserError for groups that cannot be compared, for distances that are not known, and if all are 0.
 * @example
 * const { statistic, p } = anosim(distances, groupsOf(["gut", "gut", "skin", "skin"]));
 */
export function anosim(distances: Distances, groups: Grouping, options: GroupTestOptions = {}): GroupTest {
  check(distances, groups, options);
  const n = distances.ids.length;
  const ranks = ranksOf(distances.values);
  using matrix = squareTensor({ ids: distances.ids, values: ranks });
  const weights = new Float64Array(groups.names.length).fill(1);
  const sums = withinSums(matrix, groups, weights, options);
  const pairs = pairCount(n);
  const within = groups.sizes.reduce((sum, size) => sum + pairCount(size), 0);
  const total = (pairs * (pairs + 1)) / 2;
  const ratio = (sum: number) => ((total - sum) / (pairs - within) - sum / within) / ((n * (n - 1)) / 4);
  return {
    method: "ANOSIM",
    statisticName: "R",
    ...tested(sums, ratio),
    samples: n,
    groups: groups.names.length,
  };
}

/** The statistic of a sum within groups, and how many permuted ones are at least as large. */
function tested({ observed, permuted }: WithinSums, ratio: (within: number) => number) {
  const statistic = ratio(observed);
  return { statistic, p: permutationP(statistic, permuted.map(ratio)), permutations: permuted.length };
}

function check(distances: Distances, groups: Grouping, { strata }: GroupTestOptions): void {
  const { ids, values } = distances;
  if (groups.of.length !== ids.length)
    throw new RangeError(`There are ${groups.of.length} groups' numbers for ${ids.length} samples.`);
  if (strata !== undefined && strata.length !== ids.length)
    throw new RangeError(`There are ${strata.length} strata's numbers for ${ids.length} samples.`);
  checkGroups(groups, "The grouping");
  checkDistances(distances);
  if (values.every((value) => value === 0))
    throw new UserError("All distances are 0, so groups cannot differ; check the matrix.");
}
