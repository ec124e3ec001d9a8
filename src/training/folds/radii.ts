import { median } from "../../common/median.ts";
import { conformalRadius } from "../../metrics/intervals.ts";
import { type Learned, type LearnTask, widthOf } from "../predictors/learner.ts";
import { fitMedianLine, type MedianLine } from "../predictors/medianLine.ts";

/** Expected errors are taken for this share of the median error at least. */
const leastSpread = 0.25;

/**
 * How far from each prediction the true value of a held-out sample may be: half the width of an interval, or
 * of classes the size that the true class's improbability may have.
 *
 * Numbers have normalized conformal intervals (Lei et al. 2018): errors on the inner folds are divided by the
 * error to be expected at such a prediction, a line of least absolute errors, so that intervals are narrow
 * where predictions are good. The lines too are fitted without the sample's own fold.
 * @param predicted of the held-out samples.
 */
export function radiiOf(
  task: LearnTask,
  { unseen }: Pick<Learned, "unseen">,
  predicted: Float64Array,
  coverage: number,
): number[] {
  const { target, train, groupOf, inner } = task;
  const groups = groupOf ? train.map((sample) => groupOf[sample]) : train;
  const width = widthOf(target);
  if (target.kind === "classes") {
    const scores = Float64Array.from(train, (sample, row) => 1 - unseen[row * width + target.values[sample]]);
    return Array(predicted.length / width).fill(conformalRadius(scores, groups, coverage));
  }
  const errors = Float64Array.from(train, (sample, row) => Math.abs(unseen[row] - target.values[sample]));
  const rowOf = new Map(Array.from(train, (sample, row) => [sample, row]));
  const rowsOf = (samples: Int32Array) => Array.from(samples, (sample) => rowOf.get(sample)!);
  const least = Math.max(leastSpread * median([...errors]), Number.MIN_VALUE);
  const spreadBy = ({ slope, offset }: MedianLine) => {
    return (prediction: number) => Math.max(least, offset + slope * prediction);
  };
  const fit = (rows: readonly number[]) => spreadBy(fitMedianLine(unseen, errors, rows, { falling: true }));
  const scores = new Float64Array(train.length);
  for (const { train: own, test } of inner) {
    const spread = fit(rowsOf(own));
    for (const row of rowsOf(test)) scores[row] = errors[row] / spread(unseen[row]);
  }
  const spread = fit([...train.keys()]);
  const radius = conformalRadius(scores, groups, coverage);
  return Array.from(predicted, (prediction) => radius * spread(prediction));
}
