import { groupBootstrap, type Interval } from "../../metrics/intervals.ts";
import { areaUnderRoc } from "../../metrics/metrics.ts";
import { titleOf } from "../predictors/index.ts";
import { type LearnTarget, lossOf } from "../predictors/learner.ts";
import type { Undivided } from "../predictors/reasons.ts";
import { fewestGroups, type Plan } from "./plan.ts";
import type { JobResult } from "./runJob.ts";

/** The figures by which predictors are compared; the first one decides. */
export const figureNames = {
  numbers: ["mae", "rmse", "r2"],
  classes: ["error", "log_loss", "auc"],
} as const;

/** All predictions of one predictor, in the order of folds; a sample occurs once in each repeat. */
export interface Predicted {
  readonly name: string;
  readonly samples: Int32Array;
  readonly predicted: Float64Array;
  /** By row: half the width of the interval, or the size that a class's improbability may have. */
  readonly radius: Float64Array;
}

export interface PredictorSummary {
  readonly name: string;
  readonly title: string;
  readonly figures: Readonly<Record<string, Interval>>;
  /** Share of true values in the intervals or sets of classes, and their mean width or size. */
  readonly coverage: Interval;
  readonly width: number;
}

export interface Difference {
  readonly name: string;
  readonly against: string;
  readonly figure: string;
  /** Figure of `name` less that of `against`. */
  readonly difference: Interval;
  /**
   * By the interval: below 0, above 0, or neither. Of errors less is better, of R² and AUC more. None
   * where groups are so few (`fewestGroups`) that even one direction in all of them may be chance.
   */
  readonly verdict: "better" | "worse" | "no difference shown" | "too few groups to tell";
}

export interface FoldSummary {
  readonly column: string;
  readonly kind: "numbers" | "classes";
  readonly classes: readonly string[];
  readonly split: string;
  readonly samples: number;
  /** Values of `groupColumn`; samples where these stand alone. */
  readonly groups: number;
  readonly groupColumn: string | null;
  readonly repeats: number;
  /** Folds of all repeats. */
  readonly folds: number;
  /** The predictor that the others are compared with: the first one asked for. */
  readonly main: string;
  readonly predictors: readonly PredictorSummary[];
  readonly differences: readonly Difference[];
  /** Whether the main predictor is better than the median or the classes' shares. */
  readonly isReal: boolean;
  /** Of which predictors `auto` was the mean, in how many folds, most first; none without `auto`. */
  readonly meanOf: readonly { readonly of: string; readonly folds: number }[];
  /** Mean deciding figure by share of the training samples. */
  readonly curve: readonly {
    readonly share: number;
    readonly trained: number;
    readonly name: string;
    readonly value: number;
  }[];
  /** Share of held-out samples that are unlike the training data (p < 0.05); null without distances. */
  readonly unlike: number | null;
  /** By predictor: how much its contributions fail to add up by, the most in any fold (`Reasons.gap`). */
  readonly contributionGaps: Readonly<Record<string, number>>;
  /** By mean of predictors: the parts that are not divided among ASVs, with the mean weight over folds. */
  readonly undivided: Readonly<Record<string, Undivided>>;
  /** By predictor: folds in which no ASV moves it; only those that have some. */
  readonly unmoved: Readonly<Record<string, number>>;
}

const moreIsBetter = new Set(["r2", "auc"]);

function gapsOf(whole: readonly JobResult[]): Record<string, number> {
  const gaps: Record<string, number> = {};
  // What is no number is null in a fold's file.
  for (const { contributions } of whole)
    for (const [name, { gap }] of Object.entries(contributions))
      gaps[name] = Math.max(gaps[name] ?? 0, gap ?? Number.POSITIVE_INFINITY);
  return gaps;
}

function undividedOf(whole: readonly JobResult[]): Record<string, Undivided> {
  const all: Record<string, { parts: string[]; weight: number; importance: number }> = {};
  for (const { contributions } of whole)
    for (const [name, { undivided }] of Object.entries(contributions)) {
      if (!undivided) continue;
      const own = (all[name] ??= { parts: [], weight: 0, importance: 0 });
      own.parts = [...new Set([...own.parts, ...undivided.parts])];
      own.weight += undivided.weight / whole.length;
      own.importance += undivided.importance / whole.length;
    }
  return all;
}

function unmovedOf(whole: readonly JobResult[]): Record<string, number> {
  const folds: Record<string, number> = {};
  for (const { contributions } of whole)
    for (const [name, { asvs, undivided }] of Object.entries(contributions))
      if (asvs.length === 0 && !undivided) folds[name] = (folds[name] ?? 0) + 1;
  return folds;
}

/** Where intervals of numbers end at the least: months, ages and counts do not go below 0. */
export function lowestOf({ samples, target }: Plan): number {
  return samples.every((sample) => target.values[sample] >= 0) ? 0 : Number.NEGATIVE_INFINITY;
}

/** Puts the folds of all samples together, by predictor. */
export function predictionsOf(results: readonly JobResult[]): Predicted[] {
  const whole = results.filter(({ share }) => share === 1);
  const names = Object.keys(whole[0].predictors);
  return names.map((name) => ({
    name,
    samples: Int32Array.from(whole.flatMap(({ test }) => test)),
    predicted: Float64Array.from(whole.flatMap(({ predictors }) => predictors[name].predicted)),
    radius: Float64Array.from(whole.flatMap(({ predictors }) => predictors[name].radius)),
  }));
}

/**
 * Figures of every predictor over all folds with 95 % intervals (bootstrap over groups), and the paired
 * differences of the main one to the others on the very same samples.
 */
export function summarize(plan: Plan, results: readonly JobResult[]): FoldSummary {
  const { target, groupOf, config } = plan;
  const all = predictionsOf(results);
  const [{ samples }] = all;
  const groups = samples.map((sample) => (groupOf ? groupOf[sample] : sample));
  const count = new Set(groups).size;
  const options = { seed: config.seed };
  const figures = all.map((one) => new RowFigures(target, one));
  const mainName = config.predictors[0];
  const main = figures[all.findIndex(({ name }) => name === mainName)];
  const lowest = lowestOf(plan);
  const predictors = all.map(({ name, predicted, radius }, p): PredictorSummary => {
    const own = figures[p];
    return {
      name,
      title: titleOf(name, target.kind === "classes"),
      figures: Object.fromEntries(
        figureNames[target.kind].map((key) => [
          key,
          groupBootstrap(groups, (rows) => own.figure(key, rows), options),
        ]),
      ),
      coverage: groupBootstrap(groups, (rows) => meanOf(rows, own.covered), options),
      width:
        target.kind === "numbers"
          ? radius.reduce((sum, own, row) => sum + own + Math.min(own, predicted[row] - lowest), 0) /
            radius.length
          : own.setSizes.reduce((sum, value) => sum + value, 0) / radius.length,
    };
  });
  const differences = all.flatMap(({ name }, p) =>
    name === mainName
      ? []
      : figureNames[target.kind].map((figure): Difference => {
          const difference = groupBootstrap(
            groups,
            (rows) => main.figure(figure, rows) - figures[p].figure(figure, rows),
            options,
          );
          return {
            name: mainName,
            against: name,
            figure,
            difference,
            verdict: count < fewestGroups ? "too few groups to tell" : verdictOf(figure, difference),
          };
        }),
  );
  const whole = results.filter(({ share }) => share === 1);
  const likeness = whole.flatMap((result) => result.likeness ?? []);
  const deciding = figureNames[target.kind][0];
  return {
    column: target.column,
    kind: target.kind,
    classes: target.classes,
    split: plan.split,
    samples: plan.samples.length,
    groups: count,
    groupColumn: plan.groupColumn,
    repeats: 1 + Math.max(...whole.map(({ repeat }) => repeat)),
    folds: whole.length,
    main: mainName,
    predictors,
    differences,
    isReal: differences.some(
      ({ against, figure, difference }) =>
        against === "constant" && figure === deciding && verdictOf(figure, difference) === "better",
    ),
    meanOf: meansOf(whole),
    curve: config.curve.length > 0 ? curveOf(target, results) : [],
    contributionGaps: gapsOf(whole),
    undivided: undividedOf(whole),
    unmoved: unmovedOf(whole),
    unlike: likeness.length > 0 ? likeness.filter((p) => p < 0.05).length / likeness.length : null,
  };
}

function meansOf(results: readonly JobResult[]): FoldSummary["meanOf"] {
  const folds = new Map<string, number>();
  for (const { predictors } of results) {
    const of = predictors["auto"]?.settings["mean_of"];
    if (typeof of === "string") folds.set(of, (folds.get(of) ?? 0) + 1);
  }
  return [...folds].map(([of, count]) => ({ of, folds: count })).sort((a, b) => b.folds - a.folds);
}

function verdictOf(figure: string, { low, high }: Interval) {
  if (low <= 0 && high >= 0) return "no difference shown";
  return high < 0 === moreIsBetter.has(figure) ? "worse" : "better";
}

function meanOf(rows: ArrayLike<number>, values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < rows.length; i++) sum += values[rows[i]];
  return sum / rows.length;
}

/** Losses of one predictor by row, of which figures of any rows are made. */
class RowFigures {
  /** 1 where the interval, or the set of classes, holds the true value. */
  readonly covered: Float64Array;
  /** Classes in the set. */
  readonly setSizes: Float64Array;
  readonly #target: LearnTarget;
  readonly #losses: Float64Array;
  /** Squared errors of numbers; 1 for a wrong class. */
  readonly #errors: Float64Array;
  readonly #truth: Float64Array;
  readonly #predicted: Float64Array;

  constructor(target: LearnTarget, { samples, predicted, radius }: Predicted) {
    this.#target = target;
    this.#predicted = predicted;
    this.#truth = Float64Array.from(samples, (sample) => target.values[sample]);
    this.#losses = this.#truth.map((truth, row) => lossOf(target, predicted, row, truth));
    const k = target.classes.length;
    this.setSizes = new Float64Array(samples.length);
    if (target.kind === "numbers") {
      this.#errors = this.#losses.map((loss) => loss * loss);
      this.covered = this.#losses.map((loss, row) => (loss <= radius[row] ? 1 : 0));
      return;
    }
    this.#errors = this.#truth.map((truth, row) => (classOf(predicted, row, k) === truth ? 0 : 1));
    this.covered = this.#truth.map((truth, row) => (1 - predicted[row * k + truth] <= radius[row] ? 1 : 0));
    this.setSizes = this.#truth.map((_, row) => {
      let size = 0;
      for (let c = 0; c < k; c++) if (1 - predicted[row * k + c] <= radius[row]) size++;
      return size;
    });
  }

  figure(name: string, rows: Int32Array): number {
    switch (name) {
      case "mae":
      case "log_loss":
        return meanOf(rows, this.#losses);
      case "error":
        return meanOf(rows, this.#errors);
      case "rmse":
        return Math.sqrt(meanOf(rows, this.#errors));
      case "r2": {
        const mean = meanOf(rows, this.#truth);
        let total = 0;
        for (const row of rows) total += (this.#truth[row] - mean) ** 2 / rows.length;
        return total > 0 ? 1 - meanOf(rows, this.#errors) / total : Number.NaN;
      }
      default:
        return this.#auc(rows);
    }
  }

  /** Of two classes; of more, the mean over classes against the rest. */
  #auc(rows: Int32Array): number {
    const k = this.#target.classes.length;
    const areas: number[] = [];
    for (let c = k === 2 ? 1 : 0; c < k; c++) {
      const area = areaUnderRoc(
        Float64Array.from(rows, (row) => this.#predicted[row * k + c]),
        Float64Array.from(rows, (row) => (this.#truth[row] === c ? 1 : 0)),
      );
      if (area !== undefined) areas.push(area);
    }
    return areas.length > 0 ? areas.reduce((sum, area) => sum + area, 0) / areas.length : Number.NaN;
  }
}

/** The most probable class of a row. */
export function classOf(predicted: ArrayLike<number>, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++)
    if (predicted[row * classes + c] > predicted[row * classes + best]) best = c;
  return best;
}

function curveOf(target: LearnTarget, results: readonly JobResult[]): FoldSummary["curve"] {
  const shares = [...new Set(results.map(({ share }) => share))].sort((a, b) => a - b);
  return shares.flatMap((share) => {
    const own = results.filter((result) => result.share === share);
    const trained = own.reduce((sum, result) => sum + result.trained, 0) / own.length;
    return Object.keys(own[0].predictors).map((name) => {
      let [sum, count] = [0, 0];
      for (const { test, predictors } of own)
        test.forEach((sample, row) => {
          const { predicted } = predictors[name];
          const truth = target.values[sample];
          sum +=
            target.kind === "numbers"
              ? Math.abs(predicted[row] - truth)
              : classOf(predicted, row, target.classes.length) === truth
                ? 0
                : 1;
          count++;
        });
      return { share, trained, name, value: sum / count };
    });
  });
}
