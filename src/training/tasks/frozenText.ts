import { chosenTargetPooling } from "../config/buildModel.ts";
import type { FineTuneConfig } from "../config/config.ts";

const parts = {
  codes: "codes",
  attention: "ASVs pooled by attention",
  sum: "the sum of the ASVs' effects",
  blocks: "blocks (an effect of each ASV, beside codes and sums)",
};

/**
 * What is learned on a frozen encoder and how, in a sentence: much of it was not asked for by name.
 * @param config with the shape of the pretrained encoder.
 * @example
 * frozenText(config, false);
 * // Frozen encoder: predicts from blocks (an effect of each ASV, beside codes and sums), by sgd with --lr 1
 * // for 40 epochs, the last one kept, with --target-transform auto and --huber-delta 0.25;
 * // --target-pooling, --epochs and --best-metric, say, change this.
 */
export function frozenText(config: FineTuneConfig, isClassifier: boolean): string {
  const { model, target, categorical, training, bestMetric } = config;
  const from = parts[chosenTargetPooling(model, target, categorical)];
  const epochs = `${bestMetric === "last" ? "" : "at most "}${training.epochs} epoch${training.epochs === 1 ? "" : "s"}`;
  const kept = bestMetric === "last" ? "the last one kept" : `the best by ${bestMetric} kept`;
  const loss =
    target.lossType === "huber" ? `--huber-delta ${target.huberDelta}` : `--loss-type ${target.lossType}`;
  const numbers = isClassifier ? "" : `, with --target-transform ${target.transform} and ${loss}`;
  const how = `by ${training.optimizer} with --lr ${training.lr} for ${epochs}, ${kept}`;
  return `Frozen encoder: predicts from ${from}, ${how}${numbers}; --target-pooling, --epochs and --best-metric, say, change this.`;
}
