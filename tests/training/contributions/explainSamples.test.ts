import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { pretrainStudy, quiet } from "../../../lab/material/study.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import * as torch from "../../../src/torch/index.ts";
import { batchOptionsOf } from "../../../src/training/config/buildModel.ts";
import type { FineTuneInput } from "../../../src/training/config/config.ts";
import { fineTuneConfig } from "../../../src/training/config/defaults.ts";
import { baseOfSamples } from "../../../src/training/contributions/asvBase.ts";
import { explainSamples } from "../../../src/training/contributions/explainSamples.ts";
import { predictSamples } from "../../../src/training/inference/predictSamples.ts";
import { openRun } from "../../../src/training/run/open.ts";
import { runCategories } from "../../../src/training/run/openSamples.ts";
import { fineTune } from "../../../src/training/tasks/fineTune.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

torch.setNumThreads(1);
const scratch = useScratch();
const asvs = 8;
let dataset: Dataset;
let encoder: string;
let planted: PlantedStudy;
const study = () => ({ ...planted, dataset });
beforeAll(async () => {
  planted = await plantedStudy(scratch.path("study"), 60, asvs);
  dataset = openDataset(planted.folder);
  encoder = scratch.path("encoder");
  const model = { encoder: "set", codeDim: 8, wordDim: 8 } as const;
  await pretrainStudy(study(), encoder, { model, training: { epochs: 3, nucPenalty: 0 } });
});

const codes = { codeDim: 8, wordDim: 8 } as const;
const small = { embeddingDim: 8, attentionHeads: 1, attentionLayers: 1 } as const;
const long = { epochs: 60, penalty: 0, lr: 0.03, warmup: 0, patience: 100 };
const brief = { ...long, epochs: 3 };
const all = Int32Array.from({ length: 60 }, (_, i) => i);

/** Trains a model, and explains all samples by it. */
async function explained(
  { target, ...given }: FineTuneInput,
  { train = all, samples = all, asvSampling, passes }: Partial<Parameters<typeof settings>[0]> = {},
) {
  const output = scratch.path(`run-${Bun.hash(JSON.stringify([target, given]))}`);
  const config = fineTuneConfig({ ...given, target: { metadataColumn: ["score"], ...target } });
  await fineTune({ dataset, output, config, device: "cpu", display: quiet(), resume: false, plots: false });
  const run = openRun(output, "cpu");
  const base = baseOfSamples(dataset, train, batchOptionsOf(run.facts.config.model));
  const options = {
    device: "cpu",
    categories: runCategories(run.facts, dataset, quiet()),
    asvSampling,
    passes,
  } as const;
  const found = [...explainSamples(run, dataset, base, samples, options)];
  const { predictions } = predictSamples(run, dataset, samples, options);
  return { run, base, found, predictions, output };
}
const settings = (given: { train: Int32Array; samples: Int32Array; asvSampling: "random"; passes: number }) =>
  given;

/** Whether contributions add up to what `predict` says, by so much of the largest at most. */
function expectSums({ found, predictions }: Awaited<ReturnType<typeof explained>>, tolerance: number): void {
  const [first] = predictions;
  const width = first.kind === "classes" ? first.classes.length : predictions.length;
  const of = (row: number, c: number) =>
    first.kind === "classes" ? first.probabilities[row * width + c] : predictions[c].predicted[row];
  for (let c = 0; c < width; c++) {
    const changes = found.map(({ base }, row) => of(row, c) - base[c]);
    const largest = Math.max(...changes.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    found.forEach(({ values, base }, row) => {
      expect(base.length).toBe(width);
      let sum = 0;
      for (let asv = 0; asv < values.length / width; asv++) sum += values[asv * width + c];
      expect(Math.abs(sum - changes[row])).toBeLessThan(tolerance * largest + 1e-6 * Math.abs(of(row, c)));
    });
  }
}

/** Sizes of ASVs' contributions to one output, and the mean where it is there less that where it is not. */
function byAsv({ found }: Awaited<ReturnType<typeof explained>>, output = 0) {
  const width = found[0].base.length;
  return Array.from({ length: asvs }, (_, asv) => {
    const own = found.map(({ values }) => values[asv * width + output]);
    const has = Array.from(all, (sample) => dataset.sample(sample).asvs.includes(asv));
    const mean = (is: boolean) => {
      const some = own.filter((_value, row) => has[row] === is);
      return some.reduce((sum, value) => sum + value, 0) / some.length;
    };
    return {
      asv,
      size: own.reduce((sum, value) => sum + Math.abs(value), 0),
      effect: mean(true) - mean(false),
    };
  }).sort((a, b) => b.size - a.size);
}

describe("contributions to a model of codes", () => {
  test("add up to predictions of numbers, and the planted ASVs are first, with what they add", async () => {
    const result = await explained({ model: codes, training: long });
    expectSums(result, 1e-5);
    const [first, second, third] = byAsv(result);
    const planted = [first, second].sort((a, b) => a.asv - b.asv);
    expect(planted.map(({ asv }) => asv)).toEqual([0, 1]);
    expect(planted[0].effect).toBeCloseTo(6, -0.5);
    expect(planted[1].effect).toBeCloseTo(-5, -0.5);
    expect(third.size).toBeLessThan(second.size / 5);
  });

  test("add up to probabilities of classes, each class's to the opposite of the other's", async () => {
    const result = await explained({ model: codes, training: long, target: { metadataColumn: ["state"] } });
    expectSums(result, 1e-4);
    const { classes } = result.predictions[0] as { classes: readonly string[] };
    const [first] = byAsv(result, classes.indexOf("ill"));
    expect([first.asv, first.effect > 0.5]).toEqual([0, true]);
    for (const { values } of result.found)
      for (let asv = 0; asv < asvs; asv++) expect(values[2 * asv] + values[2 * asv + 1]).toBeCloseTo(0, 4);
  });

  test("add up through hidden layers, a logarithm, bounds, quantiles and several targets", async () => {
    const targets: Record<string, [NonNullable<FineTuneInput["target"]>, number]> = {
      hidden: [{ transform: "log-zscore", regressorHiddenDims: [16] }, 1e-3],
      bounded: [{ transform: "minmax", boundedTargets: true }, 1e-4],
      quantiles: [{ lossType: "quantile", quantiles: [0.2, 0.5, 0.7] }, 1e-4],
      two: [{ metadataColumn: ["score", "noise"] }, 1e-4],
      plain: [{ layerNorm: false, learnableOutputScale: true, countPrediction: true }, 1e-4],
    };
    for (const [target, tolerance] of Object.values(targets))
      expectSums(await explained({ model: { ...codes, ...small }, training: brief, target }), tolerance);
  });

  test("are of ASVs alone: categories, of the model and of a transform, stay the sample's own", async () => {
    const result = await explained({
      model: codes,
      training: brief,
      target: { transform: "zscore-category", normalizeBy: ["study"] },
      categorical: { columns: ["study"], conditionalOutputScaling: ["study"] },
    });
    expectSums(result, 1e-4);
    const study = dataset.column("study") as { codes: Int32Array };
    const bases = new Map(result.found.map(({ base }, row) => [study.codes[row], base[0]]));
    expect(new Set(bases.values()).size).toBe(3);
    result.found.forEach(({ base }, row) => {
      expect(base[0]).toBe(bases.get(study.codes[row])!);
    });
  });

  test("count ASVs beyond the token limit as absent, and are means over random choices of ASVs", async () => {
    const model = { ...codes, tokenLimit: 2 };
    const result = await explained({ model, training: brief });
    expectSums(result, 1e-4);
    const isRead = Array.from({ length: asvs }, (_, asv) =>
      all.some((sample) => dataset.sample(sample).asvs.subarray(0, 2).includes(asv)),
    );
    expect(isRead).toContain(false);
    for (const { values } of result.found)
      for (const [asv, value] of values.entries()) if (!isRead[asv]) expect(value).toBe(0);
    const passes = { asvSampling: "random", passes: 4 } as const;
    expectSums(await explained({ model, training: { ...brief, seed: 2 } }, passes), 1e-4);
  });

  test("of an ASV that no training sample has are 0 where it is absent, and not where it is there", async () => {
    const has = (sample: number) => dataset.sample(sample).asvs.includes(0);
    const result = await explained(
      { model: codes, training: { ...long, seed: 5 } },
      { train: all.filter((sample) => !has(sample)) },
    );
    expectSums(result, 1e-4);
    expect(result.base.presence[0]).toBe(0);
    result.found.forEach(({ values }, row) => {
      if (has(row)) expect(values[0]).toBeGreaterThan(1);
      else expect(values[0]).toBe(0);
    });
  });
});

describe("contributions to a model of sums", () => {
  const sum = () => ({ pretrainedEncoder: encoder, freezeBase: true, training: long });
  const target = { pooling: "sum", sumFeatures: 64 } as const;

  test("are exact: the base is the mean of the training samples' predictions, as these are linear", async () => {
    const result = await explained({ ...sum(), target });
    expectSums(result, 1e-6);
    const [{ predicted }] = result.predictions as { predicted: Float64Array }[];
    const mean = predicted.reduce((total, value) => total + value, 0) / 60;
    for (const { base } of result.found) expect(base[0]).toBeCloseTo(mean, 4);
    // An ASV's contribution is its effect times its presence, less the share of samples that have it.
    for (let asv = 0; asv < asvs; asv++) {
      const share = result.base.presence[asv];
      const effects = result.found.map(
        ({ values }, row) => values[asv] / (Number(dataset.sample(row).asvs.includes(asv)) - share),
      );
      for (const effect of effects) expect(effect).toBeCloseTo(effects[0], 3);
    }
    expect(
      byAsv(result)
        .slice(0, 2)
        .map(({ asv }) => asv),
    ).toEqual([0, 1]);
  });

  test("add up to probabilities of classes", async () => {
    const result = await explained({ ...sum(), target: { ...target, metadataColumn: ["state"] } });
    expectSums(result, 1e-5);
    expect(byAsv(result)[0].asv).toBe(0);
  });
});

describe("contributions to a model of blocks", () => {
  const on = (target: FineTuneInput["target"]): FineTuneInput => ({
    pretrainedEncoder: encoder,
    freezeBase: true,
    target: { pooling: "blocks", sumFeatures: 64, ridge: 0.1, ...target },
    training: { ...long, optimizer: "sgd", lr: 0.5 },
  });

  test("add up to predictions of numbers, of powers and of classes, and the planted ASVs are first", async () => {
    const result = await explained(on({}));
    expectSums(result, 1e-5);
    const largest = byAsv(result).slice(0, 2);
    expect(largest.map(({ asv }) => asv).sort()).toEqual([0, 1]);
    // What is linear in presence alone would be the same wherever an ASV is.
    const ofAbsent = result.found.map(({ values }) => values[0]).filter((value) => value < 0);
    expect(new Set(ofAbsent.map((value) => value.toFixed(3))).size).toBeGreaterThan(1);
    expectSums(await explained(on({ metadataColumn: ["state"] })), 1e-4);
  });

  test("start from the mean of the training samples' predictions, which is exact where there are no codes", async () => {
    const bare = scratch.path("aam");
    const aam = { encoder: "aam", ...small } as const;
    await pretrainStudy(study(), bare, { model: aam, training: { epochs: 1 } });
    const list = (name: string, samples: Int32Array) =>
      scratch.write(name, Array.from(samples, (sample) => dataset.sampleIds[sample]).join("\n"));
    const train = all.subarray(0, 45);
    const split = { trainSamples: list("train.txt", train), valSamples: list("val.txt", all.subarray(45)) };
    const spread = async (from: string) => {
      const result = await explained(
        { ...on({ transform: "zscore" }), split, pretrainedEncoder: from },
        { train },
      );
      expectSums(result, 1e-5);
      const { predicted } = result.predictions[0] as { predicted: Float64Array };
      const own = predicted.subarray(0, 45);
      const mean = own.reduce((sum, value) => sum + value, 0) / 45;
      return Math.abs(result.found[0].base[0] - mean) / (Math.max(...own) - Math.min(...own));
    };
    expect(await spread(bare)).toBeLessThan(1e-4);
    expect(await spread(encoder)).toBeLessThan(0.05);
  });

  test("know an ASV that no training sample has by its relatives", async () => {
    const has = (sample: number) => dataset.sample(sample).asvs.includes(0);
    const model = on({ sumFeatures: 63 });
    const result = await explained(model, { train: all.filter((sample) => !has(sample)) });
    expectSums(result, 1e-5);
    result.found.forEach(({ values }, row) => {
      if (has(row)) expect(values[0]).not.toBe(0);
      else expect(values[0]).toBe(0);
    });
  });
});

describe("contributions to a model that attends to ASVs", () => {
  test("add up for every form of it, and ASVs that a sample lacks have none", async () => {
    const aam = { encoder: "aam", ...small } as const;
    const forms: FineTuneInput[] = [
      { model: { ...codes, ...small }, target: { pooling: "attention" } },
      { pretrainedEncoder: encoder, freezeBase: true, model: small, target: { pooling: "attention" } },
      { model: { ...aam, countEmbeddingMethod: "film" }, target: { metadataColumn: ["state"] } },
      { model: { ...aam, activation: "relu", tokenLimit: 3 } },
      {
        model: aam,
        categorical: { columns: ["study"], fusion: "cross-attention", crossAttnHeads: 1 },
      },
      {
        model: aam,
        categorical: { columns: ["study"], fusion: "perceiver", crossAttnHeads: 1, perceiverNumLatents: 4 },
      },
    ];
    const some = all.subarray(0, 6);
    for (const form of forms) {
      const result = await explained({ ...form, training: { ...brief, epochs: 6 } }, { samples: some });
      expectSums(result, 2e-3);
      const width = result.found[0].base.length;
      result.found.forEach(({ values }, row) => {
        const own = dataset.sample(some[row]).asvs;
        for (let asv = 0; asv < asvs; asv++) if (!own.includes(asv)) expect(values[asv * width]).toBe(0);
        expect(values.some((value) => value !== 0)).toBe(true);
      });
    }
  });
});

test("a run lists what its training samples have of each ASV", async () => {
  const { output } = await explained({ model: codes, training: brief });
  const [header, ...lines] = readFileSync(`${output}/train_asvs.tsv`, "utf8").trimEnd().split("\n");
  expect(header.split("\t")).toEqual(["asv_id", "sequence", "presence", "share"]);
  const ids = new Set(readFileSync(`${output}/train_sample_ids.txt`, "utf8").trimEnd().split("\n"));
  const train = all.filter((sample) => ids.has(dataset.sampleIds[sample]));
  expect(lines.length).toBe(asvs);
  for (const line of lines) {
    const [id, sequence, presence, share] = line.split("\t");
    const asv = dataset.asvIds().indexOf(id);
    expect(sequence).toBe(dataset.asvSequence(asv));
    const shares = Array.from(train, (sample) => {
      const own = dataset.sample(sample);
      const at = own.asvs.indexOf(asv);
      return at < 0 ? 0 : own.counts[at] / own.counts.reduce((sum, count) => sum + count, 0);
    });
    expect(Number(presence)).toBeCloseTo(shares.filter((own) => own > 0).length / train.length, 6);
    expect(Number(share)).toBeCloseTo(shares.reduce((sum, own) => sum + own, 0) / train.length, 6);
  }
});
