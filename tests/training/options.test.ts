/** Every option of `train` and `pretrain` changes what is learned, or does what a test of its own shows. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { addSchemaOptions, configOf } from "../../src/cli/schemaOptions.ts";
import { trainOptions } from "../../src/cli/train.ts";
import { type FineTuneInput, fineTuneSchema } from "../../src/training/config.ts";
import { openConfiguredData } from "../../src/training/openData.ts";
import { ProgressDisplay } from "../../src/training/watch/progressBar.ts";
import { useScratch } from "../data/scratch.ts";
import { fineTuneStudy, makeStudy, pretrainStudy, type Study, weightsOf } from "./study.ts";

setDefaultTimeout(240_000);
const scratch = useScratch();
let study: Study;
let encoder: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  encoder = scratch.path("encoder");
  await pretrainStudy(study, encoder, { training: { epochs: 1 } });
});

let runs = 0;
const known = new Map<string, Promise<string>>();

/** Everything that a training came to: figures of every epoch, and weights. */
function outcome(config: FineTuneInput): Promise<string> {
  const key = JSON.stringify(config);
  let found = known.get(key);
  if (!found) {
    const output = scratch.path(`run-${runs++}`);
    found = fineTuneStudy(study, output, {
      ...config,
      training: { epochs: 1, maxGradNorm: 100, ...config.training },
    }).then(() => {
      const history = JSON.parse(readFileSync(join(output, "history.json"), "utf8")) as Record<
        string,
        unknown
      >[];
      const figures = history.map(({ train, val, learningRate, isBest }) => ({
        train,
        val,
        learningRate,
        isBest,
      }));
      const weights = [...weightsOf(join(output, "checkpoints/best.safetensors"))];
      const sums = weights.map(([name, values]) => [
        name,
        values.reduce((sum, value) => sum + Math.abs(value), 0),
      ]);
      const ids = readFileSync(join(output, "val_sample_ids.txt"), "utf8");
      return JSON.stringify({ figures, sums, ids });
    });
    known.set(key, found);
  }
  return found;
}

/** Place of the option, its value, and what else must be set for it to matter. */
const effects: [path: string, value: unknown, base?: FineTuneInput][] = [
  ["metric", "weighted_normalized"],
  ["target.columns", ["ph"]],
  ["target.transform", "minmax"],
  ["target.normalizeBy", ["plot"], { target: { transform: "zscore-category", normalizeBy: ["site"] } }],
  ["target.loss", "mae"],
  ["target.quantiles", [0.2, 0.5], { target: { loss: "quantile" } }],
  ["target.overPenalty", 3, { target: { loss: "asymmetric" } }],
  ["target.underPenalty", 3, { target: { loss: "asymmetric" } }],
  ["target.lossByColumn", { ph: "mae" }, { target: { columns: ["ph", "depth"] } }],
  ["target.classWeights", "auto", { target: { columns: ["site"] } }],
  ["target.penalty", 3],
  ["target.layerNorm", false],
  ["target.bounded", true, { target: { transform: "minmax" } }],
  ["target.learnableScale", true],
  ["target.activation", "softplus", { target: { transform: "minmax" } }],
  ["target.hiddenDims", [6]],
  ["target.headDropout", 0.5, { target: { hiddenDims: [6] } }],
  ["target.residualHead", true, { target: { hiddenDims: [6] } }],
  ["target.countPrediction", true],
  ["target.countPenalty", 5, { target: { countPrediction: true } }],
  ["target.pooling", "sum", { pretrainedEncoder: "ENCODER", freezeBase: true }],
  ["target.sumFeatures", 32, { pretrainedEncoder: "ENCODER", freezeBase: true, target: { pooling: "sum" } }],
  ["pretrainedEncoder", "ENCODER"],
  ["freezeBase", true, { pretrainedEncoder: "ENCODER" }],
  ["valPredictionPasses", 4, { model: { asvSampling: "random", tokenLimit: 4 } }],
  ["categories.columns", ["site"]],
  ["categories.fusion", "gmu", { categories: { columns: ["site"] } }],
  ["categories.embedDim", 4, { categories: { columns: ["site"] } }],
  ["categories.dropout", 0.6, { categories: { columns: ["site"] } }],
  ["categories.learningRate", 0.1, { categories: { columns: ["site"] } }],
  ["categories.heads", 2, { categories: { columns: ["site"], fusion: "perceiver" } }],
  ["categories.latents", 3, { categories: { columns: ["site"], fusion: "perceiver" } }],
  ["categories.perceiverLayers", 1, { categories: { columns: ["site"], fusion: "perceiver" } }],
  ["categories.scaledColumns", ["site"], { categories: { columns: ["site"] } }],
  ["categories.lossWeights", "auto", { categories: { columns: ["site"] } }],
  ["categories.lossWeightColumns", ["plot"], { categories: { columns: ["site"], lossWeights: "auto" } }],
  ["split.validationShare", 0.4],
  ["split.by", "plot"],
  ["split.stratify", "site"],
  ["model.embeddingDim", 16],
  ["model.layers", 2],
  ["model.heads", 4],
  ["model.feedForwardDim", 5],
  ["model.dropout", 0.3],
  ["model.activation", "relu"],
  ["model.maxBases", 10],
  ["model.tokenLimit", 4],
  ["model.asvSampling", "abundance", { model: { tokenLimit: 4 } }],
  ["model.countEmbedding", "film"],
  ["model.maskRatio", 0.5],
  ["model.maskStrategy", "span"],
  ["model.distance", "raw"],
  ["model.tanhScale", 3],
  ["nucShare", 1],
  ["training.uniFracPenalty", 0.1],
  ["training.nucPenalty", 0],
  ["training.epochs", 2],
  ["training.maxSteps", 2],
  ["training.maxMinutes", 1e-9],
  ["training.batchSize", 6],
  ["training.accumulationSteps", 2],
  ["training.optimizer", "adam"],
  ["training.momentum", 0.1, { training: { optimizer: "sgd" } }],
  ["training.learningRate", 0.01],
  ["training.weightDecay", 0.5],
  ["training.decayAll", true, { training: { weightDecay: 0.5 } }],
  ["training.scheduler", "onecycle"],
  ["training.warmup", 0.5],
  ["training.warmupSteps", 3],
  ["training.floor", 0.5],
  ["training.schedulerT0", 3, { training: { scheduler: "cosine_restarts" } }],
  ["training.schedulerTMult", 4, { training: { scheduler: "cosine_restarts", epochs: 3 } }],
  ["training.schedulerPatience", 0, { training: { scheduler: "plateau", epochs: 4, learningRate: 0.5 } }],
  [
    "training.schedulerFactor",
    0.9,
    { training: { scheduler: "plateau", epochs: 5, schedulerPatience: 0, learningRate: 0.5 } },
  ],
  ["training.maxGradNorm", 0.01],
  ["training.ema", 0.9],
  ["training.mixedPrecision", "bf16"],
  ["training.patience", 1, { training: { epochs: 6, learningRate: 0.3, scheduler: "constant" } }],
  ["training.seed", 7],
  ["bestMetric", "r2", { training: { epochs: 6, learningRate: 0.1, scheduler: "constant" } }],
];

function withValue(base: FineTuneInput, path: string, value: unknown): FineTuneInput {
  const copy = structuredClone(base) as Record<string, unknown>;
  const [section, key] = path.split(".");
  if (key === undefined) copy[section] = value;
  else copy[section] = { ...(copy[section] as object), [key]: value };
  return copy as FineTuneInput;
}

function filled(config: FineTuneInput): FineTuneInput {
  return config.pretrainedEncoder === "ENCODER" ? { ...config, pretrainedEncoder: encoder } : config;
}

describe("what is set changes what is learned", () => {
  test.each(effects)("%s = %j", async (path, value, base = {}) => {
    const changed = filled(withValue(base, path, value));
    if (path === "bestMetric") {
      // Which epoch is kept depends on it; here it is enough that the figure watched is the one named.
      const run = (config: FineTuneInput) => fineTuneStudy(study, scratch.path(`run-${runs++}`), config);
      const { summary } = await run(changed);
      const history = JSON.parse(readFileSync(join(scratch.path(`run-${runs - 1}`), "history.json"), "utf8"));
      const values = history.map((epoch: { val: { r2: number } }) => epoch.val.r2);
      expect(values.indexOf(Math.max(...values)) + 1).toBe(summary.best_epoch);
      return;
    }
    expect(await outcome(changed)).not.toBe(await outcome(filled(base)));
  });
});

/** Options that are to change no number, or where data come from: tests below and elsewhere show what they do. */
const shownElsewhere = new Set([
  "target.classifier", // fineTune.test.ts: text as numbers is refused; below: numbers as classes
  "model.asvChunkSize",
  "model.gradientCheckpointing",
  "training.loaderWorker",
  "training.saveMinutes", // resume.test.ts
  "training.autoBatchSize", // this and the next three: batchSize.test.ts
  "training.maxMemoryFraction",
  "training.targetEffectiveBatchSize",
  "training.tf32",
  "split.trainSamples",
  "split.valSamples",
  "data.dataset",
  "data.table",
  "data.tree",
  "data.repSeqs", // tests/data: prepare
  "data.metadata",
  "data.distances",
  "data.distanceIds", // tests/data: prepare
  "data.rarefyDepth",
  "data.rarefySeed",
]);

test("every option is tried", () => {
  const tried = new Set([...effects.map(([path]) => path), ...shownElsewhere]);
  expect(trainOptions.map(({ path }) => path).filter((path) => !tried.has(path))).toEqual([]);
});

test.each([
  ["model.asvChunkSize", 3],
  ["model.gradientCheckpointing", true],
  ["training.loaderWorker", true],
] as const)("%s changes no figure", async (path, value) => {
  const figures = (text: string) => JSON.parse(text).figures[0].train as Record<string, number>;
  const base: FineTuneInput = { training: { nucPenalty: 0 } };
  const usual = figures(await outcome(base));
  const changed = figures(await outcome(withValue(base, path, value)));
  for (const [name, number] of Object.entries(usual)) expect(changed[name]).toBeCloseTo(number, 4);
});

test("numbers are classes where --classifier says so", async () => {
  const { summary } = await fineTuneStudy(study, scratch.path("numbers-as-classes"), {
    target: { columns: ["site"], classifier: true },
  });
  expect(summary.kind).toBe("classes");
});

test("a split is taken from files", async () => {
  const ids = study.dataset.sampleIds;
  const trainSamples = scratch.write("train.txt", ids.slice(0, 20).join("\n"));
  const valSamples = scratch.write("val.txt", ids.slice(25).join("\n"));
  const { summary } = await fineTuneStudy(study, scratch.path("from-files"), {
    split: { trainSamples, valSamples },
  });
  expect(summary.samples).toEqual({ train: 20, validation: ids.length - 25 });
  expect(summary.split).toBe("from files");
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
      "training:\n  learningRate: 0.5\n  epochs: 3\ntarget:\n  columns: [ph]\n",
    );
    const config = parse(
      ["--lr", "0.25", "--no-target-layer-norm", "--quantiles", "0.1,0.9", "--max-grad-norm", "none"],
      file,
    );
    expect(config.training).toMatchObject({ learningRate: 0.25, epochs: 3, maxGradNorm: null });
    expect(config.target).toMatchObject({ columns: ["ph"], layerNorm: false, quantiles: [0.1, 0.9] });
    expect(parse(["--unifrac-metric", "weighted"]).metric).toBe("weighted_normalized");
    expect(parse(["--class-weights", "gut=2,palm=1"]).target.classWeights).toEqual({ gut: 2, palm: 1 });
    expect(parse(["--loss-config", '{"ph":"mae"}']).target.lossByColumn).toEqual({ ph: "mae" });
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
