import type { LayoutCategory } from "../../formats/tensorboard/eventMessages.ts";

/** Losses of an epoch under the names that `train/` and `val/` tags carry. */
export type LossName =
  | "total_loss"
  | "target_loss"
  | "count_loss"
  | "unifrac_loss"
  | "nuc_loss"
  | "nuc_accuracy";

export type Phase = "train" | "val";

/** Name of each loss's overlay: `TotalLoss/train` and `TotalLoss/val` stand in one chart. */
const overlayNames: Readonly<Record<LossName, string>> = {
  total_loss: "TotalLoss",
  target_loss: "TargetLoss",
  count_loss: "CountLoss",
  unifrac_loss: "UniFracLoss",
  nuc_loss: "NucLoss",
  nuc_accuracy: "NucAccuracy",
};

/** Tags that are not built from a loss's name; the same as the original AAM's. */
export const tags = {
  learningRate: "train/learning_rate",
  categoricalLearningRate: "train/categorical_learning_rate",
  gradientNorm: "train/grad_norm",
  bestModelSaved: "checkpoint/best_model_saved",
  epochSeconds: "perf/epoch_duration_sec",
  samplesPerSecond: "perf/samples_per_sec",
  gpuMemory: "perf/gpu_memory_allocated_mb",
  totalParameters: "model/total_params",
  trainableParameters: "model/trainable_params",
  frozenParameters: "model/frozen_params",
  predictionPlot: "validation/prediction_plot",
  uniFracPlot: "validation/unifrac_plot",
  countPlot: "validation/count_plot",
  configuration: "config",
  gmuGateMean: "gmu/gate_mean",
  gmuGateNorm: "gmu/gate_norm",
  gmuCategoryTransformNorm: "gmu/cat_transform_norm",
  crossAttentionWeightMean: "cross_attn/weight_mean",
  crossAttentionEntropy: "cross_attn/entropy",
  categoryEmbeddingNorm: "categorical/total_embed_norm",
  categoryProjectionNorm: "categorical/projection_norm",
} as const;

/** Tags of one parameter, named as in the model's state. */
export function weightTag(parameter: string): string {
  return `weights/${parameter}`;
}
export function gradientTag(parameter: string): string {
  return `gradients/${parameter}`;
}
/**
 * One group on TensorBoard's page; the original AAM's names, which it never writes, would each
 * be a group of their own.
 */
export function gradientNormTag(parameter: string): string {
  return `grad_norm/${parameter}`;
}

/** Tags of one categorical column. */
export function columnEmbeddingNormTag(column: string): string {
  return `categorical/${column}_embed_norm`;
}
export function conditionalScalingTag(
  column: string,
  part: "scale" | "bias",
  statistic: "mean" | "std",
): string {
  return `conditional_scaling/${column}_${part}_${statistic}`;
}

/**
 * The scalars of one phase of one epoch: every value as `train/NAME` or `val/NAME`, and the losses once more
 * as `Overlay/train` or `Overlay/val`. `values` may hold metrics besides losses (`mae`, `r2`, `f1`, ...).
 */
export function epochScalars(phase: Phase, values: Readonly<Record<string, number>>): Record<string, number> {
  const scalars: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    scalars[`${phase}/${name}`] = value;
    if (Object.hasOwn(overlayNames, name)) scalars[`${overlayNames[name as LossName]}/${phase}`] = value;
  }
  return scalars;
}

const fusionTags: Readonly<Record<string, string>> = {
  gmu_gate_mean: tags.gmuGateMean,
  cross_attn_weight_mean: tags.crossAttentionWeightMean,
  cross_attn_entropy: tags.crossAttentionEntropy,
};

/** How categories took part in an epoch's predictions, once more under tags of their own. */
export function fusionScalars(train: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(fusionTags).flatMap(([name, tag]) => (name in train ? [[tag, train[name]]] : [])),
  );
}

/** The "Custom scalars" page: each loss with training and validation in one chart. */
export function overlayLayout(losses: readonly LossName[]): LayoutCategory[] {
  const chart = (loss: LossName) => {
    const title = overlayNames[loss];
    return { title, tags: [`${title}/train`, `${title}/val`] };
  };
  const nucleotide = losses.filter((loss) => loss === "nuc_loss" || loss === "nuc_accuracy");
  const others = losses.filter((loss) => loss !== "nuc_loss" && loss !== "nuc_accuracy");
  return [
    { title: "Losses", charts: others.map(chart) },
    { title: "Nucleotide", charts: nucleotide.map(chart) },
  ].filter((category) => category.charts.length > 0);
}

/** A configuration as a Markdown table, nested keys joined by dots, for TensorBoard's "Text" page. */
export function configurationMarkdown(configuration: Readonly<Record<string, unknown>>): string {
  const rows: string[] = ["| option | value |", "| --- | --- |"];
  const cell = (text: string) =>
    text.replace(/[&<>|`*_\\[\]]/g, (character) => `&#${character.charCodeAt(0)};`).replace(/\s+/g, " ");
  const add = (key: string, value: unknown): void => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      for (const [name, inner] of Object.entries(value)) add(key === "" ? name : `${key}.${name}`, inner);
    } else {
      const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
      rows.push(`| ${cell(key)} | ${cell(text)} |`);
    }
  };
  add("", configuration);
  return rows.join("\n");
}
