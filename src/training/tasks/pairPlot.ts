import { type Plot, predictionScatter } from "../../display/plots/index.ts";
import type { PairEvaluation } from "../objectives/pairEvaluation.ts";

/** Predicted against true distances (or values) of samples; null where none is known. */
export async function pairPlot(
  { predicted, actual, result: metrics }: PairEvaluation,
  metric: string,
  whose: "samples" | "validation samples" = "validation samples",
): Promise<Plot | null> {
  if (actual.length === 0) return null;
  const isValue = metric === "faith_pd";
  return predictionScatter({
    title: isValue ? `Faith's PD of ${whose}` : `UniFrac distances between ${whose}`,
    quantity: isValue ? "Faith's PD" : `${metric.replaceAll("_", " ")} UniFrac distance`,
    actual,
    predicted,
    metrics,
    pointName: isValue ? "samples" : "pairs",
  });
}

/**
 * Predicted against true counts of the validation samples' ASVs, as the count head learns them;
 * null where there is none.
 */
export async function countPlot(
  { predicted, actual, result: metrics }: PairEvaluation,
  countForm: "scaled" | "raw",
): Promise<Plot | null> {
  if (actual.length === 0) return null;
  return predictionScatter({
    title: "Counts of the validation samples' ASVs",
    quantity: countForm === "raw" ? "count" : "log(1 + count), share of the largest",
    actual,
    predicted,
    metrics,
    pointName: "ASVs",
  });
}
