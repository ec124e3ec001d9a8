/**
 * What goes wrong in the original AAM's training and does not here; numbers as in docs/from-pytorch-aam.md.
 */
import { beforeAll, expect, test } from "bun:test";
import { fineTuneStudy, historyOf, makeStudy, pretrainStudy, type Study } from "../../lab/material/study.ts";
import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import * as torch from "../../src/torch/index.ts";
import { batchOptionsOf, buildEncoder } from "../../src/training/config/buildModel.ts";
import { pretrainSchema } from "../../src/training/config/config.ts";
import { parameterGroups } from "../../src/training/loop/paramGroups.ts";
import { batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { useScratch } from "../helpers/scratch.ts";

torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

let runs = 0;
const next = () => scratch.path(`run-${runs++}`);

function smallEncoder() {
  const config = pretrainSchema.parse({ model: { embeddingDim: 8, attentionLayers: 2, attentionHeads: 2 } });
  const { model: shape } = config;
  const model = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: true });
  return { shape, model };
}

test("B20: a model of width 256, whose distances begin near the end of tanh, learns all the same", async () => {
  const output = next();
  await pretrainStudy(study, output, {
    model: { embeddingDim: 256, distanceForm: "tanh" },
    training: { epochs: 3, lr: 1e-3, nucPenalty: 0 },
  });
  const samples = Int32Array.from({ length: study.dataset.sampleCount }, (_, i) => i);
  const block = study.dataset.distance("unweighted").block(samples);
  const n = samples.length;
  // What it would cost to stay at the end, where all distances are 1.
  const stuck =
    block.reduce((sum, value, at) => sum + (at % (n + 1) === 0 ? 0 : (1 - value) ** 2), 0) / (n * (n - 1));
  expect(historyOf(output)[2].val.unifrac_loss).toBeLessThan(stuck / 2);
});

test("B30: with several validation passes the loss stays the loss, in its own unit", async () => {
  const train = (valPredictionPasses: number) => {
    const output = next();
    return fineTuneStudy(study, output, {
      valPredictionPasses,
      target: { metadataColumn: ["depth"] },
      model: { asvSampling: "random", tokenLimit: 4 },
      training: { epochs: 1, nucPenalty: 0.02 },
    }).then(() => historyOf(output)[0].val);
  };
  const [once, often] = [await train(1), await train(4)];
  expect(often.target_loss).toBe(once.target_loss);
  expect(often.total_loss).toBe(once.total_loss);
  expect(often.mae).not.toBe(once.mae);
  const parts = often.target_loss + often.unifrac_loss + 0.02 * often.nuc_loss;
  expect(often.total_loss).toBeCloseTo(parts, 6);
});

test("B32: the best epoch by r2 has the highest r2, and a metric that the task lacks is refused", async () => {
  const output = next();
  const training = { epochs: 5, lr: 0.1, scheduler: "constant" as const };
  const { summary } = await fineTuneStudy(study, output, { bestMetric: "r2", training });
  const values = historyOf(output).map((epoch: { val: { r2: number } }) => epoch.val.r2);
  expect(summary.best_epoch).toBe(values.indexOf(Math.max(...values)) + 1);
  const classes = fineTuneStudy(study, next(), { bestMetric: "r2", target: { metadataColumn: ["site"] } });
  await expect(classes).rejects.toThrow("--best-metric r2 does not exist for classes");
});

test("B38: the learning rate reaches what was asked for in a training of a few steps", async () => {
  const output = next();
  const learningRate = 0.01;
  const training = { warmup: pretrainSchema.parse({}).training.warmup, epochs: 4, lr: learningRate };
  await fineTuneStudy(study, output, { training });
  const rates = historyOf(output).map((epoch: { learningRate: number }) => epoch.learningRate);
  expect(rates[0]).toBeGreaterThan(0.8 * learningRate);
  expect(rates[3]).toBeLessThan(0.2 * learningRate);
});

test("B39: norms, biases and embeddings do not decay", () => {
  const { model } = smallEncoder();
  const [decay, plain] = ["decay", "no_decay"].map(
    (name) => parameterGroups(model, { weightDecay: 0.1 }).find((group) => group.name === name)!,
  );
  const names = new Map(model.namedParameters().map(([name, value]) => [value, name]));
  const of = (params: readonly torch.Tensor[]) => params.map((value) => names.get(value)!);
  expect([decay.weightDecay, plain.weightDecay]).toEqual([0.1, 0]);
  expect(of(decay.params).filter((name) => /bias|norm|embedding\.weight/.test(name))).toEqual([]);
  expect(of(plain.params).filter((name) => /(linear|proj|head)\w*\.weight$/.test(name))).toEqual([]);
  expect(decay.params.length + plain.params.length).toBe(names.size);
  model.dispose();
});

test("B43: evaluation computes what training computes, GELU included", () => {
  using _scope = torch.scope();
  torch.manualSeed(1);
  const { shape, model } = smallEncoder();
  const builder = new BatchBuilder(study.dataset, batchOptionsOf(shape));
  const { input } = batchTensors(builder.build(Int32Array.of(0, 1, 2, 3), new Random(0)), "cpu");
  const training = model.train().forward(input).embeddings!.detach();
  const evaluation = torch.noGrad(() => model.eval().forward(input).embeddings!);
  expect(training.sub(evaluation).abs().max().item()).toBeLessThan(1e-5);
  model.dispose();
});
