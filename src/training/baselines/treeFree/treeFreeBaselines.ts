import { Random } from "../../../common/random/random.ts";
import type { Dataset } from "../../../data/dataset/dataset.ts";
import { dependsOnCounts } from "../../../data/unifrac/metrics.ts";
import { figureText } from "../../../display/numberText.ts";
import { RegressionMetrics, type RegressionResult } from "../../../metrics/metrics.ts";
import type * as torch from "../../../torch/index.ts";
import { fitCubic } from "../../objectives/polynomial.ts";
import type { SparseRows } from "../randomForest.ts";
import { relativeCounts } from "../runBaselines.ts";
import { brayCurtisDistances, jaccardDistances } from "./sampleDistances.ts";
import { wordShares } from "./wordShares.ts";

export interface TreeFreeOptions {
  /** What an encoder is trained on: `unweighted`, ..., `faith_pd`. */
  readonly metric: string;
  /** Samples whose true distances calibrate. */
  readonly train: Int32Array;
  /** Samples whose distances are judged. */
  readonly validation: Int32Array;
  /** Decides which samples are taken where there are too many. */
  readonly seed: number;
}

/**
 * What `summary.json` says of them, for each kind that the metric asks for: `jaccard_asv_r2` and
 * `jaccard_asv_mae`, `jaccard_kmer_r2` and `jaccard_kmer_mae`, and the length of the words that was taken,
 * `jaccard_kmer`. R² is null where the true values do not vary, the mean absolute error where none is known.
 * `judged_samples` is there where some of the samples only were compared.
 */
export type BaselineFigures = Record<string, number | null>;

/** A baseline as people read it. */
export interface NamedBaseline {
  /** `Jaccard distance of 6-mers`, with the number of samples where some only were compared. */
  readonly name: string;
  readonly r2: number | null;
  readonly mae: number | null;
}

/** Lengths of words that are tried; the one that fits the training pairs best is judged. */
const wordLengths = [6, 8, 10];
/** Columns for words: sets are products of matrices, shares must be compared one by one. */
const mostColumns = { sets: 65_536, shares: 8192 };
/** Samples that are compared at the most, all with all. */
const mostJudged = 2000;
const mostCalibrating = { sets: 500, shares: 300 };

/** A way to compare samples, of their ASVs or of their words. */
interface Comparison {
  readonly key: string;
  readonly kind: "sets" | "shares";
  /** What is compared: numbers [n, n] of pairs or [n] of samples. */
  readonly of: (samples: SparseRows) => torch.Tensor | Float64Array;
}

const jaccard: Comparison = { key: "jaccard", kind: "sets", of: jaccardDistances };
const brayCurtis: Comparison = { key: "bray_curtis", kind: "shares", of: brayCurtisDistances };
const count: Comparison = {
  key: "count",
  kind: "sets",
  of: ({ rows }) => Float64Array.from(rows, ({ index }) => index.length),
};
const names: Readonly<Record<string, string>> = {
  jaccard: "Jaccard distance",
  bray_curtis: "Bray-Curtis distance",
  count: "number",
};

function comparisonsFor(metric: string): Comparison[] {
  if (metric === "faith_pd") return [count];
  if (metric === "generalized") return [jaccard, brayCurtis];
  return [dependsOnCounts(metric) ? brayCurtis : jaccard];
}

/**
 * How well samples' distances are predicted without a tree and without training: by the Jaccard distance of
 * their ASVs and of their sets of words (k-mers), of metrics that depend on counts by the Bray-Curtis
 * distance of shares, of Faith's PD by numbers of ASVs and of words. A cubic fitted to pairs of training
 * samples makes each comparable with the metric. A model that is not better than these has learned nothing of
 * the tree that anyone would need.
 */
export function treeFreeBaselines(dataset: Dataset, options: TreeFreeOptions): BaselineFigures {
  const { metric, seed } = options;
  const random = new Random(seed).derive("baselines");
  const validation = some(options.validation, mostJudged, random);
  const truth = knownValues(dataset, metric, validation);
  const figures: BaselineFigures = {};
  for (const { key, kind, of } of comparisonsFor(metric)) {
    const train = some(options.train, mostCalibrating[kind], random);
    const known = knownValues(dataset, metric, train);
    const calibrate = (features: (samples: Int32Array) => SparseRows) => {
      const given = known.pick(of(features(train)));
      const calibration = fitCubic(given, known.values);
      return { calibration, error: judge(calibration(given), known.values).mse, features };
    };
    const note = (name: string, { calibration, features }: ReturnType<typeof calibrate>) => {
      const { n, r2, mae } = judge(calibration(truth.pick(of(features(validation)))), truth.values);
      figures[`${name}_r2`] = truth.values.some((value) => value !== truth.values[0]) ? r2 : null;
      figures[`${name}_mae`] = n === 0 ? null : mae;
    };
    note(
      `${key}_asv`,
      calibrate((samples) => relativeCounts(dataset, samples)),
    );
    const [best] = wordLengths
      .map((word) => ({
        word,
        ...calibrate((samples) => wordShares(dataset, samples, word, mostColumns[kind])),
      }))
      .sort((a, b) => a.error - b.error);
    note(`${key}_kmer`, best);
    figures[`${key}_kmer`] = best.word;
  }
  if (validation.length < options.validation.length) figures["judged_samples"] = validation.length;
  return figures;
}

/** Baselines with names for people, from their figures. */
export function namedBaselines(figures: BaselineFigures): NamedBaseline[] {
  const judged = figures["judged_samples"];
  const suffix = judged === undefined ? "" : ` (of ${judged} samples)`;
  return Object.entries(names).flatMap(([key, name]) =>
    ["asv", "kmer"].flatMap((of) => {
      const r2 = figures[`${key}_${of}_r2`];
      if (r2 === undefined) return [];
      const what = of === "asv" ? "ASVs" : `${figures[`${key}_kmer`]}-mers`;
      return [{ name: `${name} of ${what}${suffix}`, r2, mae: figures[`${key}_${of}_mae`] }];
    }),
  );
}

/** The baseline with the highest R²; null where none has any. */
export function bestBaseline(figures: BaselineFigures): { name: string; r2: number } | null {
  let best: { name: string; r2: number } | null = null;
  for (const { name, r2 } of namedBaselines(figures))
    if (r2 !== null && !(best && best.r2 >= r2)) best = { name, r2 };
  return best;
}

/**
 * One sentence where a model's R² is not above its best baseline's; null where it is, or nothing can be said.
 */
export function notBetterThan(figures: BaselineFigures, modelR2: number): string | null {
  const best = bestBaseline(figures);
  if (best === null || modelR2 > best.r2) return null;
  return (
    `The model (R² ${modelR2.toFixed(3)}) is not better than what needs no training (${best.name}, R² ${best.r2.toFixed(3)}); ` +
    "train it longer or on more samples."
  );
}

/** `Jaccard distance of ASVs: R² 0.7800, MAE 0.0450`, one text for each baseline. */
export function baselineTexts(figures: BaselineFigures): string[] {
  return namedBaselines(figures).map(
    ({ name, r2, mae }) =>
      `${name}: R² ${r2 == null ? "not defined" : figureText(r2)}, MAE ${mae == null ? "not known" : figureText(mae)}`,
  );
}

function some(samples: Int32Array, most: number, random: Random): Int32Array {
  return samples.length <= most ? samples : random.shuffle(samples.slice()).subarray(0, most).sort();
}

/**
 * The true values of some samples, or of all their pairs, that are known; and how to
 * pick what belongs to them.
 */
function knownValues(dataset: Dataset, metric: string, samples: Int32Array) {
  const n = samples.length;
  const places: number[] = [];
  const values: number[] = [];
  const add = (place: number, value: number) => {
    if (Number.isNaN(value)) return;
    places.push(place);
    values.push(value);
  };
  if (metric === "faith_pd") {
    const all = dataset.vector(metric);
    samples.forEach((sample, i) => {
      add(i, all[sample]);
    });
  } else {
    const distances = dataset.distance(metric).block(samples);
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) add(i * n + j, distances[i * n + j]);
  }
  return {
    values: Float64Array.from(values),
    pick(given: torch.Tensor | Float64Array): Float64Array {
      const flat = given instanceof Float64Array ? given : given.toFloat32Array();
      return Float64Array.from(places, (place) => flat[place]);
    },
  };
}

function judge(predicted: Float64Array, actual: Float64Array): RegressionResult {
  const metrics = new RegressionMetrics();
  metrics.update(predicted, actual);
  return metrics.result();
}
