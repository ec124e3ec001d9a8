import { innerRows, type Learned, type LearnTask, lossOf, meanLoss, type Part, widthOf } from "./learner.ts";

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

/** What a weighted mean of predictors says, and of which it is made. */
function mixture(parts: readonly Part[]): Pick<Learned, "predict" | "parts"> {
  const weights = Float64Array.from(parts, ({ weight }) => weight);
  return {
    parts,
    predict: (samples) =>
      mix(
        parts.map(({ learned }) => learned.predict(samples)),
        weights,
      ),
  };
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
  const { train, target } = task;
  const learned = Object.values(parts);
  const predictions = learned.map(({ unseen }) => unseen);
  const width = widthOf(target);
  const unseen = new Float64Array(train.length * width);
  for (const { own, test } of innerRows(task)) {
    const mixed = mix(predictions, stackWeights(task, predictions, own));
    for (const row of test) {
      const at = row * width;
      unseen.set(mixed.subarray(at, at + width), at);
    }
  }
  const weights = stackWeights(task, predictions);
  const weighed = Object.entries(parts).map(([name, own], p) => ({ name, learned: own, weight: weights[p] }));
  return {
    settings: Object.fromEntries(weighed.map(({ name, weight }) => [name, Number(weight.toFixed(3))])),
    unseen,
    ...mixture(weighed),
  };
}

/**
 * The predictors that the inner folds cannot tell from the one of least loss: their mean loss is above that
 * one's by no more than one standard error of the difference, paired over groups (the one-standard-error
 * rule; Breiman et al. 1984).
 */
export function alikeBest(task: LearnTask, parts: Readonly<Record<string, Learned>>): string[] {
  const { target, train, groupOf } = task;
  const known = new Set(groupOf ? Array.from(train, (sample) => groupOf[sample]) : []);
  // A single group tells of no spread between groups; its samples must do.
  const units = known.size > 1 ? train.map((sample) => groupOf![sample]) : train;
  const losses = Object.entries(parts).map(([name, { unseen }]) => ({
    name,
    own: Float64Array.from(train, (sample, row) => lossOf(target, unseen, row, target.values[sample])),
    mean: meanLoss(target, train, unseen),
  }));
  const best = losses.reduce((a, b) => (b.mean < a.mean ? b : a));
  return losses
    .filter(({ own, mean }) => {
      if (own === best.own) return true;
      const above = mean - best.mean;
      const sums = new Map<number, number>();
      units.forEach((unit, row) => {
        sums.set(unit, (sums.get(unit) ?? 0) + own[row] - best.own[row] - above);
      });
      const squares = [...sums.values()].reduce((sum, value) => sum + value * value, 0);
      return above <= Math.sqrt((squares * sums.size) / (sums.size - 1)) / train.length;
    })
    .map(({ name }) => name);
}

/**
 * The mean of the predictors that are as good as the best one for all that the inner folds tell: choosing
 * one of these would be choosing by chance, and a mean of predictions errs no more than its parts do on
 * average. Where the constant is one of these, nothing is known to be better, and it alone is taken.
 */
export function meanOfBest(task: LearnTask, parts: Readonly<Record<string, Learned>>): Learned {
  const alike = alikeBest(task, parts);
  const names = alike.includes("constant") ? ["constant"] : alike;
  const learned = names.map((name) => parts[name]);
  const shares = new Float64Array(names.length).fill(1 / names.length);
  return {
    settings: { mean_of: names.join(", ") },
    unseen: mix(
      learned.map(({ unseen }) => unseen),
      shares,
    ),
    ...mixture(names.map((name) => ({ name, learned: parts[name], weight: 1 / names.length }))),
  };
}
