import { median } from "../../common/median.ts";
import { type Learned, type LearnTarget, type LearnTask, meanLoss } from "./learner.ts";
import { toProbabilities } from "./probabilityContributions.ts";

/** Shares of classes are taken for this at least, so that none has an endless logarithm. */
const leastShare = 1e-3;

/** Shares of the classes among samples. */
export function sharesOf({ classes, values }: LearnTarget, samples: Int32Array): Float64Array {
  const shares = new Float64Array(classes.length);
  for (const sample of samples) shares[values[sample]] += 1 / samples.length;
  return shares;
}

/**
 * What a linear method learns: numbers, or a power of them, less their median; or +1 and -1 for each class,
 * less their means, so that a score of 0 says no more than the classes' shares.
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
  const shares = sharesOf(target, train);
  const k = shares.length;
  const y = new Float64Array(train.length * k);
  train.forEach((sample, row) => {
    for (let c = 0; c < k; c++) y[row * k + c] = 2 * (Number(target.values[sample] === c) - shares[c]);
  });
  return { y, offsets: new Float64Array(k) };
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

/** Sharpness of the probabilities of scores before calibration. */
const plainSharpness = 1.5;
const sharpnesses = [0, ...Array.from({ length: 25 }, (_, i) => 0.05 * 1.3 ** i)];

/**
 * Probabilities [rows * classes]: each class's share times exp(sharpness x score), in parts of their sum.
 * With no sharpness they are the classes' shares.
 */
export function probabilitiesOf(
  scores: Float64Array,
  shares: Float64Array,
  sharpness = plainSharpness,
): Float64Array {
  const width = shares.length;
  const probabilities = scores.map(
    (score, i) => sharpness * score + Math.log(Math.max(shares[i % width], leastShare)),
  );
  for (let from = 0; from < scores.length; from += width) {
    const own = probabilities.subarray(from, from + width);
    const most = Math.max(...own);
    let sum = 0;
    for (let c = 0; c < width; c++) sum += own[c] = Math.exp(own[c] - most);
    for (let c = 0; c < width; c++) own[c] /= sum;
  }
  return probabilities;
}

const logOf = (share: number) => Math.log(Math.max(share, leastShare));

/** Probabilities as scores: the logarithm of how many times the class's share they are. */
function scoresOf(probabilities: Float64Array, shares: Float64Array): Float64Array {
  return probabilities.map((probability, i) => logOf(probability) - logOf(shares[i % shares.length]));
}

/**
 * Probabilities calibrated by one number, the sharpness by which those of the inner folds fit best (Guo et
 * al. 2017: temperature scaling, but around the classes' shares instead of equal ones, so that a predictor
 * which knows nothing says what the shares say); numbers as they are.
 * @param explain contributions to what `predict` gives.
 */
export function sharpened(
  { target, train }: LearnTask,
  settings: Learned["settings"],
  unseen: Float64Array,
  predict: Learned["predict"],
  explain?: Learned["explain"],
): Learned {
  if (target.kind === "numbers") return { settings, unseen, predict, explain };
  const shares = sharesOf(target, train);
  const scores = scoresOf(unseen, shares);
  const tried = sharpnesses.map((sharpness) => {
    const probabilities = probabilitiesOf(scores, shares, sharpness);
    return { sharpness, probabilities, loss: meanLoss(target, train, probabilities) };
  });
  const best = tried.reduce((a, b) => (b.loss < a.loss ? b : a));
  const sharpen = (some: Float64Array) => probabilitiesOf(scoresOf(some, shares), shares, best.sharpness);
  return {
    settings,
    unseen: best.probabilities,
    predict: (samples) => sharpen(predict(samples)),
    explain:
      explain &&
      ((samples) =>
        toProbabilities(
          predict(samples),
          explain(samples),
          (share) => best.sharpness * logOf(share),
          sharpen,
        )),
  };
}

/** Turns scores into what is judged. */
export type Finish = (scores: Float64Array, train: Int32Array) => Float64Array;

interface ScoreMethod<T> {
  /** Chooses a setting. */
  choose(finish: Finish): {
    readonly setting: T;
    readonly unseen: Float64Array;
  };
  /** Fits on all training samples. */
  final(setting: T): {
    readonly scoresFor: (samples: Int32Array) => Float64Array;
    /** Contributions to numbers within their bounds, or to scores of classes. */
    readonly explain?: Learned["explain"];
  };
}

/**
 * A method that gives scores, as a predictor: numbers are kept within the range of the training samples; of
 * classes, the probabilities are calibrated on the predictions of the inner folds.
 */
export function calibrated<T extends Readonly<Record<string, string | number>>>(
  task: LearnTask,
  method: ScoreMethod<T>,
): Learned {
  const { target, train } = task;
  if (target.kind === "numbers") {
    const { setting, unseen } = method.choose((scores, own) => boundNumbers(target, own)(scores));
    const { scoresFor, explain } = method.final(setting);
    const bound = boundNumbers(target, train);
    return { settings: setting, unseen, predict: (samples) => bound(scoresFor(samples)), explain };
  }
  const probable = (scores: Float64Array, own: Int32Array) => probabilitiesOf(scores, sharesOf(target, own));
  const { setting, unseen } = method.choose(probable);
  const { scoresFor, explain } = method.final(setting);
  const ofTrain = (scores: Float64Array) => probable(scores, train);
  return sharpened(
    task,
    setting,
    unseen,
    (samples) => ofTrain(scoresFor(samples)),
    explain &&
      ((samples) =>
        toProbabilities(scoresFor(samples), explain(samples), (score) => plainSharpness * score, ofTrain)),
  );
}
