/** A step that runs out of memory is made again with less. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fineTuneStudy, historyOf, makeStudy, pretrainStudy, weightsOf } from "../../lab/material/study.ts";
import { AsvEncoder } from "../../src/models/asvEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import type { BatchLosses } from "../../src/training/loop/batchLosses.ts";
import { GradientCopy } from "../../src/training/loop/gradientCopy.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";

torch.setNumThreads(1);

const folder = mkdtempSync(join(tmpdir(), "out-of-memory-"));
afterAll(() => rmSync(folder, { recursive: true }));
const study = await makeStudy(join(folder, "study"), 40);

const outOfMemory = () => new torch.TorchError("CUDA out of memory", "out-of-memory", "aten::mm");

/** Trains with losses that fail in the forward or in the backward pass of given calls. */
async function failing<T>(
  calls: readonly number[],
  how: "forward" | "backward",
  train: () => Promise<T>,
): Promise<T> {
  const { losses } = PretrainTask.prototype;
  const { backward } = torch.Tensor.prototype;
  let call = 0;
  let failsBackward = false;
  PretrainTask.prototype.losses = function (batch): BatchLosses {
    const made = losses.call(this, batch);
    const fails = calls.includes(++call);
    if (fails && how === "forward") throw outOfMemory();
    failsBackward = fails;
    return made;
  };
  torch.Tensor.prototype.backward = function (...options) {
    backward.apply(this, options);
    // Gradients are there already.
    if (failsBackward) throw outOfMemory();
  };
  try {
    return await train();
  } finally {
    PretrainTask.prototype.losses = losses;
    torch.Tensor.prototype.backward = backward;
  }
}

const config = { training: { nucPenalty: 0, batchSize: 8, epochs: 1 } };
const figuresOf = (run: string) => historyOf(run)[0].train;

test.each(["forward", "backward"] as const)(
  "a step that fails in its %s pass is made again with half the ASVs at a time, and comes to the same",
  async (how) => {
    const [plain, again] = [join(folder, `plain-${how}`), join(folder, `again-${how}`)];
    // Plain steps: Adam would blow up the rounding of gradients that are zero.
    const plainly = { optimizer: "sgd", lr: 0.1, maxGradNorm: null } as const;
    const accumulated = { training: { ...config.training, ...plainly, gradientAccumulationSteps: 2 } };
    await pretrainStudy(study, plain, accumulated);
    await failing([2, 3, 5], how, () => pretrainStudy(study, again, accumulated));
    const log = readFileSync(join(again, "training.log"), "utf8");
    expect(log.match(/WARNING.*ran out of memory and is made again: from now on \d+ ASVs/g)).toHaveLength(3);
    const [expected, found] = [plain, again].map((run) =>
      weightsOf(join(run, "checkpoints/last.safetensors")),
    );
    for (const [name, values] of expected) {
      if (!name.startsWith("model/")) continue;
      const other = found.get(name)!;
      expect(values.every((value, i) => Math.abs(value - other[i]) < 1e-5)).toBe(true);
    }
    expect(figuresOf(again).unifrac_loss).toBeCloseTo(figuresOf(plain).unifrac_loss, 5);
  },
);

test("where less memory cannot be taken the error is told", async () => {
  const every = Array.from({ length: 40 }, (_, i) => i + 1);
  const run = failing(every, "forward", () => pretrainStudy(study, join(folder, "hopeless"), config));
  expect(run).rejects.toThrow(/out of memory/);
  await run.catch(() => {});
  // 30 ASVs: 15, 8, 4, 2, 1.
  const log = readFileSync(join(folder, "hopeless/training.log"), "utf8");
  expect(log.match(/made again: from now on \d+/g)!.length).toBeLessThanOrEqual(5);
  expect(log).toContain("from now on 1 ASVs");
});

test("other errors are not taken for a lack of memory", async () => {
  const { losses } = PretrainTask.prototype;
  PretrainTask.prototype.losses = () => {
    throw new torch.TorchError("shapes differ", "runtime");
  };
  try {
    expect(pretrainStudy(study, join(folder, "other"), config)).rejects.toThrow(/shapes differ/);
  } finally {
    PretrainTask.prototype.losses = losses;
  }
});

test("halved chunks end at one ASV", () => {
  const encoder = new AsvEncoder({ dim: 8, layers: 1, heads: 2, dropout: 0, maxBp: 6 });
  expect(encoder.halveChunks()).toBeNull();
  torch.tidy(() =>
    encoder
      .forward(torch.randint(1, 5, [5, 7]))
      .embeddings.sum()
      .item(),
  );
  expect([1, 2, 3, 4].map(() => encoder.halveChunks())).toEqual([3, 2, 1, null]);
  encoder.dispose();
});

test("kept gradients come back, also where there were none", () => {
  using _scope = torch.scope();
  const layer = new torch.nn.Linear(2, 1);
  layer.weight.grad = torch.ones([1, 2]);
  using kept = new GradientCopy(layer);
  layer
    .forward(torch.ones([3, 2]))
    .sum()
    .backward();
  kept.restore();
  expect([...layer.weight.grad.toFloat32Array()]).toEqual([1, 1]);
  expect(layer.bias!.grad).toBeNull();
});

test("fine-tuning makes its failed steps again too", async () => {
  const { FineTuneTask } = await import("../../src/training/tasks/fineTuneTask.ts");
  const { losses } = FineTuneTask.prototype;
  let call = 0;
  FineTuneTask.prototype.losses = function (batch) {
    const made = losses.call(this, batch);
    if (++call === 2) throw outOfMemory();
    return made;
  };
  try {
    await fineTuneStudy(study, join(folder, "fine-tuned"), { training: { epochs: 1 } });
  } finally {
    FineTuneTask.prototype.losses = losses;
  }
  expect(readFileSync(join(folder, "fine-tuned/training.log"), "utf8")).toContain("is made again");
});
