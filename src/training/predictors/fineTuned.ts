import { join } from "node:path";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { FineTuneConfig } from "../config/config.ts";
import { predictSamples } from "../inference/predictSamples.ts";
import { openRun } from "../run/open.ts";
import { runCategories } from "../run/openSamples.ts";
import { fineTune } from "../tasks/fineTune.ts";
import { inScratchFolder, refuseInterrupted, silent, splitFilesOf } from "../tasks/scratchRun.ts";
import { splitSamples } from "../tasks/splitSamples.ts";
import { chooseInside, type Learned, type LearnTarget, type LearnTask, widthOf } from "./learner.ts";
import { sharpened } from "./scores.ts";

/**
 * Predictions [test * width] of a fold's held-out samples by a model that was fine-tuned on the others, of
 * which a part decided when to stop: no held-out sample is in either. The encoder, unless it was pretrained
 * before, and all that is fitted with it come from the fold's training samples.
 */
export async function fineTunedOn(
  dataset: Dataset,
  config: FineTuneConfig,
  { train, test }: { readonly train: Int32Array; readonly test: Int32Array },
  target: LearnTarget,
): Promise<Float64Array> {
  return await inScratchFolder(async (folder) => {
    const own = splitSamples(dataset, config.split, config.training.seed, train);
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
    const categories = runCategories(run.facts, dataset, silent());
    const [prediction] = predictSamples(run, dataset, test, { device: "cpu", categories }).predictions;
    run.model.dispose();
    if (prediction.kind === "numbers") return prediction.predicted;
    // Classes that the training part lacks have a share of 0.
    const width = widthOf(target);
    const shares = new Float64Array(test.length * width);
    const places = prediction.classes.map((name) => target.classes.indexOf(name));
    for (let row = 0; row < test.length; row++)
      places.forEach((place, c) => {
        shares[row * width + place] = prediction.probabilities[row * places.length + c];
      });
    return shares;
  });
}

/**
 * The model that `train` makes, trained anew in each inner fold and on all training samples. It tells the
 * time to stop by whole groups, where the training samples have several.
 */
export async function fineTuned(task: LearnTask): Promise<Learned> {
  const { study, target, train, inner, groupOf, fineTune: config } = task;
  if (!config) throw new RangeError("The predictor finetuned needs settings of a training.");
  const learn = (own: Int32Array, test: Int32Array) => {
    const hasGroups = groupOf !== null && new Set(Array.from(own, (sample) => groupOf[sample])).size > 1;
    const split = hasGroups ? config.split : { ...config.split, by: null };
    return fineTunedOn(study.dataset, { ...config, split }, { train: own, test }, target);
  };
  const ofFolds: Float64Array[] = [];
  for (const { train: own, test } of inner) ofFolds.push(await learn(own, test));
  const { unseen } = chooseInside(task, [{}], (_own, _test, fold) => [ofFolds[fold]]);
  const trained = new Set(train);
  const others = study.samples.filter((sample) => !trained.has(sample));
  const predicted = await learn(train, others);
  const width = widthOf(target);
  const rowOf = new Map(Array.from(others, (sample, row) => [sample, row]));
  return sharpened(task, {}, unseen, (samples) => {
    const own = new Float64Array(samples.length * width);
    samples.forEach((sample, i) => {
      const from = rowOf.get(sample)! * width;
      own.set(predicted.subarray(from, from + width), i * width);
    });
    return own;
  });
}
