/**
 * What a step, a prediction and a run compute and how often, by counters: the claims about speed that do
 * not depend on a clock. The study's sequences differ in length and its samples in richness, so that
 * there is padding in both.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encoderOperations, keptBytes, lengthsOf } from "../../lab/bench/flops.ts";
import { fineTuneStudy, makeStudy, pretrainStudy } from "../../lab/material/study.ts";
import { Random } from "../../src/common/random/random.ts";
import { type Batch, BatchBuilder } from "../../src/data/batches/batch.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { AsvEncoder } from "../../src/models/asvEncoder.ts";
import { maskCapacity } from "../../src/models/masking.ts";
import * as torch from "../../src/torch/index.ts";
import { type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { embedSampleSet } from "../../src/training/inference/embedSamples.ts";
import { predictSamples } from "../../src/training/inference/predictSamples.ts";
import { openRun } from "../../src/training/run/open.ts";
import { FineTuneTask } from "../../src/training/tasks/fineTuneTask.ts";
import { makePretrainTask } from "../helpers/pretrainTask.ts";

torch.setNumThreads(1);

const folder = mkdtempSync(join(tmpdir(), "step-counts-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Sequences of several lengths. */
async function makeUnequalDataset() {
  const simulation = simulate({ samples: 40, asvs: 60, richness: 16, length: 40, varyLength: true, seed: 5 });
  const files = writeSimulation(join(folder, "unequal"), simulation);
  await prepareDataset({ ...files, metrics: ["unweighted"] }, join(folder, "unequal-set"));
  return openDataset(join(folder, "unequal-set"));
}
const dataset = await makeUnequalDataset();
const everyone = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);

/** A pretraining task on these samples, and one batch. */
function prepare(input: PretrainInput) {
  const config = pretrainSchema.parse({
    ...input,
    model: { embeddingDim: 16, attentionLayers: 2, attentionHeads: 2, maxBp: 60, ...input.model },
  });
  const parts = { train: everyone, validation: everyone };
  const { model, task, batch: options } = makePretrainTask(dataset, config, parts);
  model.train();
  const batch = new BatchBuilder(dataset, options).build(everyone.subarray(0, 10), new Random(0));
  return {
    task,
    model,
    batch,
    shape: { dim: config.model.embeddingDim, layers: config.model.attentionLayers },
  };
}

/** The sequences that ASV encoders encode from now on, call by call, as texts; `stop` ends it. */
function watchEncoding(): { calls: string[][]; stop(): void } {
  const { forward } = AsvEncoder.prototype;
  const calls: string[][] = [];
  AsvEncoder.prototype.forward = function (tokens, request) {
    const [count, length] = tokens.shape;
    const values = tokens.toFloat64Array();
    const rows = Array.from({ length: count }, (_, row) => values.slice(row * length, (row + 1) * length));
    calls.push(rows.map((row) => row.join().replace(/(,0)+$/, "")));
    return forward.call(this, tokens, request);
  };
  return { calls, stop: () => void (AsvEncoder.prototype.forward = forward) };
}

/** The sequences that are encoded while something runs. */
async function encodedBy(run: () => unknown): Promise<string[][]> {
  const { calls, stop } = watchEncoding();
  try {
    await run();
  } finally {
    stop();
  }
  return calls;
}

const distinct = (values: Iterable<unknown>) => new Set(values).size;
const filledSlots = ({ asvIndex }: Batch) => asvIndex.reduce((sum, index) => sum + (index > 0 ? 1 : 0), 0);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0);

/** What the transformer layers of a step are given: tokens and the operations of their products. */
function layersOf(run: () => unknown): { tokens: number[]; operations: number } {
  const tokens: number[] = [];
  let operations = 0;
  torch.tidy(() =>
    torch.countOperators(run, (name, args) => {
      if (name === "aamt::transformer_layer") {
        const [input, weights, runs] = args as [torch.Tensor, torch.Tensor[], number[]];
        const [count, dim] = input.shape;
        tokens.push(count);
        for (const weight of weights) if (weight.shape.length === 2) operations += 2 * count * weight.numel;
        for (let i = 0; i < runs.length; i += 2) operations += 4 * runs[i] * runs[i + 1] ** 2 * dim;
      }
    }),
  );
  return { tokens, operations };
}

test("the batch has what is counted: repeated ASVs, and padding of both kinds", () => {
  const { batch, model } = prepare({});
  expect(filledSlots(batch)).toBeGreaterThan(1.5 * batch.distinct);
  expect(sum(batch.asvLengths)).toBeLessThan(batch.distinct * batch.tokens);
  expect(filledSlots(batch)).toBeLessThan(batch.samples * batch.slots);
  model.dispose();
});

test("a pretraining step encodes each distinct ASV once", async () => {
  const { task, batch, model } = prepare({ nucShare: 1 });
  const calls = await encodedBy(() => torch.tidy(() => void task.losses(batch)));
  expect(calls.map((rows) => [rows.length, distinct(rows)])).toEqual([[batch.distinct, batch.distinct]]);
  model.dispose();
});

test("a pass of its own for nucleotides encodes its share of the ASVs besides", async () => {
  const { task, batch, model } = prepare({ nucShare: 0.25 });
  const calls = await encodedBy(() => torch.tidy(() => void task.losses(batch)));
  const share = Math.ceil(0.25 * batch.distinct);
  expect(calls.map((rows) => [rows.length, distinct(rows)])).toEqual([
    [batch.distinct, batch.distinct],
    [share, share],
  ]);
  model.dispose();
});

test("only real tokens go through the layers, and their products are those of the plan's formula", () => {
  const { task, batch, model, shape } = prepare({ nucShare: 1 });
  const { tokens, operations } = layersOf(() => task.losses(batch));
  const { layers } = shape;
  const asvs = new Array(layers).fill(sum(batch.asvLengths));
  const samples = new Array(2 * layers).fill(filledSlots(batch));
  expect(tokens).toEqual([...asvs, ...samples]);
  expect(operations).toBe(encoderOperations(lengthsOf(batch), shape));
  model.dispose();
});

test("the nucleotide head sees only tokens whose loss is taken", () => {
  const maskRatio = 0.15;
  const rowsSeen = (input: PretrainInput) => {
    const { task, batch, model } = prepare({ ...input, model: { nucMaskRatio: maskRatio, ...input.model } });
    const head = model.sampleEncoder.asvEncoder.nucleotideHead!;
    const rows: number[] = [];
    const forward = head.forward.bind(head);
    head.forward = (values) => {
      rows.push(values.size(0));
      return forward(values);
    };
    torch.tidy(() => void task.losses(batch));
    model.dispose();
    return { rows, batch };
  };
  const inOnePass = rowsSeen({ nucShare: 1 });
  const { distinct: count, tokens } = inOnePass.batch;
  const capacity = maskCapacity(count, tokens, maskRatio, "random");
  expect(inOnePass.rows).toEqual([capacity]);
  expect(capacity).toBeLessThan(0.3 * count * tokens);
  const share = Math.ceil(0.25 * count);
  expect(rowsSeen({ nucShare: 0.25 }).rows).toEqual([maskCapacity(share, tokens, maskRatio, "random")]);
  expect(rowsSeen({ training: { nucPenalty: 0 } }).rows).toEqual([]);
});

test("what is kept for the backward pass is what the plan says, and chunks with checkpoints bound it", () => {
  const [dim, layers, length] = [64, 2, 101];
  const keptBy = (count: number, chunk: object) => {
    const encoder = new AsvEncoder({
      dim,
      layers,
      heads: 4,
      dropout: 0,
      maxBp: length - 1,
      ...chunk,
    }).train();
    using _scope = torch.scope();
    const tokens = torch.randint(1, 5, [count, length]);
    torch.emptyCache();
    const before = torch.memory().cpu.allocated;
    torch.resetPeakMemory();
    // Values in between are freed; what the graph refers to stays.
    const embeddings = torch.tidy(() => encoder.forward(tokens, { hasPadding: false }).embeddings);
    const kept = torch.memory().cpu.allocated - before;
    embeddings.sum().backward();
    const peak = torch.memory().cpu.allocatedPeak - before;
    encoder.dispose();
    return { kept, peak };
  };
  const plan = (count: number) =>
    keptBytes({ sequences: new Array(count).fill(length), samples: [] }, { dim, layers });
  for (const count of [64, 128]) {
    const { kept } = keptBy(count, {});
    expect(kept).toBeGreaterThanOrEqual(plan(count));
    // Besides the layers: embedded tokens, the last norm, pooling.
    expect(kept).toBeLessThan(1.2 * plan(count));
  }
  const chunked = { chunkSize: 16, gradientCheckpointing: true };
  const [some, twice] = [keptBy(64, chunked), keptBy(128, chunked)];
  // Embeddings and tokens alone remain of a chunk: 8 bytes of a token, and one vector of 64 for all of them.
  expect(some.kept).toBeLessThan(0.02 * plan(64));
  // In the backward pass one chunk's values, whatever their number.
  expect(some.peak).toBeGreaterThan(plan(16));
  expect(some.peak).toBeLessThan(2.5 * plan(16));
  expect(twice.peak - some.peak).toBeLessThan(0.05 * plan(64));
});

test("fine-tuning encodes each distinct ASV of a batch once, a table's once in prediction, a frozen encoder's once in a run", async () => {
  const study = await makeStudy(join(folder, "study"), 30);
  const samples = study.dataset.sampleCount;
  const [pretrained, tuned, frozen] = ["pretrained", "tuned", "frozen"].map((name) => join(folder, name));
  await pretrainStudy(study, pretrained, { training: { epochs: 1 } });
  const all = Int32Array.from({ length: samples }, (_, i) => i);
  const asvsOf = (rows: Iterable<number>) => {
    const found = new Set<number>();
    for (const row of rows) for (const asv of study.dataset.sample(row).asvs) found.add(asv);
    return found.size;
  };

  const { losses } = FineTuneTask.prototype;
  const steps: { encoded: string[][]; distinct: number }[] = [];
  FineTuneTask.prototype.losses = function (batch) {
    const { calls, stop } = watchEncoding();
    try {
      return losses.call(this, batch);
    } finally {
      stop();
      steps.push({ encoded: calls, distinct: batch.distinct });
    }
  };
  try {
    const training = { epochs: 1, nucPenalty: 0 };
    await fineTuneStudy(study, tuned, { pretrainedEncoder: pretrained, training });
  } finally {
    FineTuneTask.prototype.losses = losses;
  }
  expect(steps.length).toBeGreaterThan(1);
  for (const { encoded, distinct: wanted } of steps)
    expect(encoded.map((rows) => [rows.length, distinct(rows)])).toEqual([[wanted, wanted]]);

  const run = openRun(tuned, "cpu");
  const predicted = await encodedBy(() =>
    predictSamples(run, study.dataset, all, { device: "cpu", categories: null }),
  );
  expect([predicted.flat().length, distinct(predicted.flat())]).toEqual([asvsOf(all), asvsOf(all)]);
  const embedded = await encodedBy(() =>
    torch.tidy(() => {
      embedSampleSet(run.encoder, study.dataset, all, { device: "cpu", batch: {} });
    }),
  );
  expect([embedded.flat().length, distinct(embedded.flat())]).toEqual([asvsOf(all), asvsOf(all)]);

  const input = { pretrainedEncoder: pretrained, freezeBase: true, training: { epochs: 3 } };
  const ofRun = await encodedBy(() => fineTuneStudy(study, frozen, input));
  expect([ofRun.flat().length, distinct(ofRun.flat())]).toEqual([asvsOf(all), asvsOf(all)]);
});
