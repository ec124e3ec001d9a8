import { join } from "node:path";
import { makeFolder } from "../../common/files/atomicFile.ts";
import type { ReportProgress } from "../../common/progress.ts";
import { UserError } from "../../common/userError.ts";
import type { Figures } from "../loop/trainer.ts";
import type { FineTuneFacts } from "../run/facts.ts";
import type { RunFolder } from "../run/folder.ts";
import { openRunData } from "../run/record.ts";
import { figuresOf } from "../targets/predictions.ts";
import { writePredictions } from "../targets/predictionTable.ts";
import { Targets } from "../targets/targets.ts";
import type { ForestOptions } from "./randomForest.ts";
import { type Baseline, runBaselines } from "./runBaselines.ts";

/** One baseline's figures, as `baselines/summary.json` lists them. */
export interface BaselineSummary {
  readonly name: string;
  readonly note: string;
  readonly figures: Figures;
}

/**
 * Computes the baselines of a fine-tuning run on its own split, and writes their figures and
 * predictions into `baselines/` unless `keep` is false.
 * @throws UserError for a pretraining run.
 */
export function baselinesOfRun(
  folder: RunFolder,
  forest?: Omit<ForestOptions, "random" | "onProgress">,
  onProgress?: ReportProgress,
  keep = true,
): BaselineSummary[] {
  const { record, dataset, split } = openRunData(folder);
  using _dataset = dataset;
  if (record.kind !== "fine-tune")
    throw new UserError(
      `${folder.path} is a pretraining run, which predicts no targets; baselines need a run of \`train\`.`,
    );
  const facts: FineTuneFacts = record;
  const targets = Targets.fromState(facts.targets);
  const { validation, train } = split;
  const baselines = runBaselines(dataset, {
    targets,
    train,
    validation,
    seed: facts.config.training.seed,
    forest,
    onProgress,
    metric: dataset.manifest.distances[0] ?? null,
    splitBy: facts.config.split.by,
  });
  const summaries = baselines.map(summaryOf);
  if (!keep) return summaries;
  makeFolder(folder.baselines);
  for (const { name, predictions } of baselines) {
    const file = `${name.toLowerCase().replaceAll(" ", "-")}.tsv`;
    writePredictions(join(folder.baselines, file), {
      dataset,
      samples: validation,
      predictions,
      targets,
      withActual: true,
    });
  }
  folder.writeJson(join(folder.baselines, "summary.json"), summaries);
  return summaries;
}

export function summaryOf({ name, note, qualities }: Baseline): BaselineSummary {
  return { name, note, figures: figuresOf(qualities) };
}
