/**
 * Every option of `pretrain` changes what is learned, and every option of `lr-finder`
 * the losses that it finds.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  fineTuneStudy,
  makeStudy,
  outcomeOf,
  pretrainStudy,
  type Study,
  smallModel,
} from "../../lab/material/study.ts";
import { lrFinderOptions } from "../../src/cli/commands/lrFinder.ts";
import type { Batch } from "../../src/data/batches/batch.ts";
import * as torch from "../../src/torch/index.ts";
import { type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { findLearningRate } from "../../src/training/tasks/findLearningRate.ts";
import { FineTuneTask } from "../../src/training/tasks/fineTuneTask.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";
import {
  commonEffects,
  type Effect,
  unchanging,
  watchWork,
  withValue,
  workOf,
} from "../helpers/optionEffects.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions, showsRows } from "../helpers/showsOptions.ts";

// What is to be the same is the same to the last bit.
torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
});

/** What `make` gives for a configuration, made once. */
function once(make: (config: PretrainInput) => Promise<string>): (config: PretrainInput) => Promise<string> {
  const known = new Map<string, Promise<string>>();
  return (config) => {
    const key = JSON.stringify(config);
    const found = known.get(key) ?? make(config);
    known.set(key, found);
    return found;
  };
}

let runs = 0;
async function pretrain(config: PretrainInput): Promise<string> {
  const output = scratch.path(`run-${runs++}`);
  await pretrainStudy(study, output, {
    ...config,
    training: { epochs: 1, maxGradNorm: 100, ...config.training },
  });
  return outcomeOf(output);
}
const pretrained = once(pretrain);

const effects: readonly Effect<PretrainInput>[] = [
  ...commonEffects,
  ["sampleEpochs", 0, { training: { epochs: 2 } }],
  ["mixtures", 9],
  [
    "furtherMetrics",
    ["weighted_normalized"],
    { model: { encoder: "set", codeDim: 16 }, training: { nucPenalty: 0 } },
  ],
];

describe("what is set changes what an encoder learns", () => {
  test("and without a change all is the same", async () => {
    expect(await pretrain({})).toBe(await pretrained({}));
  });

  showsRows("pretrain", effects);
  test.each(effects)("pretraining with %s = %j", async (path, value, base = {}) => {
    expect((await pretrained(withValue(base, path, value))) === (await pretrained(base))).toBe(false);
  });
});

showsRows("pretrain", unchanging);
test.each(unchanging)("%s = %j changes how pretraining computes, but no figure", async (path, value) => {
  const base: PretrainInput = { training: { nucPenalty: 0 } };
  const figures = (text: string) => JSON.parse(text).figures[0].train as Record<string, number>;
  const usual = await watchWork(() => pretrain(base));
  const changed = await watchWork(() => pretrain(withValue(base, path, value)));
  expect(changed.work[workOf[path]]).toBeGreaterThan(usual.work[workOf[path]]);
  for (const [name, number] of Object.entries(figures(usual.result)))
    expect(figures(changed.result)[name]).toBeCloseTo(number, 4);
});

async function search(config: PretrainInput): Promise<string> {
  const full = pretrainSchema.parse({ ...config, model: { ...smallModel, ...config.model } });
  const { training } = full;
  const { rawLosses } = await findLearningRate({
    dataset: study.dataset,
    config: { ...full, training: { ...training, batchSize: Math.min(8, training.batchSize) } },
    device: "cpu",
    from: 1e-3,
    to: 1e-1,
    steps: 5,
  });
  return JSON.stringify([...rawLosses]);
}
const searched = once(search);
const searchPaths = new Set(lrFinderOptions.map(({ path }) => path));

describe("what is set changes a search of the learning rate", () => {
  test("and without a change all is the same", async () => {
    expect(await search({})).toBe(await searched({}));
  });

  const searchEffects = effects.filter(([path]) => searchPaths.has(path));
  showsRows("lr-finder", searchEffects);
  test.each(searchEffects)("a search with %s = %j", async (path, value, base = {}) => {
    expect((await searched(withValue(base, path, value))) === (await searched(base))).toBe(false);
  });
});

showsRows("lr-finder", unchanging);
test.each(unchanging)("%s = %j changes how a search computes, but no loss", async (path, value) => {
  const base: PretrainInput = { training: { nucPenalty: 0 } };
  const usual = await watchWork(() => search(base));
  const changed = await watchWork(() => search(withValue(base, path, value)));
  expect(changed.work[workOf[path]]).toBeGreaterThan(usual.work[workOf[path]]);
  const [before, after] = [usual, changed].map(({ result }) => JSON.parse(result) as number[]);
  for (const [i, loss] of before.entries()) expect(after[i]).toBeCloseTo(loss, 4);
});

showsOptions(["pretrain", "lr-finder"], "--train-samples --val-samples");
test("a split is taken from files", async () => {
  const ids = study.dataset.sampleIds;
  const split = {
    trainSamples: scratch.write("train.txt", ids.slice(0, 12).join("\n")),
    valSamples: scratch.write("val.txt", ids.slice(16).join("\n")),
  };
  const { summary } = await pretrainStudy(study, scratch.path("from-files"), {
    split,
    training: { maxSteps: 1 },
  });
  expect(summary.samples).toEqual({ train: 12, validation: ids.length - 16 });
  expect(await search({ split })).not.toBe(await searched({}));
});

showsOptions(["pretrain", "train"], "--save-minutes");
test.each([
  [PretrainTask, pretrainStudy],
  [FineTuneTask, fineTuneStudy],
])("a crash costs at most --save-minutes", async ({ prototype }, train) => {
  const { losses } = prototype;
  const crashed = async (saveMinutes?: number) => {
    let steps = 0;
    prototype.losses = function (this: PretrainTask & FineTuneTask, batch: Batch) {
      if (++steps === 3) throw new Error("power cut");
      return losses.call(this, batch);
    };
    const output = scratch.path(`run-${runs++}`);
    await expect(train(study, output, { training: { batchSize: 2, saveMinutes } })).rejects.toThrow(
      "power cut",
    );
    return existsSync(join(output, "checkpoints/last.safetensors"));
  };
  try {
    expect(await crashed()).toBe(false);
    expect(await crashed(1e-9)).toBe(true);
  } finally {
    prototype.losses = losses;
  }
});
