/** The batch size that memory allows. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  fineTuneStudy,
  makeStudy,
  pretrainStudy,
  type Study,
  weightsOf,
} from "../../../lab/material/study.ts";
import { withMixtures } from "../../../src/data/batches/mixtures.ts";
import * as torch from "../../../src/torch/index.ts";
import { pretrainSchema } from "../../../src/training/config/config.ts";
import { chooseBatchSize, findBatchSize } from "../../../src/training/loop/batchSize.ts";
import { setMatmulPrecision } from "../../../src/training/tasks/runTraining.ts";
import { makePretrainTask } from "../../helpers/pretrainTask.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

// With several threads it depends on the clock what is in use at the same time.
torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 60);
});

/** A model large enough that a step's memory is what the allocator counts. */
function search() {
  const { dataset } = study;
  const config = pretrainSchema.parse({
    nucShare: 1,
    model: { embeddingDim: 32, attentionLayers: 1, attentionHeads: 2 },
  });
  const train = Int32Array.from({ length: 50 }, (_, i) => i);
  const { model, task, batch } = makePretrainTask(dataset, config, {
    train,
    validation: Int32Array.of(50, 51),
  });
  return {
    model,
    config,
    input: { task, dataset, train, batch, device: "cpu" as const, mixedPrecision: "none" as const },
  };
}

describe("findBatchSize", () => {
  test("B33: takes all samples where they fit, and never more", () => {
    const { model, input } = search();
    expect(findBatchSize({ ...input, budget: 1e12 }).batchSize).toBe(50);
    expect(findBatchSize({ ...input, train: input.train.subarray(0, 3), budget: 1e12 }).batchSize).toBe(3);
    model.dispose();
  });

  test("takes a step that stays within the budget, and no smaller one than it must", () => {
    const { model, input } = search();
    const whole = findBatchSize({ ...input, budget: 1e12 }).bytes;
    expect(whole).toBeGreaterThan(1e6);
    let before = 0;
    for (const share of [0.6, 0.75, 0.9]) {
      const { batchSize, bytes } = findBatchSize({ ...input, budget: share * whole });
      expect(bytes).toBeLessThanOrEqual(share * whole);
      expect(bytes).toBeGreaterThan(0.5 * share * whole);
      expect(batchSize).toBeGreaterThan(before);
      before = batchSize;
    }
    expect(before).toBeLessThan(50);
    model.dispose();
  });

  test("mixtures are samples as well", () => {
    const { model, input } = search();
    const { dataset, train } = input;
    const mixed = {
      ...input,
      train: withMixtures(train, 200, dataset.sampleCount),
      batch: { ...input.batch, mixtures: { of: train, seed: 0 } },
    };
    expect(findBatchSize({ ...mixed, budget: 1e12 }).batchSize).toBe(250);
    model.dispose();
  });

  test("leaves weights, gradients and random numbers as they were", () => {
    const { model, input } = search();
    using _scope = torch.scope();
    const before = model.parameters().map((value) => [...value.toFloat32Array()]);
    torch.manualSeed(3);
    const expected = [...torch.rand([4]).toFloat32Array()];
    torch.manualSeed(3);
    findBatchSize({ ...input, budget: 1e12 });
    expect([...torch.rand([4]).toFloat32Array()]).toEqual(expected);
    expect(model.parameters().map((value) => [...value.toFloat32Array()])).toEqual(before);
    expect(model.parameters().every((value) => value.grad === null)).toBe(true);
    model.dispose();
  });

  test("refuses where two samples are too many", () => {
    const { model, input } = search();
    expect(() => findBatchSize({ ...input, budget: 1000 })).toThrow(/--max-memory-fraction/);
    model.dispose();
  });
});

showsOptions(["pretrain", "train"], "--target-effective-batch-size");
test("a wanted number of samples for a step is made of few equal batches", () => {
  const { model, config, input } = search();
  const choose = (targetEffectiveBatchSize: number) => {
    const { batchSize, gradientAccumulationSteps } = chooseBatchSize(
      { ...config.training, targetEffectiveBatchSize },
      input,
    );
    return [batchSize, gradientAccumulationSteps];
  };
  expect(choose(20)).toEqual([20, 1]);
  expect(choose(50)).toEqual([50, 1]);
  expect(choose(120)).toEqual([40, 3]);
  model.dispose();
});

describe("--auto-batch-size", () => {
  const configOf = (run: string) => JSON.parse(readFileSync(join(scratch.path(run), "config.json"), "utf8"));

  showsOptions(["pretrain", "train"], "--auto-batch-size");
  test("trains with the size it found, which the run's configuration tells", async () => {
    const training = { autoBatchSize: true, epochs: 1 };
    const { summary } = await pretrainStudy(study, scratch.path("auto"), { training });
    expect(configOf("auto").training.batchSize).toBe(summary.samples.train);
    expect(summary.steps).toBe(1);
    const mixed = { training, mixtures: 9 };
    const { train } = (await pretrainStudy(study, scratch.path("auto-m"), mixed)).summary.samples;
    expect(configOf("auto-m").training.batchSize).toBe(train + 9);
    await fineTuneStudy(study, scratch.path("auto-f"), {
      training: { ...training, targetEffectiveBatchSize: 24 },
    });
    expect(configOf("auto-f").training).toMatchObject({ batchSize: 24, gradientAccumulationSteps: 1 });
  });

  test("changes nothing else: the same size given by hand trains the same weights", async () => {
    const auto = { autoBatchSize: true, targetEffectiveBatchSize: 24, epochs: 2 };
    await pretrainStudy(study, scratch.path("found"), { training: auto });
    await pretrainStudy(study, scratch.path("given"), { training: { batchSize: 24, epochs: 2 } });
    const weights = (run: string) => weightsOf(join(scratch.path(run), "checkpoints/last.safetensors"));
    expect(weights("found")).toEqual(weights("given"));
  });

  showsOptions(["pretrain", "train"], "--max-memory-fraction");
  test("keeps to its share of the memory, and goes on with the size it began with", async () => {
    const refused = pretrainStudy(study, scratch.path("none"), {
      training: { autoBatchSize: true, maxMemoryFraction: 1e-9 },
    });
    expect(refused).rejects.toThrow(/raise --max-memory-fraction/);
    const training = { autoBatchSize: true, targetEffectiveBatchSize: 12, epochs: 1 };
    await pretrainStudy(study, scratch.path("goes-on"), { training });
    const saved = pretrainSchema.parse(configOf("goes-on"));
    await pretrainStudy(
      study,
      scratch.path("goes-on"),
      { ...saved, training: { ...saved.training, epochs: 2 } },
      { resume: true },
    );
    expect(configOf("goes-on").training.batchSize).toBe(12);
  });

  test("without it its settings are refused", () => {
    const run = (training: object) => pretrainStudy(study, scratch.path("refused"), { training });
    expect(run({ targetEffectiveBatchSize: 64 })).rejects.toThrow(/is for --auto-batch-size/);
    expect(run({ maxMemoryFraction: 0.5 })).rejects.toThrow(/is for --auto-batch-size/);
  });
});

showsOptions(["pretrain", "train", "lr-finder"], "--tf32 --no-tf32");
test("--tf32 and --no-tf32 set how float32 matrices are multiplied, and --tf32 is refused on the CPU", () => {
  const { training } = pretrainSchema.parse({});
  try {
    // `--no-tf32` is the only one that differs from the default on a GPU.
    for (const [tf32, precision] of [
      [true, "high"],
      [false, "highest"],
      [null, "high"],
    ] as const) {
      setMatmulPrecision({ ...training, tf32 }, "cuda");
      expect(torch.getFloat32MatmulPrecision()).toBe(precision);
    }
  } finally {
    setMatmulPrecision(training, "cpu");
  }
  expect(torch.getFloat32MatmulPrecision()).toBe("highest");
  expect(pretrainStudy(study, scratch.path("tf32"), { training: { tf32: true } })).rejects.toThrow(
    /--tf32 is for GPUs/,
  );
});
