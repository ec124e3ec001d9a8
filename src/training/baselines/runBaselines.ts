import type { ReportProgress } from "../../common/progress.ts";
import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { distancesAmong } from "../../data/dataset/pairDistances.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { encodeClasses } from "../../data/encoding/classLabels.ts";
import type { ColumnPrediction, ColumnQuality } from "../targets/predictions.ts";
import { judgePredictions } from "../targets/predictions.ts";
import type { Targets } from "../targets/targets.ts";
import { NearestNeighbours } from "./nearestNeighbours.ts";
import { type ForestOptions, RandomForest, type SparseRows } from "./randomForest.ts";

export interface BaselineOptions {
  readonly targets: Targets;
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly seed: number;
  readonly forest?: Omit<ForestOptions, "random" | "onProgress">;
  readonly onProgress?: ReportProgress;
  /** Pairwise distances for the nearest neighbours; null leaves them out. */
  readonly metric: string | null;
  /** The column whose groups were held out whole; null if none was. */
  readonly splitBy: string | null;
}

export interface Baseline {
  readonly name: string;
  readonly note: string;
  readonly predictions: ColumnPrediction[];
  readonly qualities: ColumnQuality[];
}

/** The ASVs of samples as features: counts as shares of the sample. */
export function relativeCounts(dataset: Dataset, samples: Int32Array): SparseRows {
  return {
    features: dataset.asvCount,
    rows: Array.from(samples, (sample) => {
      const { asvs, counts } = dataset.sample(sample);
      const total = counts.reduce((sum, count) => sum + count, 0);
      return { index: asvs, value: Float64Array.from(counts, (count) => count / total) };
    }),
  };
}

/**
 * A random forest on the table (for numbers also the median of its trees), nearest neighbours by true
 * distances, and the median (or commonest class), on one split.
 */
export function runBaselines(dataset: Dataset, options: BaselineOptions): Baseline[] {
  const { metric } = options;
  const baselines = forestBaselines(dataset, options);
  if (metric !== null && dataset.manifest.distances.includes(metric)) {
    baselines.push(neighbourBaseline(dataset, metric, options));
  }
  baselines.push(constantBaseline(dataset, options));
  return baselines;
}

type Known =
  | { readonly kind: "numbers"; readonly values: Float64Array; readonly train: Int32Array }
  | {
      readonly kind: "classes";
      readonly values: Int32Array;
      readonly train: Int32Array;
      readonly classes: number;
    };

/** The targets one by one, each with the training samples whose value is known. */
function knownTargets(dataset: Dataset, { targets, train }: BaselineOptions): Known[] {
  if (targets.classes) {
    const values = targets.classNumbers(dataset);
    return [
      {
        kind: "classes",
        values,
        classes: targets.classes.length,
        train: train.filter((i) => values[i] >= 0),
      },
    ];
  }
  return targets
    .actual(dataset)
    .map((values) => ({ kind: "numbers", values, train: train.filter((i) => !Number.isNaN(values[i])) }));
}

function finish(
  dataset: Dataset,
  { targets, validation }: BaselineOptions,
  name: string,
  note: string,
  outputs: readonly Float64Array[],
): Baseline {
  const predictions = outputs.map((output, k): ColumnPrediction => {
    const column = targets.columns[k];
    const { classes } = targets;
    if (!classes) return { kind: "numbers", column, predicted: output, quantiles: null };
    const predicted = Int32Array.from(validation, (_, i) => {
      const own = output.subarray(i * classes.length, (i + 1) * classes.length);
      return own.indexOf(Math.max(...own));
    });
    return { kind: "classes", column, classes, predicted, probabilities: output };
  });
  return { name, note, predictions, qualities: judgePredictions(targets, dataset, validation, predictions) };
}

function forestBaselines(dataset: Dataset, options: BaselineOptions): Baseline[] {
  const { forest = {}, seed, validation, onProgress } = options;
  const { trees = 500, maxFeatures = "sqrt" } = forest;
  const unseen = relativeCounts(dataset, validation);
  const forests = knownTargets(dataset, options).map((known, k) => {
    const own = known.train;
    const y =
      known.kind === "numbers"
        ? { kind: known.kind, values: own.length ? Float64Array.from(own, (i) => known.values[i]) : [] }
        : { kind: known.kind, values: own.map((i) => known.values[i]), classes: known.classes };
    const random = new Random(seed).derive("forest", k);
    return new RandomForest(relativeCounts(dataset, own), y, { ...forest, random, onProgress });
  });
  const told = (name: string, note: string, read: (grown: RandomForest) => Float64Array) =>
    finish(dataset, options, name, note, forests.map(read));
  const note = `${trees} trees on relative counts, ${maxFeatures} of the ASVs for each split`;
  const mean = told("Random forest", note, (grown) => grown.predict(unseen));
  if (options.targets.classes) return [mean];
  const middle = "the same trees; the mean of the middle fifth of what they say, nearly their median";
  return [mean, told("Median forest", middle, (grown) => grown.predictMiddle(unseen))];
}

function neighbourBaseline(dataset: Dataset, metric: string, options: BaselineOptions): Baseline {
  const { splitBy, train, validation } = options;
  const distance = distancesAmong(dataset.distance(metric), Int32Array.from([...train, ...validation]));
  const groups = splitBy === null ? undefined : textValues(dataset.column(splitBy)).values;
  const names = groups && [...new Set(groups.filter((group) => group !== null))];
  const groupOf = groups && names && encodeClasses(groups, names);
  const chosen: number[] = [];
  const outputs = knownTargets(dataset, options).map((known) => {
    const target =
      known.kind === "numbers"
        ? { kind: known.kind, values: known.values }
        : { kind: known.kind, values: known.values, classes: known.classes };
    const neighbours = new NearestNeighbours({
      distance,
      train: known.train,
      target,
      groupOf,
      onProgress: options.onProgress,
    });
    chosen.push(neighbours.k);
    return neighbours.predict(validation);
  });
  const note = `the ${new Set(chosen).size === 1 ? chosen[0] : chosen.join(", ")} nearest training samples by true ${metric.replaceAll("_", " ")} UniFrac; the number chosen on the training samples`;
  return finish(dataset, options, "Nearest neighbours", note, outputs);
}

function constantBaseline(dataset: Dataset, options: BaselineOptions): Baseline {
  const { validation } = options;
  const outputs = knownTargets(dataset, options).map((known) => {
    if (known.kind === "numbers") {
      const sorted = Float64Array.from(known.train, (i) => known.values[i]).sort();
      const middle = sorted.length >> 1;
      const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
      return new Float64Array(validation.length).fill(median);
    }
    const shares = new Float64Array(known.classes);
    for (const i of known.train) shares[known.values[i]] += 1 / known.train.length;
    return Float64Array.from(
      { length: validation.length * known.classes },
      (_, i) => shares[i % known.classes],
    );
  });
  const name = options.targets.classes ? "Commonest class" : "Median";
  return finish(dataset, options, name, "the same for every sample, from the training samples", outputs);
}
