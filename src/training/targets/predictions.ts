import { quote, quoteSome } from "../../common/quote.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import {
  ClassificationMetrics,
  type ClassificationResult,
  RegressionMetrics,
  type RegressionResult,
  spearman,
} from "../../metrics/metrics.ts";
import * as torch from "../../torch/index.ts";
import type { Figures } from "../loop/trainer.ts";
import type { Targets } from "./targets.ts";

/** Predictions of one numeric column for some samples, in its own units. */
export interface NumberPrediction {
  readonly kind: "numbers";
  readonly column: string;
  /** The one value, or the middle quantile. */
  readonly predicted: Float64Array;
  /** By level, rising in every sample; null where one value is predicted. */
  readonly quantiles: { readonly level: number; readonly values: Float64Array }[] | null;
}

/** Predicted classes of one column for some samples. */
export interface ClassPrediction {
  readonly kind: "classes";
  readonly column: string;
  readonly classes: readonly string[];
  /** Number of the likeliest class. */
  readonly predicted: Int32Array;
  /** [N, C] */
  readonly probabilities: Float64Array;
}

export type ColumnPrediction = NumberPrediction | ClassPrediction;

/**
 * What the outputs of a model (several passes are averaged) mean: [N, K], [N, K, Q] or log-probabilities [N,
 * C] for `samples`. Quantiles that cross are put in order (Chernozhukov et al. 2010).
 */
export function readPredictions(
  targets: Targets,
  passes: readonly Float32Array[],
  samples: Int32Array,
  keys?: readonly (string | null)[],
): ColumnPrediction[] {
  const { classes, columns } = targets;
  const n = samples.length;
  if (classes) {
    const probabilities = new Float64Array(n * classes.length);
    for (const pass of passes) {
      for (let i = 0; i < pass.length; i++) probabilities[i] += Math.exp(pass[i]) / passes.length;
    }
    const predicted = Int32Array.from({ length: n }, (_, i) => {
      const own = probabilities.subarray(i * classes.length, (i + 1) * classes.length);
      return own.indexOf(Math.max(...own));
    });
    return [{ kind: "classes", column: columns[0], classes, predicted, probabilities }];
  }
  const levels = targets.quantiles;
  const width = levels?.length ?? 1;
  return columns.map((column, k) => {
    const parts = Array.from({ length: width }, (_, q) => {
      const sum = new Float64Array(n);
      for (const pass of passes) {
        const own = Float64Array.from({ length: n }, (_, i) => pass[(i * columns.length + k) * width + q]);
        targets.inverted(k, own, samples, keys).forEach((value, i) => {
          sum[i] += value / passes.length;
        });
      }
      return sum;
    });
    for (let i = 0; i < n && width > 1; i++) {
      const sorted = parts.map((part) => part[i]).sort((a, b) => a - b);
      parts.forEach((part, q) => {
        part[i] = sorted[q];
      });
    }
    return {
      kind: "numbers",
      column,
      predicted: parts[middleOf(levels)],
      quantiles: levels ? levels.map((level, q) => ({ level, values: parts[q] })) : null,
    };
  });
}

/**
 * The same of one pass, as a tensor [N, C] or [N, K] in float64 and with gradients: probabilities of classes,
 * or numbers in their own units, of quantiles the middle one.
 */
export function predictionTensor(
  targets: Targets,
  outputs: torch.Tensor,
  samples: ArrayLike<number>,
  keys: readonly (string | null)[] | undefined,
): torch.Tensor {
  if (targets.classes) return outputs.to("float64").exp();
  const levels = targets.quantiles;
  const middle = levels ? outputs.sort(-1)[0].select(-1, middleOf(levels)) : outputs;
  const columns = targets.columns.map((_, k) =>
    targets.invertedTensor(k, middle.select(1, k), samples, keys),
  );
  return torch.stack(columns, 1);
}

/** The level nearest to one half. */
function middleOf(levels: readonly number[] | null): number {
  if (!levels) return 0;
  let best = 0;
  levels.forEach((level, i) => {
    if (Math.abs(level - 0.5) < Math.abs(levels[best] - 0.5)) best = i;
  });
  return best;
}

/** How good the predictions of a column are, over the samples whose value is known. */
export type ColumnQuality =
  | (RegressionResult & {
      readonly kind: "numbers";
      readonly column: string;
      readonly spearman: number;
      /** Share of true values between the outer quantiles; undefined without quantiles. */
      readonly coverage?: number;
    })
  | (ClassificationResult & { readonly kind: "classes"; readonly column: string });

/** Judges predictions for `samples` of a data set that has their true values. */
export function judgePredictions(
  targets: Targets,
  dataset: Dataset,
  samples: Int32Array,
  predictions: readonly ColumnPrediction[],
): ColumnQuality[] {
  const classNumbers = targets.classes ? targets.classNumbers(dataset) : null;
  const actual = targets.classes ? [] : targets.actual(dataset);
  return predictions.map((prediction, k): ColumnQuality => {
    const { column } = prediction;
    if (prediction.kind === "classes") {
      const known = indicesWhere(samples, (sample) => classNumbers![sample] >= 0);
      const metrics = new ClassificationMetrics(prediction.classes);
      const width = prediction.classes.length;
      metrics.update(
        known.map((i) => prediction.predicted[i]),
        known.map((i) => classNumbers![samples[i]]),
        width === 2 ? known.map((i) => prediction.probabilities[2 * i + 1]) : undefined,
      );
      return { kind: "classes", column, ...metrics.result() };
    }
    const known = indicesWhere(samples, (sample) => !Number.isNaN(actual[k][sample]));
    const predicted = known.map((i) => prediction.predicted[i]);
    const truth = known.map((i) => actual[k][samples[i]]);
    const metrics = new RegressionMetrics();
    metrics.update(predicted, truth);
    const { quantiles } = prediction;
    const coverage =
      quantiles && quantiles.length > 1
        ? known.filter((i, at) => {
            const last = quantiles[quantiles.length - 1];
            return quantiles[0].values[i] <= truth[at] && truth[at] <= last.values[i];
          }).length / Math.max(known.length, 1)
        : undefined;
    const rank = known.length > 0 ? spearman(predicted, truth) : 0;
    return {
      kind: "numbers",
      column,
      ...metrics.result(),
      spearman: rank,
      ...(coverage !== undefined && { coverage }),
    };
  });
}

/**
 * A sentence where samples have classes that the model does not know, which its figures leave out; null
 * otherwise.
 */
export function unknownClassWarning(targets: Targets, dataset: Dataset, samples: Int32Array): string | null {
  if (targets.classes === null) return null;
  const [column] = targets.columns;
  const { values } = textValues(dataset.column(column));
  const numbers = targets.classNumbers(dataset);
  const unknown = samples.filter((sample) => numbers[sample] < 0 && values[sample] !== null);
  if (unknown.length === 0) return null;
  return (
    `${unknown.length} of the ${samples.length} samples have classes of ${quote(column)} that the model does not know ` +
    `(${quoteSome([...new Set(Array.from(unknown, (sample) => values[sample]!))])}; it knows ${quoteSome(targets.classes)}): the figures are those of the others.`
  );
}

function indicesWhere(samples: Int32Array, test: (sample: number) => boolean): number[] {
  return Array.from(samples.keys()).filter((i) => test(samples[i]));
}

/**
 * A sentence where samples of several classes were all given the same one, or are all of one class; null
 * otherwise. The accuracy, which can look good, then says nothing about telling classes apart.
 */
export function oneClassWarning(quality: ColumnQuality): string | null {
  if (quality.kind !== "classes") return null;
  const { classNames, confusion, column, n } = quality;
  const predicted = classNames.filter((_, p) => confusion.some((row) => row[p] > 0));
  const occurring = classNames.filter((_, a) => confusion[a].some((count) => count > 0));
  if (occurring.length === 1 && classNames.length > 1)
    return (
      `All ${n} validation samples have the class ${quote(occurring[0])} of ${quote(column)}, so their figures do not say whether the model ` +
      `tells classes apart; use a split with several (--stratify ${column}, or more groups in --split-by).`
    );
  if (predicted.length !== 1 || occurring.length < 2) return null;
  return (
    `All ${n} validation samples are predicted to be ${quote(predicted[0])} in ${quote(column)}: the model does not tell the classes ` +
    "apart, and its accuracy is this class's share. --class-weights auto may help."
  );
}

/**
 * The figures of all columns: the plain names hold the mean over columns, `mae.age` and so on those of each.
 */
export function figuresOf(qualities: readonly ColumnQuality[]): Figures {
  const figures: Figures = {};
  const add = (quality: ColumnQuality, own: Figures) => {
    for (const [name, value] of Object.entries(own)) {
      figures[name] = (figures[name] ?? 0) + value / qualities.length;
      if (qualities.length > 1) figures[`${name}.${quality.column}`] = value;
    }
  };
  for (const quality of qualities) {
    if (quality.kind === "classes") {
      const { accuracy, weighted, macro, auc } = quality;
      const { precision, recall, f1 } = weighted;
      add(quality, {
        accuracy,
        precision,
        recall,
        f1,
        macro_f1: macro.f1,
        ...(auc !== undefined && { auc }),
      });
    } else {
      const { mae, mse, rmse, r2, pearson, bias, coverage } = quality;
      add(quality, { mae, mse, rmse, r2, pearson, bias, ...(coverage !== undefined && { coverage }) });
    }
  }
  return figures;
}
