import type { Dataset } from "../../data/dataset/dataset.ts";
import { type Studies, studiesOf } from "../../data/dataset/joinStudies.ts";
import { fitZScore, noScaling, type Scaling } from "../../data/encoding/scaling.ts";
import { RegressionMetrics, type RegressionResult } from "../../metrics/metrics.ts";
import type { DistanceForm, MetricForm } from "../../models/pairwiseDistances.ts";
import type { EncoderType } from "../../models/sequenceEncoder.ts";
import * as torch from "../../torch/index.ts";
import { jointObjective, lossVariance } from "./jointObjective.ts";
import { chooseJudged, judgedOf } from "./judgedSamples.ts";
import { baseValueLoss, unifracLoss } from "./losses.ts";
import type { BaseObjective } from "./objective.ts";
import { evaluatePairs, type PairEvaluation } from "./pairEvaluation.ts";

/** The kind of encoder that metrics need: Faith's PD beside distances is read from what these compare. */
export function encoderTypeOf(metrics: readonly string[]): EncoderType {
  return metrics.every((metric) => metric === "faith_pd") ? "faith_pd" : "unifrac";
}

export interface ObjectiveOptions {
  readonly form: DistanceForm;
  /** Of a value per sample, see `fitBaseScaling`. */
  readonly scaling: Scaling | null;
  /** Of the studies that a data set was joined from. */
  readonly forms?: readonly DistanceForm[];
  /** Of an encoder of several metrics: those that are learned or judged. */
  readonly metrics?: readonly MetricForm[];
  /** The samples that several metrics are weighed by; where nothing is trained, none. */
  readonly train?: Int32Array;
}

/** The objective of a metric, or of several together. */
export function makeBaseObjective(
  dataset: Dataset,
  metric: string,
  options: ObjectiveOptions,
): BaseObjective {
  const studies = studiesOf(dataset);
  const { forms = [], metrics = [], train } = options;
  if (metrics.length > 0)
    return jointObjective(
      metrics.map((one) =>
        one.form
          ? distanceObjective(dataset, one.metric, one.form)
          : valueObjective(dataset, one.metric, options.scaling ?? noScaling),
      ),
      metrics.map((one) => (train ? lossVariance(dataset, one.metric, train) : 1)),
    );
  // Several forms without several studies: the data are one study's, whose form is given.
  if (studies && forms.length === studies.names.length)
    return objectiveOfStudies(dataset, metric, studies, forms);
  return metric === "faith_pd"
    ? valueObjective(dataset, metric, options.scaling ?? noScaling)
    : distanceObjective(dataset, metric, options.form);
}

/**
 * Mean and deviation of a value per sample over the training samples; null for distances, which need none.
 */
export function fitBaseScaling(
  dataset: Dataset,
  metrics: readonly string[],
  train: Int32Array,
): Scaling | null {
  if (!metrics.includes("faith_pd")) return null;
  const values = dataset.vector("faith_pd");
  return fitZScore(Array.from(train, (sample) => values[sample])) ?? noScaling;
}

const fewSamples = 32;

/**
 * Whether all known distances (or values) of some samples are the same: then there is nothing to learn. Of
 * many samples some are asked.
 */
export function hasConstantDistances(dataset: Dataset, metric: string, samples: Int32Array): boolean {
  let first = Number.NaN;
  const differs = (value: number) => {
    if (Number.isNaN(first)) first = value;
    return !Number.isNaN(value) && value !== first;
  };
  if (metric === "faith_pd") {
    const values = dataset.vector(metric);
    return !samples.some((sample) => differs(values[sample]));
  }
  const distances = dataset.distance(metric);
  // Nearly always the first few tell.
  return [samples.subarray(0, fewSamples), judgedOf(samples)].every(
    (some) => !distances.block(some).some((value, k) => k % some.length > k / some.length && differs(value)),
  );
}

function distanceObjective(dataset: Dataset, metric: string, form: DistanceForm): BaseObjective {
  const distances = dataset.distance(metric);
  return {
    metric,
    encoderType: "unifrac",
    needs: { distance: metric },
    output: (encoding) => encoding.embeddings!,
    loss: (encoding, targets) =>
      unifracLoss(encoding.embeddings!, targets.distances!, { form, known: targets.distanceMask }),
    evaluate: (outputs, samples) => evaluatePairs(outputs, (some) => distances.block(some), samples, form),
  };
}

/** Every study has its own form; batches hold samples of one study. */
function objectiveOfStudies(
  dataset: Dataset,
  metric: string,
  { names, of }: Studies,
  forms: readonly DistanceForm[],
): BaseObjective {
  const objectives = forms.map((form) => distanceObjective(dataset, metric, form));
  return {
    ...objectives[0],
    loss: (encoding, targets) => objectives[of[targets.samples[0]]].loss(encoding, targets),
    evaluate: (outputs, samples) => {
      const parts = objectives.flatMap((objective, study) => {
        const rows = Int32Array.from(samples.keys()).filter((row) => of[samples[row]] === study);
        if (rows.length < 2) return [];
        using own = outputs.indexSelect(0, torch.tensor(rows, { dtype: "int64" }));
        return [
          {
            name: names[study],
            ...objective.evaluate(
              own,
              rows.map((row) => samples[row]),
            ),
          },
        ];
      });
      return meanOverStudies(parts);
    },
  };
}

/** Studies count alike, however many samples each has. */
function meanOverStudies(parts: readonly (PairEvaluation & { readonly name: string })[]): PairEvaluation {
  const mean = (of: (result: RegressionResult) => number) =>
    parts.reduce((sum, { result }) => sum + of(result), 0) / Math.max(parts.length, 1);
  const mse = mean((result) => result.mse);
  return {
    result: {
      n: parts.reduce((sum, { result }) => sum + result.n, 0),
      mae: mean((result) => result.mae),
      mse,
      rmse: Math.sqrt(mse),
      r2: mean((result) => result.r2),
      pearson: mean((result) => result.pearson),
      bias: mean((result) => result.bias),
      fit: { slope: mean(({ fit }) => fit.slope), intercept: mean(({ fit }) => fit.intercept) },
    },
    predicted: Float32Array.from(parts.flatMap(({ predicted }) => [...predicted])),
    actual: Float32Array.from(parts.flatMap(({ actual }) => [...actual])),
    studies: Object.fromEntries(parts.map(({ name, result }) => [name, result])),
  };
}

function valueObjective(dataset: Dataset, metric: string, { shift, scale }: Scaling): BaseObjective {
  const values = dataset.vector(metric);
  return {
    metric,
    encoderType: "faith_pd",
    needs: { vector: metric },
    output: (encoding) => encoding.basePrediction!,
    loss: (encoding, targets) =>
      baseValueLoss(encoding.basePrediction!, targets.vector!.sub(shift).div(scale), targets.vectorMask),
    evaluate: (outputs, samples) => {
      const given = outputs.toFloat32Array();
      const judged = chooseJudged(samples.length) ?? samples.keys();
      const known = Array.from(judged).filter((i) => !Number.isNaN(values[samples[i]]));
      const predicted = Float32Array.from(known, (i) => given[i] * scale + shift);
      const actual = Float32Array.from(known, (i) => values[samples[i]]);
      const metrics = new RegressionMetrics();
      metrics.update(predicted, actual);
      const result = metrics.result();
      return { result, predicted, actual, loss: result.mse / scale ** 2 };
    },
  };
}
