import { median } from "../../common/median.ts";
import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { type Fold, makeFolds } from "../../data/split/folds.ts";
import * as torch from "../../torch/index.ts";
import type { FineTuneConfig } from "../config/config.ts";
import type { AsvBlocksCache } from "../encoding/asvBlocksCache.ts";
import type { Targets } from "../targets/targets.ts";

/** Penalties that are tried, in units of the features' mean squared length. */
const penalties = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100] as const;
/** Powers of numbers that are tried: errors that grow with the number grow less there. */
export const triedPowers = [1, 0.75, 0.5] as const;

export interface RidgeChoice {
  readonly penalty: number;
  readonly power: number;
}

/**
 * The penalty of a ridge regression on features [n, F] of mean squared length 1, and the power of the numbers
 * that it learns, which have the least mean error on the held-out parts of folds of the n rows. `values` are
 * n numbers of each column; errors count by their size, in units of the column's mean distance from its
 * median, or by their square with `squared`. Numbers below 0 have no power but 1.
 */
export function chooseRidge(
  features: torch.Tensor,
  values: readonly Float64Array[],
  folds: readonly Pick<Fold, "train" | "test">[],
  { powers = [1], squared = false }: { readonly powers?: readonly number[]; readonly squared?: boolean } = {},
): RidgeChoice {
  return torch.tidy(() => {
    const exact = features.to({ dtype: "float64", device: "cpu" });
    const gram = exact.matmul(exact.t());
    const settings = powers.flatMap((power) => penalties.map((penalty) => ({ penalty, power })));
    const errors = new Float64Array(settings.length);
    const units = values.map((column) => spreadOf(column));
    for (const { train, test } of folds) {
      using _scope = torch.scope();
      const { inside, across } = centred(gram, train, test);
      const eye = torch.eye(train.length, { dtype: "float64" });
      const targets = powers.map((power) => values.map((column) => middled(column, train, power, squared)));
      const right = torch.stack(
        targets.flatMap((columns) => columns.map(({ y }) => torch.tensor(y))),
        1,
      );
      penalties.forEach((penalty, p) => {
        const [factor] = torch.ops.aten.linalg_cholesky_ex(inside.add(eye.mul(penalty))) as torch.Tensor[];
        const predicted = across.matmul(torch.choleskySolve(right, factor)).t().contiguous().toFloat64Array();
        targets.forEach((columns, k) => {
          columns.forEach(({ middle }, c) => {
            const from = (k * columns.length + c) * test.length;
            test.forEach((row, i) => {
              const number = ofPower(predicted[from + i] + middle, powers[k]);
              const error = Math.abs(number - values[c][row]) / units[c];
              errors[k * penalties.length + p] += squared ? error ** 2 : error;
            });
          });
        });
      });
    }
    return settings[errors.indexOf(Math.min(...errors))];
  });
}

/** Folds by which settings are chosen, and samples that take part at the most: more would change little. */
const innerFolds = 5;
const mostSamples = 2000;
/** What is taken where there are too few samples to choose. */
const usualPenalty = 1;

/**
 * Replaces what is `auto` of `target.ridge` and `target.transform` by what folds of the training samples
 * choose, whole groups of `split.by` in each, and sets the weight decay that the ridge stands for.
 *
 * The loss is a mean over samples and columns. Where it is half the squared error, as Huber's is near 0, a
 * weight decay of penalty / (samples x columns) is this penalty; of squared errors it is twice as much.
 * Cross-entropy curves less: on average by the variance of the classes' shares.
 */
export function settleRidge(
  cache: AsvBlocksCache,
  dataset: Dataset,
  config: FineTuneConfig,
  targets: Targets,
  train: Int32Array,
): void {
  const { target, training, split } = config;
  const classes = targets.classes && classScores(targets.classNumbers(dataset), targets.outputs, train);
  if (target.ridge === "auto" || target.transform === "auto") {
    const known = train.filter((sample) =>
      (classes?.scores ?? targets.actual(dataset)).every((column) => !Number.isNaN(column[sample])),
    );
    const some = known.length > mostSamples ? new Random(0).shuffle([...known]).slice(0, mostSamples) : known;
    const samples = Int32Array.from(some).sort();
    const values = (classes?.scores ?? targets.actual(dataset)).map((column) =>
      Float64Array.from(samples, (sample) => column[sample]),
    );
    const folds = foldsOf(dataset, samples, split.by);
    const hasPowers =
      target.transform === "auto" && values.every((column) => column.every((value) => value >= 0));
    const chosen =
      folds.length > 0
        ? chooseRidge(cache.featuresOf(samples), values, folds, {
            powers: hasPowers ? triedPowers : [1],
            squared: classes !== null,
          })
        : { penalty: usualPenalty, power: 1 };
    if (target.ridge === "auto") target.ridge = chosen.penalty * (classes?.curvature ?? 1);
    if (target.transform === "auto") {
      target.transform = chosen.power === 1 ? "zscore" : "power-zscore";
      if (chosen.power < 1) target.power = chosen.power;
    }
  }
  const slope = !classes && target.lossType === "mse" ? 2 : 1;
  training.weightDecay = (target.penalty * slope * target.ridge) / (train.length * targets.columns.length);
}

/** Scores of 1 and -1 by class and sample, and how much cross-entropy curves beside squared errors. */
function classScores(numbers: Int32Array, classes: number, train: Int32Array) {
  const shares = new Float64Array(classes);
  for (const sample of train) shares[numbers[sample]] += 1 / train.length;
  const variance = shares.reduce((sum, share) => sum + share * (1 - share), 0);
  const scores = Array.from({ length: classes }, (_, own) =>
    Float64Array.from(numbers, (number) => (number < 0 ? Number.NaN : number === own ? 1 : -1)),
  );
  return { scores, curvature: classes > 1 ? variance / (classes - 1) : 1 };
}

/** Folds of rows of `samples`; none where there are too few. */
function foldsOf(dataset: Dataset, samples: Int32Array, by: string | null): Pick<Fold, "train" | "test">[] {
  const groups = by === null ? null : textValues(dataset.column(by)).values;
  const units = groups ? new Set(Array.from(samples, (sample) => groups[sample])).size : samples.length;
  const isGrouped = groups !== null && units > 1;
  const folds = Math.min(innerFolds, isGrouped ? units : samples.length);
  if (folds < 2 || samples.length < 2 * innerFolds) return [];
  const rowOf = new Map(Array.from(samples, (sample, row) => [sample, row]));
  const made = makeFolds(samples, { folds, ...(isGrouped && { groups: { column: by!, values: groups } }) });
  const rows = (part: Int32Array) => part.map((sample) => rowOf.get(sample)!);
  return made.map(({ train, test }) => ({ train: rows(train), test: rows(test) }));
}

/** Products of the rows `train` [m, m], and of `test` with them, of features less their mean over `train`. */
function centred(gram: torch.Tensor, train: Int32Array, test: Int32Array) {
  const rows = (own: Int32Array) => torch.tensor(BigInt64Array.from(own, BigInt));
  const columns = gram.indexSelect(1, rows(train));
  const inner = columns.indexSelect(0, rows(train));
  const means = inner.mean([0]);
  const all = means.mean();
  const less = (block: torch.Tensor) =>
    block
      .sub(block.mean([1], true))
      .sub(means)
      .add(all);
  return { inside: less(inner), across: less(columns.indexSelect(0, rows(test))) };
}

function middled(column: Float64Array, train: Int32Array, power: number, squared: boolean) {
  const own = Float64Array.from(train, (row) => column[row] ** power);
  const middle = squared ? own.reduce((sum, value) => sum + value, 0) / own.length : median([...own]);
  return { y: own.map((value) => value - middle), middle };
}

function ofPower(value: number, power: number): number {
  return power === 1 ? value : Math.max(0, value) ** (1 / power);
}

/** The mean distance from the median, or 1 where all are equal. */
function spreadOf(column: Float64Array): number {
  const middle = median([...column]);
  return column.reduce((sum, value) => sum + Math.abs(value - middle), 0) / column.length || 1;
}
