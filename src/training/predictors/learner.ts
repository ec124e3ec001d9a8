import type { Random } from "../../common/random/random.ts";
import type { Fold } from "../../data/split/folds.ts";
import type { FineTuneConfig } from "../config/config.ts";
import type { Study } from "./study.ts";

/** What is predicted, by sample number of the data set. */
export interface LearnTarget {
  readonly kind: "numbers" | "classes";
  readonly column: string;
  /** Numbers, or class numbers; NaN where unknown. */
  readonly values: Float64Array;
  /** Names of the classes; none for numbers. */
  readonly classes: readonly string[];
}

/** One fit: which samples, and how they are divided once more where settings are chosen. */
export interface LearnTask {
  readonly study: Study;
  readonly target: LearnTarget;
  readonly train: Int32Array;
  /** Folds of the training samples, made by the same rule as the outer ones. */
  readonly inner: readonly Fold[];
  /** Group numbers by sample of the data set; null where samples stand alone. */
  readonly groupOf: Int32Array | null;
  readonly random: Random;
  /** Trees of the forest. */
  readonly trees: number;
  /** Settings of `finetuned`. */
  readonly fineTune?: FineTuneConfig;
}

/** What each ASV adds to the prediction of one sample: a number, or probabilities of the classes. */
export interface Contributions {
  /** [ASVs * width] */
  readonly values: Float64Array;
  /** [width] What is said of the base, from which they lead to the prediction. */
  readonly base: Float64Array;
}

/** One of the predictors that another is the weighted mean of. */
export interface Part {
  readonly name: string;
  readonly learned: Learned;
  readonly weight: number;
}

/** What was learned from the training samples. */
export interface Learned {
  /** What was chosen by the inner folds. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Of every training sample, by a model that has not seen it or its group: [train * width]. */
  readonly unseen: Float64Array;
  /** [samples * width]: numbers, or probabilities of the classes. */
  predict(samples: Int32Array): Float64Array;
  /** What ASVs add to `predict`, of each sample in turn; absent where this cannot be divided among ASVs. */
  readonly explain?: (samples: Int32Array) => Iterable<Contributions>;
  /** Of a weighted mean of predictors, these; its contributions are the mean of theirs. */
  readonly parts?: readonly Part[];
}

/** Learns a target from training samples. */
export type Learner = (task: LearnTask) => Learned | Promise<Learned>;

/** Numbers for each sample that a prediction of this target has. */
export function widthOf({ kind, classes }: LearnTarget): number {
  return kind === "numbers" ? 1 : classes.length;
}

/** Probabilities are kept this far from 0, so that one sure mistake is no endless loss. */
const leastProbability = 1e-3;

/**
 * The loss of one prediction: the absolute error of a number, or minus the logarithm of the true class's
 * probability, which is taken for 0.001 at least.
 */
export function lossOf(
  target: LearnTarget,
  predicted: ArrayLike<number>,
  row: number,
  truth: number,
): number {
  if (target.kind === "numbers") return Math.abs(predicted[row] - truth);
  return -Math.log(Math.max(leastProbability, predicted[row * target.classes.length + truth]));
}

/** The mean loss of predictions [samples * width]. */
export function meanLoss(target: LearnTarget, samples: Int32Array, predicted: ArrayLike<number>): number {
  let sum = 0;
  samples.forEach((sample, row) => {
    sum += lossOf(target, predicted, row, target.values[sample]);
  });
  return sum / samples.length;
}

/** Of each inner fold the rows, in the order of `train`, that are fitted to and those that are held out. */
export function innerRows({ train, inner }: Pick<LearnTask, "train" | "inner">): {
  readonly own: number[];
  readonly test: number[];
}[] {
  const rowOf = new Map(Array.from(train, (sample, row) => [sample, row]));
  const rowsOf = (samples: Int32Array) => Array.from(samples, (sample) => rowOf.get(sample)!);
  return inner.map(({ train: own, test }) => ({ own: rowsOf(own), test: rowsOf(test) }));
}

/**
 * Fits on the training part of each inner fold and predicts its held-out part. `fit` gives predictions of
 * several settings at once; the one of least loss is chosen.
 */
export function chooseInside<T extends Readonly<Record<string, string | number>>>(
  task: LearnTask,
  settings: readonly T[],
  fit: (train: Int32Array, test: Int32Array, fold: number) => readonly Float64Array[],
): { setting: T; unseen: Float64Array; loss: number } {
  const { target, train, inner } = task;
  const width = widthOf(target);
  const rows = innerRows(task);
  const unseen = settings.map(() => new Float64Array(train.length * width));
  inner.forEach(({ train: own, test }, fold) => {
    const predicted = fit(own, test, fold);
    predicted.forEach((values, at) => {
      rows[fold].test.forEach((row, i) => {
        unseen[at].set(values.subarray(i * width, (i + 1) * width), row * width);
      });
    });
  });
  const losses = unseen.map((predicted) => meanLoss(target, train, predicted));
  const best = losses.indexOf(Math.min(...losses));
  return { setting: settings[best], unseen: unseen[best], loss: losses[best] };
}
