import type { Dataset } from "../../data/dataset/dataset.ts";
import { FoldRunner } from "../folds/runJob.ts";
import { titleOf } from "../predictors/index.ts";
import { lossOf } from "../predictors/learner.ts";
import type { SearchRunner } from "./trial.ts";

/** What a predictor that needs no fine-tuning came to. */
export interface SimpleLosses {
  /** `Median`, `Random forest`. */
  readonly name: string;
  /** By sample held out from the search, as of a trial. */
  readonly losses: number[];
}

/**
 * Learns the median (or the classes' shares) and forests, as `cross-validate` does, from the samples that
 * were searched on, and predicts those held out: what a fine-tuned model has to be better than.
 */
export async function simplePredictors(
  dataset: Dataset,
  { plan, outer }: Pick<SearchRunner, "plan" | "outer">,
): Promise<SimpleLosses[]> {
  const { target, jobs, config } = plan;
  const isClassifier = target.kind === "classes";
  const predictors: (typeof config)["predictors"] = isClassifier ? ["forest"] : ["forest", "median-forest"];
  const runner = new FoldRunner(dataset, { ...plan, config: { ...config, predictors, reasons: false } });
  const found = (await runner.run(jobs[0])).predictors;
  return Object.entries(found).map(([name, { predicted }]) => ({
    name: titleOf(name, isClassifier),
    losses: Array.from(outer.test, (sample, row) => lossOf(target, predicted, row, target.values[sample])),
  }));
}
