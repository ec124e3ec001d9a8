/**
 * What a step puts where, shown without an accelerator. LibTorch's `meta` device lacks kernels that only
 * Python registers, so a step runs on the CPU and what would go wrong elsewhere is looked for: tensors made
 * without naming a device, which would lie on the host, and values read back.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeStudy } from "../../lab/material/study.ts";
import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import * as torch from "../../src/torch/index.ts";
import { type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { precisionOn } from "../../src/training/loop/mixedPrecision.ts";
import { makeOptimizer, parameterGroups } from "../../src/training/loop/paramGroups.ts";
import { batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { makePretrainTask } from "../helpers/pretrainTask.ts";

torch.setNumThreads(1);
const folder = mkdtempSync(join(tmpdir(), "placement-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { dataset } = await makeStudy(join(folder, "study"), 20);

/** Operators that make a tensor from none: without a device it lies on the host. */
const makers =
  /^(empty|zeros|ones|full|eye|arange|linspace|logspace|rand|randn|randint|randperm|scalar_tensor|tril_indices|triu_indices)$/;

function namesDevice(args: readonly unknown[]): boolean {
  const last = args.at(-1);
  return typeof last === "object" && last !== null && "device" in last && last.device !== undefined;
}

const variants: Record<string, PretrainInput> = {
  "one pass": { nucShare: 1 },
  "nucleotides in a pass of their own": { nucShare: 0.25 },
  "spans, chunks, checkpoints, counts": {
    nucShare: 1,
    model: {
      nucMaskStrategy: "span",
      asvChunkSize: 8,
      gradientCheckpointing: true,
      countEmbeddingMethod: "film",
      dropout: 0.1,
    },
  },
};

for (const [name, input] of Object.entries(variants)) {
  test(`${name}: a pretraining step makes no tensor without saying where, and reads nothing back`, () => {
    const config = pretrainSchema.parse({
      ...input,
      model: { embeddingDim: 8, attentionLayers: 1, attentionHeads: 2, maxBp: 24, ...input.model },
    });
    const everyone = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
    const parts = { train: everyone, validation: everyone };
    const { model, task, batch: options } = makePretrainTask(dataset, config, parts);
    model.train();
    const batch = new BatchBuilder(dataset, options).build(everyone.subarray(0, 6), new Random(0));
    const optimizer = makeOptimizer(parameterGroups(model, config.training), config.training);
    const reads = torch.hostReadCount();
    const placeless: string[] = [];
    let made = 0;
    torch.tidy(() => {
      const { result } = torch.countOperators(
        () => task.losses(batch),
        (operator, args) => {
          if (!makers.test(operator)) return;
          made++;
          if (!namesDevice(args)) placeless.push(operator);
        },
      );
      result.total.backward();
      torch.nn.clipGradNorm_(model.parameters(), 1);
      optimizer.step();
    });
    expect(placeless).toEqual([]);
    expect(made).toBeGreaterThan(0);
    expect(torch.hostReadCount() - reads).toBe(0);
    optimizer.dispose();
    model.dispose();
  });
}

test("on an accelerator batches go through page-locked memory, asynchronously, and without host packing", () => {
  const batch = new BatchBuilder(dataset, { distance: "unweighted" }).build(
    Int32Array.of(0, 1, 2),
    new Random(0),
  );
  const copies: { nonBlocking: unknown; from: string }[] = [];
  const tensors = torch.tidy(() => {
    const { to } = torch.Tensor.prototype;
    torch.Tensor.prototype.to = function (this: torch.Tensor, ...given: Parameters<typeof to>) {
      const [options] = given;
      if (typeof options === "object" && "nonBlocking" in options)
        copies.push({ nonBlocking: options.nonBlocking, from: this.device });
      return to.apply(this, given);
    } as typeof to;
    try {
      const { input, targets } = batchTensors(batch, "meta");
      expect([input.asvPacking, input.samplePacking]).toEqual([null, null]);
      return [input.asvTokens, input.asvIndex, input.counts, input.multiplicity, targets.distances!];
    } finally {
      torch.Tensor.prototype.to = to;
    }
  });
  expect(new Set(tensors.map(({ device }) => device))).toEqual(new Set(["meta"]));
  expect(copies.length).toBeGreaterThanOrEqual(5);
  expect(copies.every(({ nonBlocking, from }) => nonBlocking === true && from === "cpu")).toBe(true);
  for (const tensor of tensors) tensor.dispose();
});

test("bf16 and TF32 are the default on CUDA alone, and give way to what is asked for", () => {
  const { training } = pretrainSchema.parse({});
  expect(precisionOn(training, "cuda")).toEqual({ mixedPrecision: "bf16", tf32: true });
  expect(precisionOn(training, "cuda:1")).toEqual({ mixedPrecision: "bf16", tf32: true });
  expect(precisionOn(training, "cpu")).toEqual({ mixedPrecision: "none", tf32: false });
  const asked = { ...training, mixedPrecision: "none", tf32: false } as const;
  expect(precisionOn(asked, "cuda")).toEqual({ mixedPrecision: "none", tf32: false });
});
