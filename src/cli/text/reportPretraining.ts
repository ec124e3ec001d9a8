import { resolve } from "node:path";
import { figureText } from "../../display/numberText.ts";
import { baselineTexts } from "../../training/baselines/treeFree/treeFreeBaselines.ts";
import type { PretrainConfig } from "../../training/config/config.ts";
import { chooseJudged, judgedName } from "../../training/objectives/judgedSamples.ts";
import { isMainRank } from "../../training/ranks/share.ts";
import type { RunSummary } from "../../training/tasks/pretrain.ts";
import type { TrainingSetup } from "../options/setUpTraining.ts";

/** Says what a pretraining came to: a few lines, or one JSON object. */
export function reportPretraining(
  summary: RunSummary,
  { config, display, output, plots }: TrainingSetup<PretrainConfig>,
): void {
  // The others would say the same.
  if (!isMainRank()) return;
  if (display.mode === "json") {
    display.record("summary", { ...summary });
    return;
  }
  const isValue = config.unifracMetric === "faith_pd";
  const nucleotides = summary["val.nuc_accuracy"];
  const { validation } = summary.samples;
  const figure = (name: string) => figureText(summary[`val.unifrac_${judgedName(name, validation)}`]);
  const judged = chooseJudged(validation);
  const whose = judged === null ? `${validation}` : `${judged.length} of ${validation}`;
  console.log(
    [
      ...(summary.metrics
        ? [`${whose} validation samples, distances of all pairs:`]
        : [
            `${isValue ? "Faith's PD" : "UniFrac"} of ${whose} validation samples${isValue ? "" : ", all pairs"}: ` +
              `R² ${figure("r2")}, MAE ${figure("mae")}, Pearson ${figure("pearson")}`,
            ...baselineTexts(summary.baselines).map((text) => `  without tree or training, ${text}`),
          ]),
      ...Object.entries(summary.metrics ?? summary.studies ?? {}).flatMap(
        ([name, { r2, mae, pearson, baselines }]) => [
          `  ${name}: R² ${figureText(r2)}, MAE ${figureText(mae)}, Pearson ${figureText(pearson)}`,
          ...baselineTexts(baselines).map((text) => `    without tree or training, ${text}`),
        ],
      ),
      ...(nucleotides === null
        ? []
        : [`Hidden nucleotides predicted rightly: ${(100 * nucleotides).toFixed(1)} %`]),
      `${summary.steps} steps, ${summary["train.samples_per_second"].toFixed(1)} samples/s${summary.mixtures ? " (mixtures included)" : ""}, ended by ${summary.stopped_by}`,
      `The run is in ${resolve(output)}: summary.json, ${plots ? "plots/unifrac_plot_best.png, " : ""}checkpoints/best.safetensors`,
    ].join("\n"),
  );
}
