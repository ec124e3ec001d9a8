import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { type Fold, makeFolds } from "../../data/split/folds.ts";
import { fineTuneSchema } from "../config/config.ts";
import type { Settings } from "../config/mergeSettings.ts";
import { makePlan, type Plan, planSchema } from "../folds/plan.ts";
import { fineTunedOn } from "../predictors/fineTuned.ts";
import { lossOf } from "../predictors/learner.ts";
import { TrainingInterrupted } from "../tasks/scratchRun.ts";
import { type Dimension, drawPlaces, valueAtPlace, withValues } from "./space.ts";

/** All that decides the outcome of each trial, besides the data. */
export interface SearchConfig {
  /** The settings that trials start from; trial 0 has just these. */
  readonly base: Settings;
  readonly space: readonly Dimension[];
  readonly method: "halving" | "random";
  /** How many, besides trial 0. */
  readonly trials: number;
  /** Inner folds. */
  readonly folds: number;
  readonly seed: number;
}

/** One sample in this many is held out from the search. */
const testParts = 5;

export interface TrialResult {
  readonly name: string;
  /** By held-out sample: absolute error, or minus the logarithm of the true class's probability. */
  readonly losses: number[];
  /** Why there are none. */
  readonly error: string | null;
  readonly seconds: number;
}

/** The samples' parts: those that are searched on, in folds, and those that are looked at once in the end. */
export class SearchRunner {
  readonly config: SearchConfig;
  readonly plan: Plan;
  readonly outer: Fold;
  readonly inner: readonly Fold[];
  readonly #dataset: Dataset;

  /** @throws UserError for columns that do not do, and too few samples or groups. */
  constructor(dataset: Dataset, config: SearchConfig) {
    const { target, split, training } = fineTuneSchema.parse(config.base);
    this.#dataset = dataset;
    this.config = config;
    const { by: splitBy, stratify } = split;
    const plan = planSchema.parse({
      ...{ column: target.metadataColumn[0], classifier: target.classifier, splitBy, stratify },
      ...{ folds: testParts, seed: config.seed, predictors: ["ridge"] },
    });
    this.plan = makePlan(dataset, plan);
    [this.outer] = this.plan.jobs;
    const labels = (column: string) => ({ column, values: textValues(dataset.column(column)).values });
    this.inner = makeFolds(this.outer.train, {
      folds: config.folds,
      seed: new Random(training.seed).derive("search", config.seed).uint32(),
      ...(splitBy !== null && { groups: labels(splitBy) }),
      ...(stratify !== null && { strata: labels(stratify) }),
    });
  }

  /** Values of the searched settings; null for trial 0, which has those of `base`. */
  valuesOf(trial: number): unknown[] | null {
    if (trial === 0) return null;
    const { space } = this.config;
    return this.placesOf(trial).map((place, d) => valueAtPlace(space[d], place));
  }

  placesOf(trial: number): number[] {
    return drawPlaces(this.config.space, new Random(this.config.seed).derive("trial", trial));
  }

  settingsOf(trial: number): Settings {
    const { base, space } = this.config;
    const values = this.valuesOf(trial);
    return values === null ? base : withValues(base, space, values);
  }

  /** Does `trial-3-fold-2`, or `trial-3-test`: its outcome depends on data, settings and name alone. */
  async run(name: string): Promise<TrialResult> {
    const [, number, part] = /^trial-(\d+)-(?:fold-)?(\d+|test)$/.exec(name)!;
    const trial = Number(number);
    const fold = part === "test" ? this.outer : this.inner[Number(part) - 1];
    const started = performance.now();
    const outcome = (losses: number[], error: string | null): TrialResult => ({
      ...{ name, losses, error },
      seconds: (performance.now() - started) / 1000,
    });
    try {
      const config = fineTuneSchema.parse(this.settingsOf(trial));
      const { target } = this.plan;
      const predicted = await fineTunedOn(this.#dataset, config, fold, target);
      return outcome(
        Array.from(fold.test, (sample, row) => lossOf(target, predicted, row, target.values[sample])),
        null,
      );
    } catch (error) {
      // Settings that make a training fail are bad ones; if those of the base fail, so does the search.
      if (trial === 0 || error instanceof TrainingInterrupted) throw error;
      return outcome([], error instanceof Error ? error.message : String(error));
    }
  }
}
