import { type Learned, type LearnTask, lossOf, meanLoss, widthOf } from "./learner.ts";

const steps = 400;

/**
 * Weights, at least 0 and of sum 1, of predictors whose mixture has the least loss on some training
 * samples (Wolpert 1992; Breiman 1996), by exponentiated gradients. All predictions are of samples that
 * their predictor has not seen.
 */
export function stackWeights(
  { target, train }: LearnTask,
  predictions: readonly Float64Array[],
  rows: readonly number[] = [...train.keys()],
): Float64Array {
  const k = predictions.length;
  const width = widthOf(target);
  const weights = new Float64Array(k).fill(1 / k);
  const mean = new Float64Array(k);
  const spread =
    target.kind === "numbers"
      ? rows.reduce((sum, row) => sum + lossOf(target, predictions[0], row, target.values[train[row]]), 0) /
          rows.length || 1
      : 1;
  for (let step = 0; step < steps; step++) {
    const gradient = new Float64Array(k);
    for (const row of rows) {
      const truth = target.values[train[row]];
      const at = target.kind === "numbers" ? row : row * width + truth;
      let mixed = 0;
      for (let p = 0; p < k; p++) mixed += weights[p] * predictions[p][at];
      const slope =
        target.kind === "numbers" ? Math.sign(mixed - truth) / spread : -1 / Math.max(mixed, 1e-3);
      for (let p = 0; p < k; p++) gradient[p] += (slope * predictions[p][at]) / rows.length;
    }
    const rate = 1 / Math.sqrt(1 + step / 10);
    const least = Math.min(...gradient);
    let sum = 0;
    for (let p = 0; p < k; p++) sum += weights[p] *= Math.exp(-rate * (gradient[p] - least));
    for (let p = 0; p < k; p++) weights[p] /= sum;
    // The mean over the later steps is steadier than the last one.
    if (step >= steps / 2) for (let p = 0; p < k; p++) mean[p] += weights[p] / (steps / 2);
  }
  return mean;
}

/** The weighted mean of predictions. */
export function mix(predictions: readonly Float64Array[], weights: Float64Array): Float64Array {
  return predictions[0].map((_, i) => predictions.reduce((sum, own, p) => sum + weights[p] * own[i], 0));
}

/**
 * The mixture of predictors by weights that the inner folds tell. What it says of the training
 * samples themselves comes from weights that the sample's own fold had no part in, so that it may be
 * compared with its parts.
 */
export function stack(task: LearnTask, parts: Readonly<Record<string, Learned>>): Learned {
  const { train, inner, target } = task;
  const learned = Object.values(parts);
  const predictions = learned.map(({ unseen }) => unseen);
  const width = widthOf(target);
  const unseen = new Float64Array(train.length * width);
  const rowOf = new Map(Array.from(train, (sample, row) => [sample, row]));
  for (const { train: own, test } of inner) {
    const weights = stackWeights(
      task,
      predictions,
      Array.from(own, (sample) => rowOf.get(sample)!),
    );
    const mixed = mix(predictions, weights);
    for (const sample of test) {
      const at = rowOf.get(sample)! * width;
      unseen.set(mixed.subarray(at, at + width), at);
    }
  }
  const weights = stackWeights(task, predictions);
  return {
    settings: Object.fromEntries(Object.keys(parts).map((name, p) => [name, Number(weights[p].toFixed(3))])),
    unseen,
    predict: (samples) =>
      mix(
        learned.map((own) => own.predict(samples)),
        weights,
      ),
  };
}

/** The one of least loss on the inner folds. */
export function best(task: LearnTask, parts: Readonly<Record<string, Learned>>): [string, Learned] {
  const { target, train } = task;
  return Object.entries(parts).reduce((a, b) =>
    meanLoss(target, train, b[1].unseen) < meanLoss(target, train, a[1].unseen) ? b : a,
  );
}
