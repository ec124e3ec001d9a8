/**
 * Every option of `train` changes what is learned, or does what a test of its own shows
 * (tests/cli/options.test.ts tells which).
 */

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Command } from "commander";
import {
  fineTuneStudy,
  hashedFiles,
  makeStudy,
  outcomeOf,
  pretrainStudy,
  type Study,
} from "../../lab/material/study.ts";
import { trainOptions } from "../../src/cli/commands/train.ts";
import { addSchemaOptions, configOf } from "../../src/cli/options/schemaOptions.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { textValues } from "../../src/data/encoding/categories.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { writeNpy } from "../../src/formats/npy/npy.ts";
import * as torch from "../../src/torch/index.ts";
import { type FineTuneInput, fineTuneSchema, splitSchema } from "../../src/training/config/config.ts";
import { openConfiguredData } from "../../src/training/tasks/openData.ts";
import { splitSamples } from "../../src/training/tasks/splitSamples.ts";
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
let encoder: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
  encoder = scratch.path("encoder");
  await pretrainStudy(study, encoder, { training: { epochs: 1 } });
});

let runs = 0;
const known = new Map<string, Promise<string>>();

/** A training of one epoch, unless the configuration says otherwise. */
async function train(config: FineTuneInput): Promise<string> {
  const output = scratch.path(`run-${runs++}`);
  await fineTuneStudy(study, output, {
    ...config,
    training: { epochs: 1, maxGradNorm: 100, ...config.training },
  });
  return outcomeOf(output);
}

function outcome(config: FineTuneInput): Promise<string> {
  const key = JSON.stringify(config);
  const found = known.get(key) ?? train(config);
  known.set(key, found);
  return found;
}

const blocks: FineTuneInput = {
  pretrainedEncoder: "ENCODER",
  freezeBase: true,
  target: { pooling: "blocks" },
  training: { optimizer: "sgd" },
};

const effects: readonly Effect<FineTuneInput>[] = [
  ["target.metadataColumn", ["ph"]],
  ["target.transform", "minmax"],
  ["target.normalizeBy", ["plot"], { target: { transform: "zscore-category", normalizeBy: ["site"] } }],
  ["target.lossType", "mae"],
  ["target.quantiles", [0.2, 0.5], { target: { lossType: "quantile" } }],
  ["target.overPenalty", 3, { target: { lossType: "asymmetric" } }],
  ["target.underPenalty", 3, { target: { lossType: "asymmetric" } }],
  ["target.lossConfig", { ph: "mae" }, { target: { metadataColumn: ["ph", "depth"] } }],
  ["target.classWeights", "auto", { target: { metadataColumn: ["site"] } }],
  ["target.penalty", 3],
  ["target.layerNorm", false],
  ["target.boundedTargets", true, { target: { transform: "minmax" } }],
  ["target.learnableOutputScale", true],
  ["target.outputActivation", "softplus", { target: { transform: "minmax" } }],
  ["target.regressorHiddenDims", [6]],
  ["target.regressorDropout", 0.5, { target: { regressorHiddenDims: [6] } }],
  ["target.residualRegressionHead", true, { target: { regressorHiddenDims: [6] } }],
  ["target.countPrediction", true],
  ["target.countPenalty", 5, { target: { countPrediction: true } }],
  ["target.pooling", "sum", { pretrainedEncoder: "ENCODER", freezeBase: true }],
  ["target.sumFeatures", 32, { pretrainedEncoder: "ENCODER", freezeBase: true, target: { pooling: "sum" } }],
  ["target.ridge", 3, blocks],
  ["target.huberDelta", 0.1],
  ["target.power", 0.3, { target: { transform: "power-zscore" } }],
  ["pretrainedEncoder", "ENCODER"],
  ["freezeBase", true, { pretrainedEncoder: "ENCODER" }],
  ["valPredictionPasses", 4, { model: { asvSampling: "random", tokenLimit: 4 } }],
  ["categorical.columns", ["site"]],
  ["categorical.fusion", "gmu", { categorical: { columns: ["site"] } }],
  ["categorical.embedDim", 4, { categorical: { columns: ["site"] } }],
  ["categorical.dropout", 0.6, { categorical: { columns: ["site"] } }],
  ["categorical.lr", 0.1, { categorical: { columns: ["site"] } }],
  ["categorical.crossAttnHeads", 2, { categorical: { columns: ["site"], fusion: "perceiver" } }],
  ["categorical.perceiverNumLatents", 3, { categorical: { columns: ["site"], fusion: "perceiver" } }],
  ["categorical.perceiverNumLayers", 1, { categorical: { columns: ["site"], fusion: "perceiver" } }],
  ["categorical.conditionalOutputScaling", ["site"], { categorical: { columns: ["site"] } }],
  ["categorical.lossWeights", "auto", { categorical: { columns: ["site"] } }],
  ["categorical.lossWeightColumn", ["plot"], { categorical: { columns: ["site"], lossWeights: "auto" } }],
  ...commonEffects,
  ["bestMetric", "last", { training: { epochs: 6, lr: 0.1, scheduler: "constant" } }],
];

function filled(config: FineTuneInput): FineTuneInput {
  return config.pretrainedEncoder === "ENCODER" ? { ...config, pretrainedEncoder: encoder } : config;
}

describe("what is set changes what is learned", () => {
  test("and without a change all is the same", async () => {
    expect(await train({})).toBe(await outcome({}));
  });

  showsRows("train", effects);
  test.each(effects)("fine-tuning with %s = %j", async (path, value, base = {}) => {
    const changed = filled(withValue(base, path, value));
    expect((await outcome(changed)) === (await outcome(filled(base)))).toBe(false);
  });
});

showsRows("train", unchanging);
test.each(unchanging)("%s = %j changes how fine-tuning computes, but no figure", async (path, value) => {
  const base: FineTuneInput = { training: { nucPenalty: 0 } };
  const figures = (text: string) => JSON.parse(text).figures[0].train as Record<string, number>;
  const usual = await watchWork(() => train(base));
  const changed = await watchWork(() => train(withValue(base, path, value)));
  expect(changed.work[workOf[path]]).toBeGreaterThan(usual.work[workOf[path]]);
  for (const [name, number] of Object.entries(figures(usual.result)))
    expect(figures(changed.result)[name]).toBeCloseTo(number, 4);
});

showsOptions("train", "--classifier");
test("numbers are classes where --classifier says so", async () => {
  const { summary } = await fineTuneStudy(study, scratch.path("numbers-as-classes"), {
    target: { metadataColumn: ["site"], classifier: true },
  });
  expect(summary.kind).toBe("classes");
});

showsOptions("train", "--train-samples --val-samples");
test("a split is taken from files", async () => {
  const ids = study.dataset.sampleIds;
  const trainSamples = scratch.write("train.txt", ids.slice(0, 14).join("\n"));
  const valSamples = scratch.write("val.txt", ids.slice(18).join("\n"));
  const { summary } = await fineTuneStudy(study, scratch.path("from-files"), {
    split: { trainSamples, valSamples },
  });
  expect(summary.samples).toEqual({ train: 14, validation: ids.length - 18 });
  expect(summary.split).toBe("from files");
});

test("files of whole groups are named by them, and others are refused", () => {
  const { dataset } = study;
  const ids = dataset.sampleIds;
  const { values } = textValues(dataset.column("plot"));
  const sides = [true, false].map((isHeld) => ids.filter((_, i) => (values[i] === values[0]) === isHeld));
  const split = (validation: readonly string[], train: readonly string[]) =>
    splitSamples(
      dataset,
      splitSchema.parse({
        by: "plot",
        valSamples: scratch.write("groups-val.txt", validation.join("\n")),
        trainSamples: scratch.write("groups-train.txt", train.join("\n")),
      }),
      1,
    );
  expect(split(sides[0], sides[1])).toMatchObject({ name: "whole plot held out", warnings: [] });
  expect(() => split(sides[0].slice(1), [...sides[1], sides[0][0]])).toThrow(
    `--split-by plot holds out whole groups, but the files have "${values[0]}" on both sides`,
  );
});

describe("data", () => {
  const display = new ProgressDisplay("quiet", { columns: 80, write: () => {}, writeError: () => {} });
  const open = (data: object, metric: string | null = "unweighted") =>
    openConfiguredData({
      data: fineTuneSchema.parse({ data }).data,
      metric,
      seed: 5,
      output: scratch.path("somewhere"),
      display,
    });
  const refusal = async (data: object) => {
    try {
      await open(data);
    } catch (cause) {
      return (cause as Error).message;
    }
    throw new Error("nothing was refused");
  };

  showsOptions(["pretrain", "train", "lr-finder"], "--table --tree --metadata --rarefy-depth --rarefy-seed");
  test("come from files, rarefied as told", async () => {
    const { table, tree, metadata } = study;
    using dataset = await open({ table, tree, metadata, rarefyDepth: 100 });
    expect(dataset.manifest.distances).toEqual(["unweighted"]);
    expect(dataset.sample(0).counts.reduce((sum, count) => sum + count, 0)).toBe(100);
    expect(dataset.column("site").kind).toBe("text");
    using other = await open({ table, tree, metadata, rarefyDepth: 100, rarefySeed: 6 });
    expect([...other.sample(0).counts]).not.toEqual([...dataset.sample(0).counts]);
    using bare = await open({ table, metadata }, null);
    expect(bare.manifest.distances).toEqual([]);
  });

  showsOptions(["pretrain", "train", "lr-finder"], "--rep-seqs --distances --distance-ids");
  test("may have distances of their own, ids in a file, and sequences for hashes", async () => {
    const { dataset } = study;
    const { table, sequences } = hashedFiles(study, scratch);
    const ids = [...dataset.sampleIds];
    const square = new Float32Array(ids.length ** 2);
    for (const i of ids.keys()) for (const j of ids.keys()) square[i * ids.length + j] = Math.abs(i - j) / 50;
    writeNpy(scratch.path("bare.npy"), square, [ids.length, ids.length]);
    const files = { table, repSeqs: sequences, rarefyDepth: "none", distances: scratch.path("bare.npy") };
    using inOrder = await open({ ...files, distanceIds: "table" });
    expect(inOrder.asvSequence(0)).toMatch(/^[ACGT]+$/);
    const [first, second, last] = [ids[0], ids[1], ids[ids.length - 1]];
    const between = (set: Dataset, a: string, b: string) =>
      set.distance("unweighted").between(set.sampleIndex(a), set.sampleIndex(b));
    expect(between(inOrder, first, second)).toBeCloseTo(1 / 50, 6);
    const order = scratch.write("order.txt", [first, ...ids.slice(2), second].join("\n"));
    using reordered = await open({ ...files, distanceIds: order });
    expect(between(reordered, first, second)).toBeCloseTo((ids.length - 1) / 50, 6);
    expect(between(reordered, first, last)).toBeCloseTo((ids.length - 2) / 50, 6);
  });

  showsOptions(["pretrain", "train", "lr-finder"], "--distance-storage");
  test("may have their distances computed batch by batch", async () => {
    const { table, tree } = study;
    using usual = await open({ table, tree });
    using computed = await open({ table, tree, distanceStorage: "per-batch" });
    expect([usual, computed].map((set) => set.distance("unweighted").isStored)).toEqual([true, false]);
    expect(await refusal({ table, distanceStorage: "per-batch" })).toContain(
      "computes distances from a tree",
    );
    expect(await refusal({ dataset: study.folder, distanceStorage: "all-pairs" })).toContain("has no effect");
  });

  showsOptions(["pretrain", "train", "lr-finder"], "--dataset");
  test("of two kinds, or none, are refused", async () => {
    const { table, tree, folder } = study;
    expect(await refusal({})).toContain("give --table, or --dataset");
    expect(await refusal({ dataset: folder, tree })).toContain("--tree has no effect");
    expect(await refusal({ dataset: folder, rarefyDepth: 10 })).toContain("rarefied already");
    expect(await refusal({ table, tree, distances: "d.tsv" })).toContain("exclude each other");
    expect(await refusal({ table, distanceIds: "ids.txt" })).toContain("needs --distances");
  });
});

describe("the command line", () => {
  const parse = (args: string[], file?: string) => {
    const command = new Command("train").exitOverride().configureOutput({ writeErr: () => {} });
    addSchemaOptions(command, fineTuneSchema, trainOptions);
    command.parse(args, { from: "user" });
    return configOf(command, fineTuneSchema, trainOptions, file);
  };

  test("sets what the configuration says, and wins over a file", () => {
    const file = scratch.write(
      "c.yaml",
      "training:\n  lr: 0.5\n  epochs: 3\ntarget:\n  metadataColumn: [ph]\n",
    );
    const config = parse(
      ["--lr", "0.25", "--no-target-layer-norm", "--quantiles", "0.1,0.9", "--max-grad-norm", "none"],
      file,
    );
    expect(config.training).toMatchObject({ lr: 0.25, epochs: 3, maxGradNorm: null });
    expect(config.target).toMatchObject({ metadataColumn: ["ph"], layerNorm: false, quantiles: [0.1, 0.9] });
    expect(parse(["--unifrac-metric", "weighted"]).unifracMetric).toBe("weighted_normalized");
    expect(parse(["--class-weights", "gut=2,palm=1"]).target.classWeights).toEqual({ gut: 2, palm: 1 });
    expect(parse(["--loss-config", '{"ph":"mae"}']).target.lossConfig).toEqual({ ph: "mae" });
  });

  test("refuses what the schema refuses, by the name of the option or its place in the file", () => {
    expect(() => parse(["--test-size", "2"])).toThrow(/--test-size: /);
    expect(() => parse(["--batch-size", "1"])).toThrow(/--batch-size: /);
    expect(() => parse(["--epochs", "x"])).toThrow(/whole number/);
    const file = scratch.write("wrong.yaml", "training:\n  learningrate: 1\n");
    expect(() => parse([], file)).toThrow(/wrong\.yaml: training: .*learningrate/);
    expect(() => parse(["--layers", "2", "--attention-layers", "3"])).toThrow(/are the same/);
    expect(() => parse([], scratch.write("bad.yaml", "a: [1"))).toThrow(/neither YAML nor JSON/);
  });

  test("a run's config.json is a configuration", async () => {
    await fineTuneStudy(study, scratch.path("again"), { training: { epochs: 1 } });
    const config = parse([], join(scratch.path("again"), "config.json"));
    expect(config.model.embeddingDim).toBe(8);
  });
});
