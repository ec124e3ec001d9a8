import { checkedWhole } from "../../common/checkedWhole.ts";
import { median } from "../../common/median.ts";
import { UserError } from "../../common/userError.ts";
import { rarefy, refuseOddCounts } from "../table/rarefy.ts";
import { sampleTotals, selectSamples } from "../table/select.ts";
import type { Table } from "../table/table.ts";
import { type AlphaDiversityOptions, type AlphaMetric, alphaDiversity } from "./alphaDiversity.ts";

export interface RarefactionOptions extends Omit<AlphaDiversityOptions, "source"> {
  readonly metrics: readonly AlphaMetric[];
  /** Largest depth; default the median of the samples' counts. */
  readonly maxDepth?: number;
  /** Depths, from `maxDepth / steps` on, evenly apart. Default 10. */
  readonly steps?: number;
  /** Drawings at each depth. Default 10. */
  readonly repeats?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Names the table in errors; default "The table". */
  readonly source?: string;
  /** Is told how many drawings of how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A diversity of each sample at each depth: the mean of the drawings, NaN for samples with fewer counts. */
export interface RarefactionCurve {
  readonly metric: AlphaMetric;
  readonly depths: readonly number[];
  /** [depths][samples of the table]. */
  readonly means: readonly Float64Array[];
}

/**
 * Rarefaction curves: the diversity of samples by how many of their counts are drawn, without replacement,
 * the mean of several drawings.
 * @throws UserError for a depth that no sample has, and as `rarefy` and `alphaDiversity` do.
 * @example
 * const [curve] = rarefactionCurves(table, { metrics: ["observed_features"], maxDepth: 5000 });
 */
export function rarefactionCurves(table: Table, options: RarefactionOptions): RarefactionCurve[] {
  const { metrics, steps = 10, repeats = 10, seed = 0, source = "The table", onProgress } = options;
  checkedWhole("steps", steps, 1);
  checkedWhole("repeats", repeats, 1);
  const totals = sampleTotals(table);
  refuseOddCounts(table, totals, source);
  const { maxDepth = Math.floor(median([...totals])) } = options;
  if (maxDepth < steps)
    throw new UserError(
      `${steps} depths up to ${maxDepth} counts are not all different; take fewer steps or a larger depth.`,
    );
  const deepest = totals.reduce((most, total) => Math.max(most, total), 0);
  if (maxDepth > deepest)
    throw new UserError(
      `${source} has no sample with ${maxDepth} counts (the deepest has ${deepest}); choose a smaller depth.`,
    );
  const depths = Array.from({ length: steps }, (_, step) => Math.round((maxDepth * (step + 1)) / steps));
  const curves = metrics.map((metric) => ({ metric, depths, means: [] as Float64Array[] }));
  const rowOf = new Map(table.sampleIds.map((id, row) => [id, row]));
  const total = steps * repeats;
  let done = 0;
  for (const depth of depths) {
    const deep = [...totals.keys()].filter((row) => totals[row] >= depth);
    const part = selectSamples(table, deep);
    const sums = curves.map(() => new Float64Array(table.sampleIds.length).fill(Number.NaN));
    for (const values of sums) for (const row of deep) values[row] = 0;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const { table: drawn } = rarefy(part, { depth, seed: seed + done, source });
      for (const [at, { metric }] of curves.entries()) {
        const values = alphaDiversity(drawn, metric, options);
        drawn.sampleIds.forEach((id, i) => {
          sums[at][rowOf.get(id)!] += values[i];
        });
      }
      onProgress?.(++done, total);
    }
    for (const [at, curve] of curves.entries()) curve.means.push(sums[at].map((sum) => sum / repeats));
  }
  return curves;
}
