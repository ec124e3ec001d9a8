import { resolve } from "node:path";
import { figureText } from "../../display/numberText.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import { notBetterThanBaselines, quickBaselines } from "../../training/baselines/quickBaselines.ts";
import type { FineTuneConfig } from "../../training/config/config.ts";
import type { Figures } from "../../training/loop/trainer.ts";
import { isMainRank } from "../../training/ranks/share.ts";
import { RunFolder } from "../../training/run/folder.ts";
import type { FineTuneSummary } from "../../training/tasks/fineTune.ts";
import type { TrainingSetup } from "../options/setUpTraining.ts";

const shownFigures = {
  numbers: { mae: "MAE", rmse: "RMSE", r2: "R²", pearson: "Pearson", coverage: "coverage" },
  classes: { accuracy: "accuracy", f1: "F1", macro_f1: "macro F1", auc: "AUC" },
} as const;

/** Says what a fine-tuning came to, beside baselines: a few lines, or one JSON object. */
export function reportFineTuning(
  summary: FineTuneSummary,
  { display, output }: TrainingSetup<FineTuneConfig>,
): void {
  // The other ranks would say the same.
  if (!isMainRank()) return;
  const { validation, targets, kind, samples, stopped_by: end } = summary;
  const folder = new RunFolder(output);
  const onProgress = display.mode === "json" ? undefined : stageReporter(display);
  const baselines = end === "interrupted" ? [] : quickBaselines(folder, samples.train, onProgress);
  display.end();
  for (const warning of notBetterThanBaselines(validation, baselines, targets)) display.warn(warning);
  if (display.mode === "json") {
    display.record("summary", { ...summary, baselines });
    return;
  }
  const line = (figures: Figures, suffix: string) =>
    Object.entries(shownFigures[kind])
      .filter(([key]) => Number.isFinite(figures[`${key}${suffix}`]))
      .map(([key, name]) => `${name} ${figureText(figures[`${key}${suffix}`])}`)
      .join(", ");
  console.log(
    [
      `${samples.validation} validation samples (${summary.split}), best epoch ${summary.best_epoch ?? "none"}:`,
      ...targets.flatMap((column) => {
        const suffix = targets.length > 1 ? `.${column}` : "";
        return [
          `  ${column}: ${line(validation, suffix)}`,
          ...baselines.map(({ name, note, figures }) => `    ${name} (${note}): ${line(figures, suffix)}`),
        ];
      }),
      ...(baselines.length === 0 ? ["  report compares it with baselines on the same samples"] : []),
      `${summary.steps} steps, ${summary["train.samples_per_second"].toFixed(1)} samples/s, ended by ${end}`,
      `The run is in ${resolve(output)}`,
    ].join("\n"),
  );
}
