import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { faithPd } from "../unifrac/faithPd.ts";

/** Diversities of one sample, by QIIME 2's names. */
export const alphaMetrics = [
  "observed_features",
  "shannon",
  "pielou_e",
  "simpson",
  "chao1",
  "faith_pd",
] as const;
export type AlphaMetric = (typeof alphaMetrics)[number];

export interface AlphaDiversityOptions {
  /** For `faith_pd`. */
  readonly tree?: Tree;
  /** Of Shannon's logarithm; default 2, as in QIIME 2 (scikit-bio since 0.6.1 has e). */
  readonly base?: number;
  /** Name the table and the tree in errors. */
  readonly source?: string;
  readonly treeSource?: string;
}

/**
 * One diversity of each sample of a table, float64, in the samples' order. Of p_i, the shares of a sample's
 * counts:
 * - `observed_features`: S, how many ASVs it has;
 * - `shannon`: -Σ p_i log p_i (Shannon 1948);
 * - `pielou_e`: Shannon's by its greatest possible value, log S (Pielou 1966); 1 for one ASV, NaN for
 *   none;
 * - `simpson`: 1 - Σ p_i² (Simpson 1949);
 * - `chao1`: S + f1 (f1 - 1) / (2 (f2 + 1)) of the ASVs counted once and twice (Chao 1984, the
 *   bias-corrected form);
 * - `faith_pd`: the branches of the tree above the sample's ASVs (Faith 1992).
 *
 * A sample without counts has 0 of `observed_features`, `chao1` and `faith_pd`, and NaN of the others.
 * @throws UserError for counts that are negative or not finite, for `chao1` of counts that are no whole
 * numbers, and for `faith_pd` where table and tree do not fit.
 * @example
 * const shannon = alphaDiversity(await readTable("table.biom"), "shannon");
 */
export function alphaDiversity(
  table: Table,
  metric: AlphaMetric,
  options: AlphaDiversityOptions = {},
): Float64Array {
  const { tree, base = 2, source = "The table", treeSource } = options;
  checkCounts(table, metric, source);
  if (metric === "faith_pd") {
    if (tree === undefined) throw new UserError("The metric faith_pd needs a tree; give one.");
    return faithPd(table, tree, treeSource);
  }
  const of: ((counts: Float64Array) => number) | undefined = {
    observed_features: (counts: Float64Array) => counts.length,
    shannon: (counts: Float64Array) => entropy(counts) / Math.log(base),
    pielou_e: evenness,
    simpson: (counts: Float64Array) => 1 - sumOf(sharesOf(counts).map((share) => share * share)),
    chao1,
  }[metric];
  if (!(base > 0) || base === 1)
    throw new UserError(`The base of Shannon's logarithm must be above 0 and not 1, got ${base}.`);
  if (of === undefined) throw unknownMetric(metric, alphaMetrics);
  return Float64Array.from(table.sampleIds, (_, i) => {
    const counts = table.data.subarray(table.indptr[i], table.indptr[i + 1]).filter((count) => count > 0);
    return counts.length === 0 && !["observed_features", "chao1"].includes(metric) ? Number.NaN : of(counts);
  });
}

/** For names that a program gives, where no compiler has looked. */
export function unknownMetric(name: string, known: readonly string[]): UserError {
  return new UserError(`${quote(name)} is no metric of this kind; choose one of ${known.join(", ")}.`);
}

const sumOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0);

function sharesOf(counts: Float64Array): Float64Array {
  const total = sumOf(counts);
  return counts.map((count) => count / total);
}

/** In nats. */
function entropy(counts: Float64Array): number {
  const sum = sumOf(sharesOf(counts).map((share) => share * Math.log(share)));
  return sum === 0 ? 0 : -sum;
}

function evenness(counts: Float64Array): number {
  return counts.length === 1 ? 1 : entropy(counts) / Math.log(counts.length);
}

function chao1(counts: Float64Array): number {
  const counted = (times: number) => counts.reduce((sum, count) => sum + (count === times ? 1 : 0), 0);
  const [once, twice] = [counted(1), counted(2)];
  return counts.length + (once * (once - 1)) / (2 * (twice + 1));
}

function checkCounts({ sampleIds, asvIds, indptr, indices, data }: Table, metric: string, source: string) {
  const isWrong = (count: number) =>
    !(count >= 0 && count < Number.POSITIVE_INFINITY) || (metric === "chao1" && !Number.isInteger(count));
  const bad = data.findIndex(isWrong);
  if (bad < 0) return;
  const sample = indptr.findIndex((start) => start > bad) - 1;
  const needed =
    metric === "chao1" ? "chao1 needs whole numbers of at least 0" : "counts are finite and at least 0";
  throw new UserError(
    `${source}: ASV "${asvIds[indices[bad]]}" has the count ${data[bad]} in sample "${sampleIds[sample]}", but ${needed}; give the table of raw counts.`,
  );
}
