import type { Dataset } from "../../data/dataset/dataset.ts";
import type { ColumnPrediction } from "../targets/predictions.ts";
import type { ResultColumn } from "../targets/predictionTable.ts";
import type { AsvBase } from "./asvBase.ts";
import type { SampleContributions } from "./explainSamples.ts";
import { gapOf } from "./gapWarning.ts";

/** ASVs of a sample that have rows of their own, for each target or class. */
const mostShown = 50;

/** Rows of a sample that are no ASV's. */
export const [baseRow, othersRow] = ["(base)", "(others)"];

export interface ContributionTable {
  readonly columns: ResultColumn[];
  /** By how much rows fail to add up to predictions at most, as a share of the largest change from a base. */
  readonly gap: number;
}

/**
 * Contributions of ASVs as a table: for each sample, and each target or class where there are several, the
 * prediction of the base, the ASVs that matter most, the largest first, and all others in one row. These rows
 * add up to the prediction. `count` is 0 for ASVs that the sample lacks.
 */
export function contributionTable(
  dataset: Dataset,
  base: AsvBase,
  samples: Int32Array,
  predictions: readonly ColumnPrediction[],
  explained: Iterable<SampleContributions>,
): ContributionTable {
  const [first] = predictions;
  const names = first.kind === "classes" ? first.classes : predictions.map(({ column }) => column);
  const predictedOf = (row: number, c: number) => {
    const own = predictions[first.kind === "classes" ? 0 : c];
    return own.kind === "classes" ? own.probabilities[row * names.length + c] : own.predicted[row];
  };
  const found: { row: number; of: number; id: string; count: number; contribution: number }[] = [];
  let [row, missing, largest, size] = [0, 0, 0, 0];
  for (const { values, base: from } of explained) {
    const { asvs, counts } = dataset.sample(samples[row]);
    const countOf = new Map(Array.from(asvs, (asv, i) => [asv, counts[i]]));
    names.forEach((_, c) => {
      const of = (asv: number) => values[asv * names.length + c];
      const order = Array.from({ length: base.asvCount }, (_asv, asv) => asv)
        .filter((asv) => of(asv) !== 0)
        .sort((a, b) => Math.abs(of(b)) - Math.abs(of(a)) || a - b);
      const add = (id: string, count: number, contribution: number) =>
        void found.push({ row, of: c, id, count, contribution });
      add(baseRow, Number.NaN, from[c]);
      for (const asv of order.slice(0, mostShown)) add(base.asvId(asv), countOf.get(asv) ?? 0, of(asv));
      const others = order.slice(mostShown).reduce((sum, asv) => sum + of(asv), 0);
      if (order.length > mostShown) add(othersRow, Number.NaN, others);
      const change = predictedOf(row, c) - from[c];
      missing = Math.max(missing, Math.abs(change - order.reduce((sum, asv) => sum + of(asv), 0)));
      largest = Math.max(largest, Math.abs(change));
      size = Math.max(size, Math.abs(predictedOf(row, c)));
    });
    row++;
  }
  const named = {
    name: first.kind === "classes" ? "class" : "target",
    values: found.map(({ of }) => names[of]),
  };
  return {
    columns: [
      { name: "sample_id", values: found.map((one) => dataset.sampleIds[samples[one.row]]) },
      ...(names.length > 1 ? [named] : []),
      { name: "asv_id", values: found.map(({ id }) => id) },
      { name: "count", values: Float64Array.from(found, ({ count }) => count) },
      { name: "contribution", values: Float64Array.from(found, ({ contribution }) => contribution) },
    ],
    gap: gapOf(missing, largest, size),
  };
}
