import type { ReportProgress } from "../../common/progress.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { OpenedRun } from "../run/open.ts";
import { type ColumnPrediction, readPredictions } from "../targets/predictions.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";
import { refuseNonFiniteOutputs } from "./finiteOutputs.ts";
import { predictOutputs } from "./predictOutputs.ts";

export interface PredictSamplesOptions {
  readonly device: torch.Device;
  readonly categories: SampleCategories | null;
  /** Which ASVs stay above the token limit; default as in training. */
  readonly asvSampling?: "first" | "abundance" | "random";
  /** Predictions are means over so many random choices of ASVs. Default 1. */
  readonly passes?: number;
  readonly onProgress?: ReportProgress;
}

export interface SamplePredictions {
  readonly predictions: ColumnPrediction[];
  /** Standard deviation over passes, by column; null for classes and for one pass. */
  readonly deviations: (Float64Array | null)[];
}

/** What a run predicts targets by. @throws UserError for a run without targets. */
export function predictorOf({ predictor, targets, checkpoint }: OpenedRun): {
  readonly predictor: NonNullable<OpenedRun["predictor"]>;
  readonly targets: NonNullable<OpenedRun["targets"]>;
} {
  if (predictor && targets) return { predictor, targets };
  throw new UserError(
    `${checkpoint} is an encoder without targets; train one with \`train --pretrained-encoder\`, or use \`embed\`.`,
  );
}

/** Predicts the targets of samples in their own units. @throws UserError for a run without targets. */
export function predictSamples(
  run: OpenedRun,
  dataset: Dataset,
  samples: Int32Array,
  options: PredictSamplesOptions,
): SamplePredictions {
  const { facts } = run;
  const { predictor, targets } = predictorOf(run);
  const { passes = 1, categories, device, onProgress } = options;
  const batch = batchOptionsOf(facts.config.model);
  const asvSampling = options.asvSampling ?? batch.asvSampling;
  if (passes > 1 && asvSampling !== "random") {
    throw new UserError(
      "--prediction-passes needs --asv-sampling random: otherwise all passes are the same.",
    );
  }
  using _scope = torch.scope();
  const outputs = Array.from({ length: passes }, (_, seed) =>
    predictOutputs(predictor, dataset, samples, {
      device,
      batch: { ...batch, asvSampling },
      categories,
      seed,
      onProgress,
    }).target.toFloat32Array(),
  );
  const keys = targets.keys(dataset);
  const predictions = readPredictions(targets, outputs, samples, keys);
  const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
  for (const prediction of predictions) {
    const values = prediction.kind === "classes" ? prediction.probabilities : prediction.predicted;
    const what = `predictions of ${quote(prediction.column)}`;
    refuseNonFiniteOutputs(values, ids, { checkpoint: run.checkpoint, what });
  }
  const each = passes > 1 ? outputs.map((one) => readPredictions(targets, [one], samples, keys)) : [];
  const deviations = predictions.map((prediction, k) => {
    if (prediction.kind === "classes" || passes === 1) return null;
    return prediction.predicted.map((mean, i) => {
      const squares = each.map((one) => ((one[k].predicted[i] as number) - mean) ** 2);
      return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / passes);
    });
  });
  return { predictions, deviations };
}
