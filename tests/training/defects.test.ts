/** What goes wrong in the original AAM and does not here; numbers as in docs/from-pytorch-aam.md. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  fineTuneStudy,
  historyOf,
  makeStudy,
  pretrainStudy,
  type Study,
  weightsOf,
} from "../../lab/material/study.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import * as torch from "../../src/torch/index.ts";
import { pretrainSchema } from "../../src/training/config/config.ts";
import { embedSamples } from "../../src/training/inference/embedSamples.ts";
import { predictSamples } from "../../src/training/inference/predictSamples.ts";
import { openRun } from "../../src/training/run/open.ts";
import { findLearningRate } from "../../src/training/tasks/findLearningRate.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

let runs = 0;
const next = () => scratch.path(`run-${runs++}`);

test.each(["add", "concat", "film"] as const)(
  "B4: counts enter by %s in training, validation and prediction",
  async (method) => {
    const output = next();
    const model = { countEmbeddingMethod: method };
    await fineTuneStudy(study, output, { model });
    const { targets, ...opened } = openRun(output, "cpu");
    const samples = Int32Array.of(0, 1, 2);
    const { predictions } = predictSamples({ ...opened, targets }, study.dataset, samples, {
      device: "cpu",
      categories: null,
    });
    expect(predictions[0].predicted.every(Number.isFinite)).toBe(true);
    await pretrainStudy(study, next(), { model });
  },
);

test("B4: counts enter where a batch size or a learning rate is searched, too", async () => {
  const model = {
    embeddingDim: 8,
    attentionLayers: 1,
    attentionHeads: 2,
    countEmbeddingMethod: "film",
  } as const;
  await pretrainStudy(study, next(), { model, training: { epochs: 1, autoBatchSize: true } });
  const config = pretrainSchema.parse({ model });
  const range = { from: 1e-4, to: 1e-2, steps: 3 };
  const { rawLosses } = await findLearningRate({ dataset: study.dataset, config, device: "cpu", ...range });
  expect(rawLosses.length).toBe(3);
  expect([...rawLosses].every(Number.isFinite)).toBe(true);
});

test("B36: an encoder that was told counts is told the same ones in fine-tuning", async () => {
  const [encoder, tuned] = [next(), next()];
  await pretrainStudy(study, encoder, { model: { countEmbeddingMethod: "add" } });
  await fineTuneStudy(study, tuned, { pretrainedEncoder: encoder, freezeBase: true });
  using _scope = torch.scope();
  const samples = Int32Array.of(0, 1, 2);
  const [before, after] = [encoder, tuned].map((run) =>
    embedSamples(openRun(run, "cpu"), study.dataset, samples, "cpu").toFloat32Array(),
  );
  expect(after).toEqual(before);
});

test("B7: Faith's PD can be pretrained and fine-tuned, in its own units", async () => {
  const encoder = next();
  const { summary } = await pretrainStudy(study, encoder, {
    unifracMetric: "faith_pd",
    training: { epochs: 4 },
  });
  const values = study.dataset.vector("faith_pd");
  expect(summary["val.unifrac_mae"]).toBeLessThan(Math.max(...values) - Math.min(...values));
  const tuned = next();
  await fineTuneStudy(study, tuned, { unifracMetric: "faith_pd", pretrainedEncoder: encoder });
  expect(historyOf(tuned)[0].train.unifrac_loss).toBeGreaterThan(0);
});

test("B8: parts smaller than a batch are trained on and judged, every sample of them", async () => {
  const output = next();
  await fineTuneStudy(study, output, { training: { batchSize: 500 }, split: { testSize: 0.1 } });
  const predicted = readFileSync(join(output, "val_predictions.tsv"), "utf8").trim().split("\n").slice(1);
  const ids = readFileSync(join(output, "val_sample_ids.txt"), "utf8").trim().split("\n");
  expect(predicted.map((line) => line.split("\t")[0])).toEqual(ids);
});

test("B9: the count loss is small whatever the transform of the target", async () => {
  for (const transform of ["none", "zscore", "log-minmax"] as const) {
    const output = next();
    await fineTuneStudy(study, output, {
      target: { metadataColumn: ["depth"], transform, countPrediction: true },
    });
    expect(historyOf(output)[0].train.count_loss).toBeLessThan(1);
    expect(historyOf(output)[0].val.count_mae).toBeLessThan(1);
  }
});

test("B11, B12: ids that look like numbers match, and samples that metadata lack are left out", async () => {
  const folder = scratch.path("numeric");
  const lines = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
  const table = scratch.path("numeric.tsv");
  const ids = study.dataset.sampleIds;
  const cells = ids.map((_, i) => study.dataset.sample(i));
  const rows = Array.from({ length: study.dataset.asvCount }, (_, row) => {
    const counts = cells.map(({ asvs, counts: own }) => own[asvs.indexOf(row)] ?? 0);
    return [study.dataset.asvSequence(row), ...counts].join("\t");
  });
  writeFileSync(table, [["#OTU ID", ...ids.map((_, i) => String(100 + i))].join("\t"), ...rows].join("\n"));
  const metadata = scratch.path("numeric-metadata.tsv");
  const values = lines
    .slice(1, 31)
    .map((line, i) => [String(100 + i), ...line.split("\t").slice(1)].join("\t"));
  writeFileSync(metadata, [lines[0], ...values].join("\n"));
  await prepareDataset({ table, metadata, rarefyDepth: "none" }, folder);
  using dataset = openDataset(folder);
  const { summary } = await fineTuneStudy({ ...study, dataset }, next(), {});
  expect(summary.samples.train + summary.samples.validation).toBe(30);
});

test("B16: the nucleotide loss of validation is of hidden bases, as in training", async () => {
  const output = next();
  const training = { epochs: 1, lr: 1e-12, weightDecay: 0 };
  await pretrainStudy(study, output, { training });
  const [{ train, val }] = historyOf(output);
  expect(Math.abs(train.nuc_loss - val.nuc_loss)).toBeLessThan(0.15);
});

test("B21: the best checkpoint holds the weights of the best epoch, and says which", async () => {
  const output = next();
  const training = { epochs: 5, lr: 0.1, scheduler: "constant" as const };
  const { summary } = await fineTuneStudy(study, output, { training });
  const losses = historyOf(output).map((epoch: { val: { target_loss: number } }) => epoch.val.target_loss);
  expect(summary.best_epoch).toBe(losses.indexOf(Math.min(...losses)) + 1);
  expect(summary.validation["target_loss"]).toBeCloseTo(Math.min(...losses), 5);
});

test("B23: batches that go together average their gradients, the last group too", async () => {
  // One group of all batches of an epoch, whole or not, is one step.
  const output = next();
  const { summary } = await fineTuneStudy(study, output, {
    training: { epochs: 2, batchSize: 8, gradientAccumulationSteps: 3 },
  });
  // 28 training samples in 4 batches: groups of 3 and 1.
  expect(summary.steps).toBe(4);
  const norms = (gradientAccumulationSteps: number) => {
    const run = next();
    const training = {
      epochs: 1,
      batchSize: 14,
      gradientAccumulationSteps,
      optimizer: "sgd" as const,
      momentum: 0,
      weightDecay: 0,
      nucPenalty: 0,
      penalty: 0,
      lr: 1e-3,
      maxGradNorm: null,
    };
    return fineTuneStudy(study, run, { training }).then(() =>
      weightsOf(join(run, "checkpoints/best.safetensors")),
    );
  };
  // Two halves together, in one step, or in a group that could hold more.
  const [two, more] = [await norms(2), await norms(7)];
  for (const [name, values] of two) expect(more.get(name)).toEqual(values);
});

test("B25: every epoch is on record, also the last before an early end", async () => {
  const output = next();
  const training = { epochs: 30, patience: 1, lr: 0.3, scheduler: "constant" as const };
  const { summary } = await fineTuneStudy(study, output, { training });
  expect(summary.stopped_by).toBe("early stopping");
  expect(historyOf(output).length).toBe(summary.epochs);
});

test("B28: zscore-category works without categorical columns, in the column's own units", async () => {
  const output = next();
  const { summary } = await fineTuneStudy(study, output, {
    target: { metadataColumn: ["depth"], transform: "zscore-category", normalizeBy: ["site"] },
  });
  const rows = readFileSync(join(output, "val_predictions.tsv"), "utf8").trim().split("\n").slice(1);
  expect(rows.every((row) => Number(row.split("\t")[1]) > 1)).toBe(true);
  expect(summary.validation["mae"]).toBeLessThan(6);
});

test("B31: passes are averaged for each column on its own", async () => {
  const output = next();
  await fineTuneStudy(study, output, {
    target: { metadataColumn: ["ph", "depth"] },
    model: { asvSampling: "random", tokenLimit: 4 },
  });
  const opened = openRun(output, "cpu");
  const samples = Int32Array.from({ length: 10 }, (_, i) => i);
  const options = { device: "cpu", categories: null, passes: 5 } as const;
  const { predictions, deviations } = predictSamples(opened, study.dataset, samples, options);
  expect(predictions.map(({ column }) => column)).toEqual(["ph", "depth"]);
  expect(deviations.every((own) => own?.some((value) => value > 0))).toBe(true);
  expect([...predictions[0].predicted]).not.toEqual([...predictions[1].predicted]);
});

test("B31: the probabilities of classes are averaged over the passes, and the likeliest class is told", async () => {
  const output = next();
  await fineTuneStudy(study, output, {
    target: { metadataColumn: ["site"] },
    model: { asvSampling: "random", tokenLimit: 4 },
  });
  const samples = Int32Array.from({ length: 10 }, (_, i) => i);
  const predict = (passes: number) => {
    const { predictions } = predictSamples(openRun(output, "cpu"), study.dataset, samples, {
      ...{ device: "cpu", categories: null, passes },
    });
    if (predictions[0].kind !== "classes") throw new Error("expected classes");
    return predictions[0];
  };
  const [one, many] = [predict(1), predict(5)];
  const { classes, probabilities, predicted } = many;
  expect(probabilities).not.toEqual(one.probabilities);
  for (let row = 0; row < samples.length; row++) {
    const own = [...probabilities.subarray(row * classes.length, (row + 1) * classes.length)];
    expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(own[predicted[row]]).toBe(Math.max(...own));
  }
});
