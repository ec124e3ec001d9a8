/** Quality of predicted numbers. Everything is 0 where nothing was counted. */
export interface RegressionResult {
  readonly n: number;
  readonly mae: number;
  readonly mse: number;
  readonly rmse: number;
  /** 1 - SSE / SST; 0 if all actual values are equal. */
  readonly r2: number;
  /** Pearson's correlation; 0 if either side is constant. */
  readonly pearson: number;
  /** Mean of predicted - actual. */
  readonly bias: number;
  /** The least-squares line predicted = slope * actual + intercept; flat if all actual values are equal. */
  readonly fit: { readonly slope: number; readonly intercept: number };
}

/**
 * Regression metrics over values that come in pieces. Means and second moments follow Welford (1962), merging
 * Chan, Golub and LeVeque (1983); sums of errors are compensated (Neumaier 1974). All arithmetic is float64.
 */
export class RegressionMetrics {
  #n = 0;
  #meanPredicted = 0;
  #meanActual = 0;
  #squaresPredicted = 0;
  #squaresActual = 0;
  #products = 0;
  readonly #absolute = new CompensatedSum();
  readonly #squared = new CompensatedSum();

  /** Counts pairs of predicted and actual values, flattened. @throws RangeError if their numbers differ. */
  update(predicted: ArrayLike<number>, actual: ArrayLike<number>): void {
    requireSameLength(predicted, actual);
    for (let i = 0; i < actual.length; i++) {
      const error = predicted[i] - actual[i];
      this.#absolute.add(Math.abs(error));
      this.#squared.add(error * error);
      this.#n++;
      const deltaPredicted = predicted[i] - this.#meanPredicted;
      const deltaActual = actual[i] - this.#meanActual;
      this.#meanPredicted += deltaPredicted / this.#n;
      this.#meanActual += deltaActual / this.#n;
      this.#squaresPredicted += deltaPredicted * (predicted[i] - this.#meanPredicted);
      this.#squaresActual += deltaActual * (actual[i] - this.#meanActual);
      this.#products += deltaPredicted * (actual[i] - this.#meanActual);
    }
  }

  /** Adds what another instance counted. */
  merge(other: RegressionMetrics): void {
    if (other.#n === 0) return;
    const n = this.#n + other.#n;
    const deltaPredicted = other.#meanPredicted - this.#meanPredicted;
    const deltaActual = other.#meanActual - this.#meanActual;
    const weight = (this.#n * other.#n) / n;
    this.#meanPredicted += (deltaPredicted * other.#n) / n;
    this.#meanActual += (deltaActual * other.#n) / n;
    this.#squaresPredicted += other.#squaresPredicted + deltaPredicted * deltaPredicted * weight;
    this.#squaresActual += other.#squaresActual + deltaActual * deltaActual * weight;
    this.#products += other.#products + deltaPredicted * deltaActual * weight;
    this.#absolute.add(other.#absolute.value);
    this.#squared.add(other.#squared.value);
    this.#n = n;
  }

  result(): RegressionResult {
    const n = this.#n;
    if (n === 0) {
      const fit = { slope: 0, intercept: 0 };
      return { n, mae: 0, mse: 0, rmse: 0, r2: 0, pearson: 0, bias: 0, fit };
    }
    const mse = this.#squared.value / n;
    const spread = Math.sqrt(this.#squaresPredicted) * Math.sqrt(this.#squaresActual);
    const slope = this.#squaresActual === 0 ? 0 : this.#products / this.#squaresActual;
    return {
      n,
      mae: this.#absolute.value / n,
      mse,
      rmse: Math.sqrt(mse),
      r2: this.#squaresActual === 0 ? 0 : 1 - this.#squared.value / this.#squaresActual,
      // Rounding may carry a perfect correlation past 1.
      pearson: spread === 0 ? 0 : clamp(this.#products / spread, -1, 1),
      bias: this.#meanPredicted - this.#meanActual,
      fit: { slope, intercept: this.#meanPredicted - slope * this.#meanActual },
    };
  }
}

/**
 * Spearman's rank correlation, ties with their mean rank; 0 if either side is constant.
 * Needs all values at once.
 */
export function spearman(predicted: ArrayLike<number>, actual: ArrayLike<number>): number {
  requireSameLength(predicted, actual);
  const metrics = new RegressionMetrics();
  metrics.update(averageRanks(predicted), averageRanks(actual));
  return metrics.result().pearson;
}

export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Quality of predicted classes. A ratio with nothing below the line is 0. */
export interface ClassificationResult {
  readonly n: number;
  readonly classNames: readonly string[];
  /** `confusion[a][p]`: how often class `p` was predicted where `a` was true. */
  readonly confusion: readonly (readonly number[])[];
  readonly accuracy: number;
  /** Mean over classes by their number of true samples. */
  readonly weighted: ClassScores;
  /** Plain mean over the classes that occur, true or predicted. */
  readonly macro: ClassScores;
  readonly perClass: readonly (ClassScores & { readonly name: string; readonly support: number })[];
  /** Area under the ROC curve of the second class; only with two classes and scores. */
  readonly auc?: number;
}

/** Classification metrics over values that come in pieces. */
export class ClassificationMetrics {
  readonly classNames: readonly string[];
  readonly #confusion: Float64Array;
  readonly #scores: number[] = [];
  readonly #scoredActual: number[] = [];

  /** `classNames[i]` is the name of class `i`. */
  constructor(classNames: readonly string[]) {
    this.classNames = classNames;
    this.#confusion = new Float64Array(classNames.length ** 2);
  }

  /**
   * Counts pairs of predicted and actual class numbers. `scores`, for two classes: the score or probability
   * of class 1, from which the AUC comes (they are kept until the end).
   * @throws RangeError if the numbers of values differ or a class does not exist.
   */
  update(predicted: ArrayLike<number>, actual: ArrayLike<number>, scores?: ArrayLike<number>): void {
    requireSameLength(predicted, actual);
    if (scores) requireSameLength(scores, actual);
    const count = this.classNames.length;
    for (let i = 0; i < actual.length; i++) {
      const from = actual[i];
      const to = predicted[i];
      for (const index of [from, to]) {
        if (!Number.isInteger(index) || index < 0 || index >= count) {
          throw new RangeError(`Class ${index} does not exist; there are ${count}, counted from 0.`);
        }
      }
      this.#confusion[from * count + to]++;
      if (scores && count === 2) {
        this.#scores.push(scores[i]);
        this.#scoredActual.push(from);
      }
    }
  }

  /** Adds what another instance of the same classes counted. */
  merge(other: ClassificationMetrics): void {
    if (other.classNames.join("\0") !== this.classNames.join("\0")) {
      throw new RangeError("Only metrics of the same classes can be merged.");
    }
    for (let i = 0; i < this.#confusion.length; i++) this.#confusion[i] += other.#confusion[i];
    for (const score of other.#scores) this.#scores.push(score);
    for (const actual of other.#scoredActual) this.#scoredActual.push(actual);
  }

  result(): ClassificationResult {
    const count = this.classNames.length;
    const confusion = this.classNames.map((_, a) => [
      ...this.#confusion.subarray(a * count, (a + 1) * count),
    ]);
    const n = this.#confusion.reduce((sum, value) => sum + value, 0);
    const correct = confusion.reduce((sum, row, a) => sum + row[a], 0);
    const perClass = this.classNames.map((name, index) => {
      const support = confusion[index].reduce((sum, value) => sum + value, 0);
      const predicted = confusion.reduce((sum, row) => sum + row[index], 0);
      const hits = confusion[index][index];
      const scores = {
        precision: ratio(hits, predicted),
        recall: ratio(hits, support),
        f1: ratio(2 * hits, support + predicted),
      };
      return { name, support, occurs: support + predicted > 0, ...scores };
    });
    const mean = (weight: (one: (typeof perClass)[number]) => number): ClassScores => {
      const total = perClass.reduce((sum, one) => sum + weight(one), 0);
      const of = (key: keyof ClassScores) =>
        ratio(
          perClass.reduce((sum, one) => sum + weight(one) * one[key], 0),
          total,
        );
      return { precision: of("precision"), recall: of("recall"), f1: of("f1") };
    };
    const auc = this.#scores.length > 0 ? areaUnderRoc(this.#scores, this.#scoredActual) : undefined;
    return {
      n,
      classNames: this.classNames,
      confusion,
      accuracy: ratio(correct, n),
      weighted: mean((one) => one.support),
      macro: mean((one) => (one.occurs ? 1 : 0)),
      perClass: perClass.map(({ occurs: _, ...scores }) => scores),
      ...(auc !== undefined && { auc }),
    };
  }
}

/**
 * Area under the ROC curve by the Mann-Whitney statistic: how often a sample of class 1 scores higher than
 * one of class 0, ties counting half. `actual`: 0 or 1. `undefined` if either class is missing.
 */
export function areaUnderRoc(scores: ArrayLike<number>, actual: ArrayLike<number>): number | undefined {
  requireSameLength(scores, actual);
  const ranks = averageRanks(scores);
  let positives = 0;
  let rankSum = 0;
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== 1) continue;
    positives++;
    rankSum += ranks[i];
  }
  const negatives = actual.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Ranks from 1, equal values with the mean of the ranks they share. */
function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i);
  order.sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let i = start; i < end; i++) ranks[order[i]] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

class CompensatedSum {
  #sum = 0;
  #lost = 0;

  add(value: number): void {
    const next = this.#sum + value;
    this.#lost +=
      Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - next + value : value - next + this.#sum;
    this.#sum = next;
  }

  get value(): number {
    // An infinite sum has no meaningful remainder.
    return Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum;
  }
}

function ratio(above: number, below: number): number {
  return below === 0 ? 0 : above / below;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function requireSameLength(left: ArrayLike<number>, right: ArrayLike<number>): void {
  if (left.length !== right.length) {
    throw new RangeError(`As many values are needed on either side, got ${left.length} and ${right.length}.`);
  }
}
