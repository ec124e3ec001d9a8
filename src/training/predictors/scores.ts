import { median } from "../../common/median.ts";
import { type Learned, type LearnTarget, type LearnTask, meanLoss, widthOf } from "./learner.ts";

/**
 * What a linear method learns: numbers, or a power of them, less their median; or +1 and -1 for each class,
 * less their means.
 */
export function scoreTargets(
  target: LearnTarget,
  train: Int32Array,
  power = 1,
): { y: Float64Array; offsets: Float64Array } {
  if (target.kind === "numbers") {
    const values = Array.from(train, (sample) => target.values[sample] ** power);
    const middle = median(values);
    return { y: Float64Array.from(values, (value) => value - middle), offsets: Float64Array.of(middle) };
  }
  const k = target.classes.length;
  const offsets = new Float64Array(k).fill(-1);
  for (const sample of train) offsets[target.values[sample]] += 2 / train.length;
  const y = new Float64Array(train.length * k);
  train.forEach((sample, row) => {
    for (let c = 0; c < k; c++) y[row * k + c] = (target.values[sample] === c ? 1 : -1) - offsets[c];
  });
  return { y, offsets };
}

/** Predicted numbers no smaller and no larger than those of the training samples. */
export function boundNumbers(target: LearnTarget, train: Int32Array): (values: Float64Array) => Float64Array {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const sample of train) {
    low = Math.min(low, target.values[sample]);
    high = Math.max(high, target.values[sample]);
  }
  return (values) => values.map((value) => Math.min(high, Math.max(low, value)));
}

/** Sharpness of the softmax that turns scores into probabilities before calibration. */
const plainSharpness = 1.5;
const sharpnesses = Array.from({ length: 25 }, (_, i) => 0.05 * 1.3 ** i);

/** exp(sharpness x score), in shares of the sample. */
export function softmax(scores: Float64Array, width: number, sharpness: number): Float64Array {
  const shares = new Float64Array(scores.length);
  for (let from = 0; from < scores.length; from += width) {
    const own = scores.subarray(from, from + width);
    const most = Math.max(...own);
    let sum = 0;
    for (let c = 0; c < width; c++) sum += shares[from + c] = Math.exp(sharpness * (own[c] - most));
    for (let c = 0; c < width; c++) shares[from + c] /= sum;
  }
  return shares;
}

/**
 * The sharpness by which probabilities made of scores fit best to known classes (Guo et al.
 * 2017: temperature scaling).
 */
export function fitSharpness(target: LearnTarget, samples: Int32Array, scores: Float64Array): number {
  const width = widthOf(target);
  let best = plainSharpness;
  let least = Number.POSITIVE_INFINITY;
  for (const sharpness of sharpnesses) {
    const loss = meanLoss(target, samples, softmax(scores, width, sharpness));
    if (loss < least) [best, least] = [sharpness, loss];
  }
  return best;
}

/** Probabilities as scores: their logarithms. */
export function scoresOf(probabilities: Float64Array): Float64Array {
  return probabilities.map((share) => Math.log(Math.max(share, 1e-3)));
}

/** Turns scores into what is judged. */
export type Finish = (scores: Float64Array, train: Int32Array) => Float64Array;

interface ScoreMethod<T> {
  /** Chooses a setting. */
  choose(finish: Finish): {
    readonly setting: T;
    readonly unseen: Float64Array;
  };
  /** Fits on all training samples; the function gives scores. */
  final(setting: T): (samples: Int32Array) => Float64Array;
}

/**
 * A method that gives scores, as a predictor: numbers are kept within the range of the training samples; of
 * classes, the probabilities are calibrated on the predictions of the inner folds.
 */
export function calibrated<T extends Readonly<Record<string, string | number>>>(
  { target, train }: LearnTask,
  method: ScoreMethod<T>,
): Learned {
  if (target.kind === "numbers") {
    const { setting, unseen } = method.choose((scores, own) => boundNumbers(target, own)(scores));
    const scoresFor = method.final(setting);
    const bound = boundNumbers(target, train);
    return { settings: setting, unseen, predict: (samples) => bound(scoresFor(samples)) };
  }
  const width = widthOf(target);
  const { setting, unseen } = method.choose((scores) => softmax(scores, width, plainSharpness));
  const sharpness = fitSharpness(target, train, scoresOf(unseen));
  const sharpen = (shares: Float64Array) => softmax(scoresOf(shares), width, sharpness);
  const scoresFor = method.final(setting);
  return {
    settings: setting,
    unseen: sharpen(unseen),
    predict: (samples) => sharpen(softmax(scoresFor(samples), width, plainSharpness)),
  };
}
