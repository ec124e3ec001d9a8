import { join } from "node:path";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { textValues } from "../../data/encoding/categories.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { FineTuneConfig } from "../config/config.ts";
import { baseOfSamples } from "../contributions/asvBase.ts";
import { explainSamples } from "../contributions/explainSamples.ts";
import { predictSamples } from "../inference/predictSamples.ts";
import { type OpenedRun, openRun } from "../run/open.ts";
import { runCategories } from "../run/openSamples.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";
import { fineTune } from "../tasks/fineTune.ts";
import { inScratchFolder, refuseInterrupted, silent, splitFilesOf } from "../tasks/scratchRun.ts";
import { splitSamples } from "../tasks/splitSamples.ts";
import {
  type Contributions,
  chooseInside,
  type Learned,
  type LearnTarget,
  type LearnTask,
  widthOf,
} from "./learner.ts";
import { sharpened } from "./scores.ts";

/** A model that was fine-tuned in a fold, and the values of its categories. */
interface TrainedRun {
  readonly run: OpenedRun;
  readonly categories: SampleCategories | null;
}

/**
 * A model that is fine-tuned on some samples, of which a part decides when to stop. The encoder, unless it
 * was pretrained before, and all that is fitted with it come from these samples.
 */
async function trainedOn(dataset: Dataset, config: FineTuneConfig, train: Int32Array): Promise<TrainedRun> {
  return await inScratchFolder(async (folder) => {
    const own = divided(dataset, config, train);
    const { testSize, by } = config.split;
    const split = { testSize, by, ...splitFilesOf(folder, dataset, own) };
    const output = join(folder, "run");
    const given = {
      dataset,
      output,
      config: { ...config, split },
      device: "cpu",
      display: silent(),
    } as const;
    refuseInterrupted((await fineTune({ ...given, resume: false, plots: false })).result);
    const run = openRun(output, "cpu");
    return { run, categories: runCategories(run.facts, dataset, silent()) };
  });
}

/** Where a fold's model has each class of the target; classes that its training part lacks it has nowhere. */
function placesOf({ run }: TrainedRun, target: LearnTarget): number[] {
  return (run.targets!.classes ?? [""]).map((name) =>
    target.kind === "numbers" ? 0 : target.classes.indexOf(name),
  );
}

/** Values [n * classes of the model] as those of all classes [n * width], of which others have 0. */
function spread(values: Float64Array, places: readonly number[], width: number): Float64Array {
  if (places.length === width) return values;
  const all = new Float64Array((values.length / places.length) * width);
  values.forEach((value, i) => {
    all[Math.floor(i / places.length) * width + places[i % places.length]] = value;
  });
  return all;
}

function predictWith(
  trained: TrainedRun,
  dataset: Dataset,
  test: Int32Array,
  target: LearnTarget,
): Float64Array {
  const { run, categories } = trained;
  const [prediction] = predictSamples(run, dataset, test, { device: "cpu", categories }).predictions;
  if (prediction.kind === "numbers") return prediction.predicted;
  return spread(prediction.probabilities, placesOf(trained, target), widthOf(target));
}

/**
 * Predictions [test * width] of a fold's held-out samples by a model that was fine-tuned on the others: no
 * held-out sample decides anything.
 */
export async function fineTunedOn(
  dataset: Dataset,
  config: FineTuneConfig,
  { train, test }: { readonly train: Int32Array; readonly test: Int32Array },
  target: LearnTarget,
): Promise<Float64Array> {
  const trained = await trainedOn(dataset, config, train);
  try {
    return predictWith(trained, dataset, test, target);
  } finally {
    trained.run.model.dispose();
  }
}

/**
 * How a fold's training samples are divided. Where the last epoch is kept, those held out decide nothing, so
 * they are few: two samples; with `split.by` the smallest group of two or more, or two groups of one sample.
 */
export function divided(
  dataset: Dataset,
  { split, bestMetric, training }: Pick<FineTuneConfig, "split" | "bestMetric" | "training">,
  train: Int32Array,
) {
  const few = { ...split, testSize: Math.min(split.testSize, 2 / train.length) };
  if (bestMetric !== "last") return splitSamples(dataset, split, training.seed, train);
  if (split.by === null) return splitSamples(dataset, few, training.seed, train);
  const groups = textValues(dataset.column(split.by)).values;
  const bySize = [...Map.groupBy(train, (sample) => groups[sample]).values()].sort(
    (a, b) => a.length - b.length,
  );
  const [single, next] = bySize;
  const held = next?.length === 1 ? [...single, ...next] : bySize.find(({ length }) => length > 1);
  if (!held) return splitSamples(dataset, split, training.seed, train);
  const isHeld = (sample: number) => held.includes(sample);
  return { train: train.filter((sample) => !isHeld(sample)), validation: train.filter(isHeld) };
}

/**
 * The model that `train` makes, trained anew in each inner fold and on all training samples. It tells the
 * time to stop by whole groups, where the training samples have several.
 */
export async function fineTuned(task: LearnTask): Promise<Learned> {
  const { study, target, train, inner, groupOf, fineTune: config } = task;
  const { dataset } = study;
  if (!config) throw new RangeError("The predictor finetuned needs settings of a training.");
  const configOf = (own: Int32Array) => {
    const hasGroups = groupOf !== null && new Set(Array.from(own, (sample) => groupOf[sample])).size > 1;
    return { ...config, split: hasGroups ? config.split : { ...config.split, by: null } };
  };
  const ofFolds: Float64Array[] = [];
  for (const fold of inner) ofFolds.push(await fineTunedOn(dataset, configOf(fold.train), fold, target));
  const { unseen } = chooseInside(task, [{}], (_own, _test, fold) => [ofFolds[fold]]);
  const known = new Set(train);
  const others = study.samples.filter((sample) => !known.has(sample));
  const trained = await trainedOn(dataset, configOf(train), train);
  const predicted = predictWith(trained, dataset, others, target);
  const width = widthOf(target);
  const rowOf = new Map(Array.from(others, (sample, row) => [sample, row]));
  const predict = (samples: Int32Array) => {
    const own = new Float64Array(samples.length * width);
    samples.forEach((sample, i) => {
      const from = rowOf.get(sample)! * width;
      own.set(predicted.subarray(from, from + width), i * width);
    });
    return own;
  };
  return sharpened(task, {}, unseen, predict, (samples) => explainWith(trained, task, samples));
}

/** What each ASV adds to what the model says. */
function* explainWith(
  trained: TrainedRun,
  { study: { dataset }, train, target }: LearnTask,
  samples: Int32Array,
): Generator<Contributions> {
  const { run, categories } = trained;
  const from = baseOfSamples(dataset, train, batchOptionsOf(run.facts.config.model));
  const places = placesOf(trained, target);
  const width = widthOf(target);
  for (const { values, base } of explainSamples(run, dataset, from, samples, { device: "cpu", categories }))
    yield { values: spread(values, places, width), base: spread(base, places, width) };
}
