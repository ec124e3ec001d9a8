import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { type Fold, makeFolds } from "../../data/split/folds.ts";
import { contributedReasons } from "../predictors/contributedReasons.ts";
import { learnAll } from "../predictors/index.ts";
import type { RidgeSetting } from "../predictors/kernelRidge.ts";
import { type Learned, type LearnTarget, type LearnTask, meanLoss } from "../predictors/learner.ts";
import type { MedianLine } from "../predictors/medianLine.ts";
import { findReasons, type Reasons } from "../predictors/reasons.ts";
import { Study } from "../predictors/study.ts";
import { likenessOf } from "../predictors/unlike.ts";
import { openRun } from "../run/open.ts";
import { newEncoder, withNewEncoder } from "./newEncoder.ts";
import { fineTuneOf, type Job, type Plan } from "./plan.ts";
import { radiiOf } from "./radii.ts";

/** What one predictor came to in one fold. */
export interface PredictorResult {
  readonly settings: Learned["settings"];
  /** Mean loss on the training samples by the inner folds. */
  readonly inner: number;
  /** [test * width] */
  readonly predicted: number[];
  /** By held-out sample: half the width of its interval; of classes 1 - the least probability in its set. */
  readonly radius: readonly number[];
}

/** What one fold came to, as its file holds it. */
export interface JobResult {
  readonly name: string;
  readonly repeat: number;
  readonly fold: number;
  readonly share: number;
  readonly trained: number;
  readonly test: number[];
  readonly predictors: Readonly<Record<string, PredictorResult>>;
  /** By held-out sample; null without distances. */
  readonly likeness: number[] | null;
  /** By permutation, in ridge regression on presence. */
  readonly reasons: Reasons | null;
  /** By contributions to predictions: of each predictor that has them. */
  readonly contributions: Readonly<Record<string, Reasons>>;
  readonly seconds: number;
}

/** Does folds of a plan. What samples and pairs have is computed once for all of them. */
export class FoldRunner {
  readonly #plan: Plan;
  readonly #dataset: Dataset;
  readonly #study: Study;

  constructor(dataset: Dataset, plan: Plan) {
    this.#plan = plan;
    this.#dataset = dataset;
    const { encoder } = plan.config;
    const opened = encoder === null || encoder === newEncoder ? null : openRun(encoder, "cpu");
    this.#study = new Study(dataset, plan.samples, opened);
  }

  /**
   * Learns from the job's training samples and predicts the held-out ones. The outcome
   * depends on plan and job alone.
   */
  async run(job: Job): Promise<JobResult> {
    const started = performance.now();
    const { config, groupOf, groupColumn } = this.#plan;
    const train = job.share < 1 ? this.#thinned(job) : job.train;
    const learn = async (study: Study, encoder: string | null) => ({
      ...(await this.#learn(job, train, study, encoder)),
      seconds: (performance.now() - started) / 1000,
    });
    if (config.encoder !== newEncoder) return await learn(this.#study, config.encoder);
    const { encoderSteps: steps, seed } = config;
    const options = { train, groupOf, groupColumn, steps, seed };
    return await withNewEncoder(this.#dataset, options, async (run) => {
      const opened = openRun(run, "cpu");
      try {
        return await learn(this.#study.withEncoder(opened), run);
      } finally {
        opened.model.dispose();
      }
    });
  }

  /** @param encoder the folder of a run, or `builtin`, which `finetuned` starts from. */
  async #learn(
    job: Job,
    train: Int32Array,
    study: Study,
    encoder: string | null,
  ): Promise<Omit<JobResult, "seconds">> {
    const { target } = this.#plan;
    const task = this.#taskOf(job, train, study, encoder);
    const { test } = job;
    const learned = await learnAll(task, this.#plan.config.predictors);
    const predictors = Object.fromEntries(
      Object.entries(learned).map(([name, one]) => [name, this.#judge(task, one, test)]),
    );
    const wantsReasons = this.#plan.config.reasons && job.share === 1;
    const { ridge } = learned;
    // No ASV moves the constant.
    const { constant: _, ...moved } = learned;
    const likeness = job.share === 1 ? likenessOf(task, test) : null;
    return {
      ...{ name: job.name, repeat: job.repeat, fold: job.fold, share: job.share },
      trained: task.train.length,
      test: [...test],
      predictors,
      likeness: likeness && !likeness.some(Number.isNaN) ? [...likeness] : null,
      reasons:
        wantsReasons && ridge
          ? findReasons(task, target, test, ridge.settings as RidgeSetting & Partial<MedianLine>)
          : null,
      contributions: wantsReasons ? contributedReasons(task, moved, test) : {},
    };
  }

  #judge(task: LearnTask, { settings, unseen, predict }: Learned, test: Int32Array): PredictorResult {
    const predicted = predict(test);
    return {
      settings,
      inner: meanLoss(task.target, task.train, unseen),
      predicted: [...predicted],
      radius: radiiOf(task, { unseen }, predicted, this.#plan.config.coverage),
    };
  }

  #taskOf(job: Job, train: Int32Array, study: Study, encoder: string | null): LearnTask {
    const { config, target, groupOf, groupColumn } = this.#plan;
    const random = new Random(config.seed).derive("job", job.repeat, job.fold, job.share);
    // Learners never get a held-out value, so none can leak: it is not there.
    const values = new Float64Array(target.values.length).fill(Number.NaN);
    for (const sample of train) values[sample] = target.values[sample];
    const known: LearnTarget = { ...target, values };
    return {
      study,
      target: known,
      train,
      inner: this.#innerFolds(train, random, groupColumn),
      groupOf,
      random,
      trees: config.trees,
      fineTune: fineTuneOf(config, encoder),
    };
  }

  /**
   * Groups are held out whole inside as outside, where the training samples have several; fewer
   * folds where groups are few.
   */
  #innerFolds(train: Int32Array, random: Random, groupColumn: string | null): Fold[] {
    const { config, target } = this.#plan;
    const labels = (name: string) => ({
      column: name,
      values: textValues(this.#dataset.column(name)).values,
    });
    const known = groupColumn === null ? null : labels(groupColumn);
    const count = known ? new Set(Array.from(train, (i) => known.values[i])).size : 0;
    // A single group has nothing of another to be judged by but its own samples.
    const groups = count > 1 ? known : null;
    const units = groups ? count : train.length;
    const strata =
      target.kind === "classes"
        ? { column: target.column, values: Array.from(target.values, (value) => String(value)) }
        : null;
    return makeFolds(train, {
      folds: Math.max(2, Math.min(config.innerFolds, units)),
      seed: random.derive("inner").uint32(),
      ...(groups && { groups }),
      ...(strata && { strata }),
    });
  }

  /** A share of the training samples, or of the groups: larger shares hold smaller ones. */
  #thinned({ train, share, repeat, fold }: Job): Int32Array {
    const { groupOf, config } = this.#plan;
    const units = [...new Set(Array.from(train, (sample) => (groupOf ? groupOf[sample] : sample)))];
    const order = new Random(config.seed).derive("curve", repeat, fold).shuffle(units);
    const kept = new Set(order.slice(0, Math.max(2, Math.round(share * units.length))));
    return train.filter((sample) => kept.has(groupOf ? groupOf[sample] : sample));
  }
}
