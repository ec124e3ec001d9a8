import { UserError } from "../../common/userError.ts";
import { type Distances, pairCount } from "../distances/distances.ts";
import type { Table } from "../table/table.ts";
import { unknownMetric } from "./alphaDiversity.ts";

/** Distances between samples that need no tree, by QIIME 2's names. */
export const betaMetrics = ["braycurtis", "jaccard", "aitchison"] as const;
export type BetaMetric = (typeof betaMetrics)[number];

export interface BetaDiversityOptions {
  readonly metric: BetaMetric;
  /** Names the table in errors; default "The table". */
  readonly source?: string;
  /** Is told how many pairs are done. */
  readonly onProgress?: (done: number) => void;
}

/**
 * What an ASV's count contributes to a sample, and what two samples that share the ASV have in common by
 * it.
 */
interface Form {
  readonly valueOf: (count: number) => number;
  readonly common: (a: number, b: number) => number;
  /**
   * The distance, of what two samples have in common and the sums of either's values and of their squares.
   */
  readonly distance: (common: number, a: Sums, b: Sums, asvs: number) => number;
}

interface Sums {
  readonly sum: number;
  readonly squares: number;
}

const forms: Readonly<Record<BetaMetric, Form>> = {
  braycurtis: {
    valueOf: (count) => count,
    common: Math.min,
    distance: (common, a, b) => share(a.sum + b.sum - 2 * common, a.sum + b.sum),
  },
  jaccard: {
    valueOf: (count) => (count > 0 ? 1 : 0),
    common: (a, b) => a * b,
    distance: (common, a, b) => share(a.sum + b.sum - 2 * common, a.sum + b.sum - common),
  },
  aitchison: {
    // The logarithm of a count and 1 is 0 where the count is 0, so that only the ASVs of a sample count
    // before the means are taken off.
    valueOf: Math.log1p,
    common: (a, b) => a * b,
    distance: (common, a, b, asvs) =>
      Math.sqrt(Math.max(0, a.squares + b.squares - 2 * common - (a.sum - b.sum) ** 2 / asvs)),
  },
};

const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0);

/**
 * Distances between all samples of a table, float64:
 * - `braycurtis`: Σ|a - b| / Σ(a + b) of the counts as they are (Bray and Curtis 1957);
 * - `jaccard`: the share of the ASVs of either sample that only one of them has (Jaccard 1912);
 * - `aitchison`: the Euclidean distance of centred log-ratios of the counts and 1 (Aitchison 1982), over
 *   all ASVs of the table.
 *
 * Two samples without counts have distance 0.
 * @throws UserError for counts that are negative or not finite.
 * @example
 * const distances = betaDiversity(await readTable("table.biom"), { metric: "braycurtis" });
 */
export function betaDiversity(table: Table, options: BetaDiversityOptions): Distances {
  const { metric, source = "The table", onProgress } = options;
  const form: Form | undefined = forms[metric];
  if (form === undefined) throw unknownMetric(metric, betaMetrics);
  const { sampleIds, asvIds, indptr, indices } = table;
  const n = sampleIds.length;
  const values = table.data.map((count, i) => {
    if (count >= 0 && count < Number.POSITIVE_INFINITY) return form.valueOf(count);
    const sample = indptr.findIndex((start) => start > i) - 1;
    throw new UserError(
      `${source}: ASV "${asvIds[indices[i]]}" has the count ${count} in sample "${sampleIds[sample]}", but counts are finite and at least 0.`,
    );
  });
  const sums = Array.from({ length: n }, (_, i) => sumsOf(values.subarray(indptr[i], indptr[i + 1])));
  const byAsv = columns(table, values);
  const distances = new Float64Array(pairCount(n));
  const common = new Float64Array(n);
  let place = 0;
  for (let i = 0; i < n; i++) {
    common.fill(0, i);
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const end = byAsv.start[indices[k] + 1];
      // Samples come in ascending order, so each ASV's own place moves on with i.
      for (let at = ++byAsv.next[indices[k]]; at < end; at++)
        common[byAsv.sample[at]] += form.common(values[k], byAsv.value[at]);
    }
    for (let j = i + 1; j < n; j++)
      distances[place++] = form.distance(common[j], sums[i], sums[j], asvIds.length);
    onProgress?.(place);
  }
  return { ids: sampleIds, values: distances };
}

function sumsOf(values: Float64Array): Sums {
  let [sum, squares] = [0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  return { sum, squares };
}

/** The table by ASVs: of each the samples, in ascending order, and their values. */
function columns({ asvIds, sampleIds, indptr, indices }: Table, values: Float64Array) {
  const start = new Int32Array(asvIds.length + 1);
  for (const asv of indices) start[asv + 1]++;
  for (let asv = 0; asv < asvIds.length; asv++) start[asv + 1] += start[asv];
  const next = start.slice(0, -1);
  const sample = new Int32Array(indices.length);
  const value = new Float64Array(indices.length);
  for (let i = 0; i < sampleIds.length; i++) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) {
      const at = next[indices[k]]++;
      sample[at] = i;
      value[at] = values[k];
    }
  }
  next.set(start.subarray(0, -1));
  return { start, sample, value, next };
}
