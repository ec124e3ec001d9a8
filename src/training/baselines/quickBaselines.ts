import type { ReportProgress } from "../../common/progress.ts";
import { figureText } from "../../display/numberText.ts";
import type { Figures } from "../loop/trainer.ts";
import type { RunFolder } from "../run/folder.ts";
import { type BaselineSummary, baselinesOfRun } from "./baselinesOfRun.ts";

/** Trees of the forest at the end of a training; `report` grows five times as many. */
const trees = 100;
/** With this many training samples the forest takes about a minute; with more, `report` alone grows one. */
const mostSamples = 3000;

/**
 * The baselines of a fine-tuning run with a small forest, for a first look; nothing is written. None where so
 * many samples train that even this would take long.
 */
export function quickBaselines(
  folder: RunFolder,
  trainSamples: number,
  onProgress?: ReportProgress,
): BaselineSummary[] {
  return trainSamples > mostSamples ? [] : baselinesOfRun(folder, { trees }, onProgress, false);
}

/**
 * A sentence for each predicted column in which a model is not better than the best baseline on the same
 * validation samples: by the mean absolute error, of classes by the share of right ones.
 */
export function notBetterThanBaselines(
  model: Figures,
  baselines: readonly BaselineSummary[],
  columns: readonly string[],
): string[] {
  return columns.flatMap((column) => {
    const suffix = columns.length > 1 ? `.${column}` : "";
    const [key, name] = "accuracy" in model ? (["accuracy", "accuracy"] as const) : (["mae", "MAE"] as const);
    const errorOf = (figures: Figures) => (key === "mae" ? 1 : -1) * figures[`${key}${suffix}`];
    const best = baselines.toSorted((a, b) => errorOf(a.figures) - errorOf(b.figures))[0];
    if (best === undefined || !(errorOf(model) >= errorOf(best.figures))) return [];
    const [own, other] = [model, best.figures].map((figures) => figureText(figures[`${key}${suffix}`]));
    return [
      `The model (${name} of ${column} ${own}) is not better than a baseline on the same samples (${best.name}, ${other}); cross-validate compares such predictors, with intervals.`,
    ];
  });
}
