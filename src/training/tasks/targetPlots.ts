import { join } from "node:path";
import type { Dataset } from "../../data/dataset/dataset.ts";
import {
  confusionPlot,
  type Plot,
  predictionScatter,
  residualPlot,
  savePlot,
} from "../../display/plots/index.ts";
import type { ColumnPrediction, ColumnQuality } from "../targets/predictions.ts";
import type { Targets } from "../targets/targets.ts";

export interface TargetPlotInput {
  readonly dataset: Dataset;
  readonly samples: Int32Array;
  readonly predictions: readonly ColumnPrediction[];
  readonly qualities: readonly ColumnQuality[];
  readonly targets: Targets;
}

/** The plots of predictions on labelled samples: scatter and residuals of numbers, confusion of classes. */
export async function targetPlots(input: TargetPlotInput): Promise<{ name: string; plot: Plot }[]> {
  const { dataset, samples, predictions, qualities, targets } = input;
  const plots: { name: string; plot: Plot }[] = [];
  const single = predictions.length === 1;
  for (const [k, prediction] of predictions.entries()) {
    const quality = qualities[k];
    const name = single ? "" : `_${prediction.column.replace(/[^\w.-]/g, "_")}`;
    if (prediction.kind === "classes") {
      if (quality.kind !== "classes" || quality.n === 0) continue;
      plots.push({
        name: `prediction_plot_best${name}`,
        plot: await confusionPlot(`Predicted ${prediction.column}`, quality),
      });
      continue;
    }
    const values = targets.actual(dataset)[k];
    const known = Array.from(samples.keys()).filter((i) => !Number.isNaN(values[samples[i]]));
    if (known.length === 0) continue;
    const pick = (from: Float64Array) => Float64Array.from(known, (i) => from[i]);
    const actual = Float64Array.from(known, (i) => values[samples[i]]);
    const predicted = pick(prediction.predicted);
    const labels = known.map((i) => dataset.sampleIds[samples[i]]);
    const { column, quantiles } = prediction;
    const wide = quantiles && quantiles.length > 1;
    const scatter = await predictionScatter({
      title: `Predicted ${column} of validation samples`,
      quantity: column,
      actual,
      predicted,
      labels,
      ...(wide && {
        lower: pick(quantiles[0].values),
        upper: pick(quantiles[quantiles.length - 1].values),
        interval: `quantiles ${quantiles[0].level} to ${quantiles[quantiles.length - 1].level}`,
      }),
      pointName: "samples",
    });
    plots.push({ name: `prediction_plot_best${name}`, plot: scatter });
    const residuals = await residualPlot({
      title: `Residuals of ${column}`,
      quantity: column,
      actual,
      predicted,
      labels,
    });
    plots.push({ name: `residual_plot_best${name}`, plot: residuals });
  }
  return plots;
}

/** Draws and writes them as SVG and PNG. */
export async function plotPredictions(folder: string, input: TargetPlotInput): Promise<void> {
  for (const { name, plot } of await targetPlots(input)) await savePlot(plot, join(folder, name));
}
