import { median } from "../../common/median.ts";
import { conformalRadius } from "../../metrics/intervals.ts";
import { innerRows, type Learned, type LearnTask, widthOf } from "../predictors/learner.ts";
import { fitMedianLine } from "../predictors/medianLine.ts";

/** The error to be expected at a prediction. */
type Spread = (prediction: number) => number;

/** Expected errors are taken for this share of the usual error at least. */
const leastSpread = 0.25;

/** The median error, or half the mean where most predictions hit exactly. */
function usualError(errors: Float64Array): number {
  return Math.max(median([...errors]), errors.reduce((sum, error) => sum + error, 0) / errors.length / 2);
}

/**
 * How far from each prediction the true value of a held-out sample may be: half the width of an interval, or
 * of classes the size that the true class's improbability may have.
 *
 * Numbers have normalized conformal intervals (Lei et al. 2018): errors on the inner folds are divided by the
 * error to be expected at such a prediction, so that intervals are narrow where predictions are good: a line
 * of least absolute errors, or their median where that tells other folds' errors as well. Both are fitted
 * without the sample's own fold.
 * @param predicted of the held-out samples.
 */
export function radiiOf(
  task: LearnTask,
  { unseen }: Pick<Learned, "unseen">,
  predicted: Float64Array,
  coverage: number,
): number[] {
  const { target, train, groupOf } = task;
  const groups = groupOf ? train.map((sample) => groupOf[sample]) : train;
  const width = widthOf(target);
  if (target.kind === "classes") {
    const scores = Float64Array.from(train, (sample, row) => 1 - unseen[row * width + target.values[sample]]);
    return Array(predicted.length / width).fill(conformalRadius(scores, groups, coverage));
  }
  const errors = Float64Array.from(train, (sample, row) => Math.abs(unseen[row] - target.values[sample]));
  const folds = innerRows(task);
  const least = Math.max(leastSpread * usualError(errors), Number.MIN_VALUE);
  /** Of predictions beyond those that it was fitted to, what it says of the nearest of these. */
  const lineOf = (rows: readonly number[]): Spread => {
    const { slope, offset } = fitMedianLine(unseen, errors, rows, { falling: true });
    const known = rows.map((row) => unseen[row]);
    const [low, high] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))];
    return (prediction) => Math.max(least, offset + slope * Math.min(high, Math.max(low, prediction)));
  };
  const flatOf = (rows: readonly number[]): Spread => {
    const spread = Math.max(least, median(rows.map((row) => errors[row])));
    return () => spread;
  };
  const tried = [flatOf, lineOf].map((fit) => {
    const spreads = new Float64Array(train.length);
    for (const { own, test } of folds) {
      const spread = fit(own);
      for (const row of test) spreads[row] = spread(unseen[row]);
    }
    return { fit, spreads, off: errors.reduce((sum, error, row) => sum + Math.abs(error - spreads[row]), 0) };
  });
  // A line that tells less of other folds' errors than their median is chance.
  const { fit, spreads } = tried.reduce((a, b) => (b.off < a.off ? b : a));
  const radius = conformalRadius(
    errors.map((error, row) => error / spreads[row]),
    groups,
    coverage,
  );
  const spread = fit([...train.keys()]);
  return Array.from(predicted, (prediction) => radius * spread(prediction));
}
