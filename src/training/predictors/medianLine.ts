import { median } from "../../common/median.ts";
import { innerRows, type Learned, type LearnTask } from "./learner.ts";
import { slopeBetween } from "./probabilityContributions.ts";
import { boundNumbers } from "./scores.ts";

/** How predictions of numbers become the median to be expected: `offset + slope * prediction`. */
export interface MedianLine {
  readonly slope: number;
  readonly offset: number;
}

/** Slopes that are looked through, and halvings of what is left; the error is convex in the slope. */
const steepest = 8;
const rounds = 60;
const golden = (Math.sqrt(5) - 1) / 2;

/**
 * The line of least absolute errors from predictions to true values (Boscovich 1757; Laplace 1789), with a
 * slope from 0 to 8. Its offset is the median of what the slope leaves.
 * @param rows of both.
 * @param options.falling the slope may be below 0 as well, down to -8.
 */
export function fitMedianLine(
  predicted: ArrayLike<number>,
  truth: ArrayLike<number>,
  rows: readonly number[],
  { falling = false }: { readonly falling?: boolean } = {},
): MedianLine {
  const at = (slope: number) => {
    const rest = rows.map((row) => truth[row] - slope * predicted[row]);
    const offset = median(rest);
    return { slope, offset, error: rest.reduce((sum, value) => sum + Math.abs(value - offset), 0) };
  };
  let [low, high] = [falling ? -steepest : 0, steepest];
  let [left, right] = [at(high - golden * (high - low)), at(low + golden * (high - low))];
  for (let round = 0; round < rounds; round++) {
    if (left.error <= right.error) {
      high = right.slope;
      right = left;
      left = at(high - golden * (high - low));
    } else {
      low = left.slope;
      left = right;
      right = at(low + golden * (high - low));
    }
  }
  // Where predictions tell nothing, any slope may do: then none.
  const [flat, found] = [at(0), left];
  const { slope, offset } = found.error < (1 - 1e-9) * flat.error ? found : flat;
  return { slope, offset };
}

/**
 * A predictor of numbers whose predictions lie on the line that the inner folds' errors ask for, within the
 * range of the training samples. Penalties draw predictions towards the middle and means lie beside medians;
 * the absolute error, by which predictors are judged, is least at the median. What it says of the training
 * samples comes from lines that the sample's own fold had no part in. Classes have `sharpened` for this.
 */
export function onMedianLine(task: LearnTask, learned: Learned): Learned {
  const { target, train } = task;
  if (target.kind !== "numbers") return learned;
  const truth = Float64Array.from(train, (sample) => target.values[sample]);
  const bound = boundNumbers(target, train);
  const moved = ({ slope, offset }: MedianLine) => {
    return (values: Float64Array) => bound(values.map((value) => offset + slope * value));
  };
  const unseen = new Float64Array(train.length);
  for (const { own, test } of innerRows(task)) {
    const finish = moved(fitMedianLine(learned.unseen, truth, own));
    for (const row of test) unseen[row] = finish(learned.unseen.subarray(row, row + 1))[0];
  }
  const line = fitMedianLine(learned.unseen, truth, [...train.keys()]);
  const finish = moved(line);
  const { explain } = learned;
  return {
    settings: { ...learned.settings, ...line },
    unseen,
    predict: (samples) => finish(learned.predict(samples)),
    ...(explain && {
      *explain(samples: Int32Array) {
        const predicted = learned.predict(samples);
        const onLine = (value: number) => finish(Float64Array.of(value))[0];
        let row = 0;
        for (const { values, base } of explain(samples)) {
          // Beyond the range of the training samples the line bends: the share of the way that is left.
          const slope = slopeBetween(onLine, base[0], predicted[row++]);
          yield { values: values.map((value) => value * slope), base: finish(base) };
        }
      },
    }),
  };
}
