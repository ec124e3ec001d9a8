import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  fineTuneStudy,
  historyOf,
  makeStudy,
  pretrainStudy,
  type Study,
  weightsOf,
} from "../../../lab/material/study.ts";
import { Random } from "../../../src/common/random/random.ts";
import { BatchBuilder } from "../../../src/data/batches/batch.ts";
import * as torch from "../../../src/torch/index.ts";
import { batchOptionsOf } from "../../../src/training/config/buildModel.ts";
import type { FineTuneInput } from "../../../src/training/config/config.ts";
import { FrozenEncoderCache } from "../../../src/training/encoding/frozenEncoderCache.ts";
import { predictSamples } from "../../../src/training/inference/predictSamples.ts";
import { loadRepro } from "../../../src/training/loop/nanRepro.ts";
import { batchTensors } from "../../../src/training/objectives/batchTensors.ts";
import type { FineTuneFacts } from "../../../src/training/run/facts.ts";
import { openRun } from "../../../src/training/run/open.ts";
import { SampleCategories } from "../../../src/training/targets/sampleCategories.ts";
import { Targets } from "../../../src/training/targets/targets.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  await pretrainStudy(study, scratch.path("encoder"));
});

let runs = 0;
async function run(config: FineTuneInput, extras = {}) {
  const output = scratch.path(`run-${runs++}`);
  const { summary } = await fineTuneStudy(study, output, config, extras);
  return { output, summary, ...readTable(join(output, "val_predictions.tsv")) };
}

function readTable(path: string): { header: string[]; rows: string[][] } {
  const [header, ...rows] = readFileSync(path, "utf8").trimEnd().split("\n");
  return { header: header.split("\t"), rows: rows.map((row) => row.split("\t")) };
}

async function refusal(config: FineTuneInput): Promise<string> {
  try {
    await run(config);
  } catch (cause) {
    if (cause instanceof Error && cause.name === "UserError") return cause.message;
    throw cause;
  }
  throw new Error("nothing was refused");
}

describe("targets", () => {
  test("B1, B2: a number: figures are in its own units, and prediction from the saved run gives the same values", async () => {
    const { output, summary, header, rows } = await run({});
    expect(header).toEqual(["sample_id", "prediction", "actual"]);
    const errors = rows.map(([, predicted, actual]) => Math.abs(Number(predicted) - Number(actual)));
    const mae = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    expect(summary.validation["mae"]).toBeCloseTo(mae, 5);
    // `depth` lies between 2 and 12; a value in standard deviations would not.
    expect(rows.every(([, predicted]) => Number(predicted) > 2 && Number(predicted) < 14)).toBe(true);
    const opened = openRun(output, "cpu");
    const samples = Int32Array.from(rows, ([id]) => study.dataset.sampleIndex(id));
    const { predictions } = predictSamples(opened, study.dataset, samples, {
      device: "cpu",
      categories: null,
    });
    const again = predictions[0].predicted as Float64Array;
    for (const [i, [, predicted]] of rows.entries()) expect(again[i]).toBeCloseTo(Number(predicted), 5);
  });

  test("B6, B13: two numbers at once, one with missing values: unknown ones do not count, and no loss is NaN", async () => {
    const { output, summary, header } = await run({ target: { metadataColumn: ["ph", "depth"] } });
    expect(header).toEqual(["sample_id", "prediction_ph", "actual_ph", "prediction_depth", "actual_depth"]);
    expect(Object.keys(summary.validation)).toContain("mae.ph");
    expect(Object.values(summary.validation).every(Number.isFinite)).toBe(true);
    for (const values of weightsOf(join(output, "checkpoints/best.safetensors")).values())
      expect(values.every(Number.isFinite)).toBe(true);
  });

  test("samples without any target are in no part of the split", async () => {
    const { output } = await run({ target: { metadataColumn: ["ph"] } });
    const column = study.dataset.column("ph");
    const missing = study.dataset.sampleIds.filter(
      (_, i) => column.kind === "numeric" && Number.isNaN(column.values[i]),
    );
    expect(missing.length).toBeGreaterThan(2);
    const used = ["train_sample_ids.txt", "val_sample_ids.txt"].flatMap((name) =>
      readFileSync(join(output, name), "utf8").trim().split("\n"),
    );
    expect(used.filter((id) => missing.includes(id))).toEqual([]);
    expect(used.length + missing.length).toBe(study.dataset.sampleCount);
  });

  test("B5: classes as text: inferred, with probabilities that add up to 1", async () => {
    const { summary, header, rows } = await run({ target: { metadataColumn: ["site"] } });
    expect(summary.kind).toBe("classes");
    expect(header.slice(0, 4)).toEqual(["sample_id", "prediction", "actual", "p_forest"]);
    for (const row of rows) {
      const shares = row.slice(3).map(Number);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
      expect(header[3 + shares.indexOf(Math.max(...shares))]).toBe(`p_${row[1]}`);
    }
  });

  test("quantiles rise in every sample", async () => {
    const { header, rows, summary } = await run({
      target: { lossType: "quantile", quantiles: [0.9, 0.25, 0.5] },
    });
    expect(header).toEqual(["sample_id", "prediction", "actual", "q0.25", "q0.5", "q0.9"]);
    for (const row of rows) {
      const [low, middle, high] = row.slice(3).map(Number);
      expect(low <= middle && middle <= high).toBe(true);
      expect(Number(row[1])).toBe(middle);
    }
    expect(summary.validation["coverage"]).toBeGreaterThanOrEqual(0);
  });

  test("transforms are fitted on training samples alone and inverted", () => {
    const column = study.dataset.column("depth");
    const values = column.kind === "numeric" ? column.values : new Float64Array();
    const order = Int32Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
    const lower = order.slice(0, 20);
    for (const transform of ["minmax", "zscore", "log-minmax", "log-zscore", "none"] as const) {
      const targets = Targets.fit(study.dataset, lower, targetConfig(transform));
      const learned = targets.transformed(study.dataset);
      if (transform === "minmax") {
        expect(learned[order[19]]).toBeCloseTo(1, 6);
        expect(learned[order[order.length - 1]]).toBeGreaterThan(1);
      }
      const back = targets.inverted(0, Float64Array.from(learned), Int32Array.from(values.keys()), undefined);
      for (const [i, value] of back.entries()) expect(value).toBeCloseTo(values[i], 4);
      expect(Targets.fromState(JSON.parse(JSON.stringify(targets.state))).transformed(study.dataset)).toEqual(
        learned,
      );
    }
  });
});

function targetConfig(transform: "minmax" | "zscore" | "log-minmax" | "log-zscore" | "none") {
  return { ...defaults, metadataColumn: ["depth"], transform };
}
const defaults = (await import("../../../src/training/config/config.ts")).targetSchema.parse({});

describe("a pretrained encoder", () => {
  test("gives its weights to the start", async () => {
    const start = { pretrainedEncoder: scratch.path("encoder") };
    const training = { epochs: 1, lr: 1e-12, weightDecay: 0 };
    const { output } = await run({ ...start, training });
    const encoder = weightsOf(join(scratch.path("encoder"), "checkpoints/best.safetensors"));
    const tuned = weightsOf(join(output, "checkpoints/best.safetensors"));
    for (const [name, values] of encoder) {
      const own = tuned.get(`base_model.${name}`)!;
      for (const [i, value] of values.entries()) expect(own[i]).toBeCloseTo(value, 6);
    }
  });

  test("B35: stays exactly as it was when frozen, and the targets are learned all the same", async () => {
    const { output } = await run({ pretrainedEncoder: scratch.path("encoder"), freezeBase: true });
    const encoder = weightsOf(join(scratch.path("encoder"), "checkpoints/best.safetensors"));
    const tuned = weightsOf(join(output, "checkpoints/best.safetensors"));
    for (const [name, values] of encoder) expect(tuned.get(`base_model.${name}`)).toEqual(values);
    const history = historyOf(output);
    expect(history[0].train).not.toHaveProperty("unifrac_loss");
  });

  test.each([
    ["samples", undefined],
    ["ASVs", 1],
  ])("once frozen, what is kept of %s gives what the whole model gives", async (_what, maxValues) => {
    const { output } = await run({
      pretrainedEncoder: scratch.path("encoder"),
      freezeBase: true,
      categorical: { columns: ["site"], fusion: "concat" },
    });
    const { predictor, facts } = openRun(output, "cpu");
    const batch = batchOptionsOf(facts.config.model);
    const frozen = new FrozenEncoderCache(predictor!.baseModel, study.dataset, {
      device: "cpu",
      batch,
      maxValues,
    });
    const samples = Int32Array.of(5, 0, 11, 7);
    const categories = SampleCategories.fit(study.dataset, ["site"], samples)!.ids(samples, "cpu");
    using _scope = torch.scope();
    const build = (withoutTokens: boolean) =>
      new BatchBuilder(study.dataset, { ...batch, withoutTokens }).build(samples, new Random(0));
    const whole = predictor!.forward(batchTensors(build(false), "cpu").input, { categories }).target;
    const bare = build(true);
    const { input } = batchTensors(bare, "cpu");
    const quick = predictor!.forward(input, { categories, ...frozen.request(bare, input) }).target;
    const [a, b] = [whole.toFloat64Array(), quick.toFloat64Array()];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 5);
    frozen.dispose();
  });

  test("its ASVs are added up with --target-pooling sum, and the saved run predicts the same from a table's tokens", async () => {
    const { output, summary, rows } = await run({
      pretrainedEncoder: scratch.path("encoder"),
      freezeBase: true,
      bestMetric: "last",
      target: { pooling: "sum", sumFeatures: 48 },
      training: { epochs: 4, optimizer: "sgd", lr: 0.5, scheduler: "constant" },
    });
    expect(summary.best_epoch).toBe(4);
    const opened = openRun(output, "cpu");
    const samples = Int32Array.from(rows, ([id]) => study.dataset.sampleIndex(id));
    const { predictions } = predictSamples(opened, study.dataset, samples, {
      device: "cpu",
      categories: null,
    });
    const again = predictions[0].predicted as Float64Array;
    for (const [i, [, predicted]] of rows.entries()) expect(again[i]).toBeCloseTo(Number(predicted), 4);
    expect(new Set(rows.map(([, predicted]) => predicted)).size).toBeGreaterThan(1);
  });

  const blocks: FineTuneInput = {
    pretrainedEncoder: "ENCODER",
    freezeBase: true,
    bestMetric: "last",
    target: { pooling: "blocks", lossType: "mse", sumFeatures: 64, ridge: 0.5 },
    training: { epochs: 400, batchSize: 32, optimizer: "sgd", lr: 0.5, scheduler: "constant" },
  };
  const onBlocks = (target: FineTuneInput["target"], training: FineTuneInput["training"] = {}) =>
    run({
      ...blocks,
      pretrainedEncoder: scratch.path("encoder"),
      target: { ...blocks.target, ...target },
      training: { ...blocks.training, ...training },
    });

  test("with --target-pooling blocks it is a kernel ridge regression of penalty --ridge, and the saved run predicts the same", async () => {
    const { output, rows } = await onBlocks({});
    const opened = openRun(output, "cpu");
    const { dataset } = study;
    const held = Int32Array.from(rows, ([id]) => dataset.sampleIndex(id));
    const options = { device: "cpu", categories: null } as const;
    const again = predictSamples(opened, dataset, held, options).predictions[0].predicted as Float64Array;
    for (const [i, [, predicted]] of rows.entries()) expect(again[i]).toBeCloseTo(Number(predicted), 4);

    using _scope = torch.scope();
    const facts = opened.facts as FineTuneFacts;
    const isHeld = new Set(held);
    const train = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i).filter((i) => !isHeld.has(i));
    const featuresOf = (samples: Int32Array) => {
      const batch = new BatchBuilder(dataset, batchOptionsOf(facts.config.model)).build(
        samples,
        new Random(0),
      );
      const { input } = batchTensors(batch, "cpu");
      const slots = opened.predictor!.baseModel.asvSlots(input);
      return torch.noGrad(() => opened.predictor!.asvBlocks!.forward(input, slots)).to("float64");
    };
    const x = featuresOf(train);
    expect(x.square().sum([1]).mean().item()).toBeCloseTo(1, 4);
    const [depths] = Targets.fromState(facts.targets).actual(dataset);
    const mean = train.reduce((sum, sample) => sum + depths[sample], 0) / train.length;
    const y = torch.tensor(Float64Array.from(train, (sample) => depths[sample] - mean));
    const penalty = torch.eye(train.length, { dtype: "float64" }).mul(0.5);
    const alpha = torch.linalg.solve(x.matmul(x.t()).add(penalty), y.unsqueeze(1));
    const expected = featuresOf(held).matmul(x.t()).matmul(alpha).add(mean).toFloat64Array();
    for (const [i, value] of expected.entries()) expect(Math.abs(again[i] - value)).toBeLessThan(0.02);
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(1);
  });

  test("inner folds of the training samples choose penalty and transform, and the run says which", async () => {
    const { output } = await onBlocks({ ridge: "auto", transform: "auto" }, { epochs: 2 });
    const { target, training } = (openRun(output, "cpu").facts as FineTuneFacts).config;
    expect(target.ridge).toBeGreaterThan(0);
    expect(["zscore", "power-zscore"]).toContain(target.transform);
    const { train } = (openRun(output, "cpu").facts as FineTuneFacts).split;
    // The slope of a square is twice the error.
    expect(training.weightDecay).toBeCloseTo((2 * (target.ridge as number)) / train, 12);
  });

  test("what does not go with blocks is refused", async () => {
    const refused = (target: FineTuneInput["target"], others: FineTuneInput = {}) =>
      refusal({
        ...blocks,
        pretrainedEncoder: scratch.path("encoder"),
        target: { ...blocks.target, ...target },
        ...others,
      });
    expect(await refused({}, { training: { optimizer: "adamw" } })).toContain("give --optimizer sgd");
    expect(await refused({ ridge: "auto" }, { training: { optimizer: "sgd", weightDecay: 0.1 } })).toContain(
      "settled by target.ridge",
    );
    expect(await refused({}, { freezeBase: false })).toContain("--target-pooling blocks adds up ASVs");
    expect(await refused({ pooling: "sum" })).toContain("--ridge is for --target-pooling blocks");
    expect(await refused({ pooling: "sum", ridge: "auto", transform: "auto" })).toContain(
      "--target-transform auto needs --target-pooling blocks",
    );
    expect(await refused({ power: 0.5 })).toContain("--target-power needs --target-transform power-zscore");
    expect(await refused({ huberDelta: 0.5 })).toContain("--huber-delta needs --loss-type huber");
    expect(await refused({ countPrediction: true })).toContain("blocks does not go with --count-prediction");
  });

  test("of another kind, or none, is refused", async () => {
    const { output } = await run({});
    expect(await refusal({ pretrainedEncoder: output })).toContain("needs a pretraining run");
    expect(await refusal({ pretrainedEncoder: scratch.path("nothing") })).toContain(
      "There is no run or checkpoint",
    );
  });
});

describe("categories", () => {
  test.each(["concat", "add", "gmu", "cross-attention", "perceiver"] as const)(
    "enter by %s",
    async (fusion) => {
      const categories = {
        columns: ["site", "plot"],
        fusion,
        crossAttnHeads: 2,
        perceiverNumLatents: 4,
        perceiverNumLayers: 1,
      };
      const { output, rows } = await run({ categorical: categories });
      const opened = openRun(output, "cpu");
      expect(opened.facts.kind === "fine-tune" && opened.facts.categories?.map(({ name }) => name)).toEqual([
        "site",
        "plot",
      ]);
      const samples = Int32Array.from(rows, ([id]) => study.dataset.sampleIndex(id));
      const state = opened.facts.kind === "fine-tune" ? opened.facts.categories! : [];
      const right = predictSamples(opened, study.dataset, samples, {
        device: "cpu",
        categories: SampleCategories.restore(state, study.dataset),
      });
      for (const [i, [, predicted]] of rows.entries())
        expect(right.predictions[0].predicted[i]).toBeCloseTo(Number(predicted), 5);
      const unknown = predictSamples(opened, study.dataset, samples, { device: "cpu", categories: null });
      expect(Array.from(unknown.predictions[0].predicted)).not.toEqual(
        Array.from(right.predictions[0].predicted),
      );
    },
  );
});

describe("contradictions are refused before any file is written", () => {
  const cases: [string, FineTuneInput, RegExp][] = [
    [
      "sums of an encoder that changes",
      { target: { pooling: "sum" } },
      /--target-pooling sum .*--freeze-base/,
    ],
    ["frozen random weights", { freezeBase: true }, /--freeze-base/],
    ["quantiles without their loss", { target: { quantiles: [0.5] } }, /--quantiles needs/],
    ["penalties without asymmetric", { target: { overPenalty: 2 } }, /--over-penalty/],
    ["bounded z-scores", { target: { boundedTargets: true } }, /--bounded-targets/],
    ["z-scores by no category", { target: { transform: "zscore-category" } }, /--normalize-by/],
    ["normalize-by unused", { target: { normalizeBy: ["site"] } }, /--normalize-by needs/],
    [
      "residual without hidden layers",
      { target: { residualRegressionHead: true } },
      /--regressor-hidden-dims/,
    ],
    ["class weights for numbers", { target: { classWeights: "auto" } }, /--class-weights/],
    [
      "scaling by no category",
      { categorical: { conditionalOutputScaling: ["site"] } },
      /--conditional-output-scaling/,
    ],
    ["weights without a column", { categorical: { lossWeights: "auto" } }, /--categorical-loss-weights/],
    ["the target as a category", { categorical: { columns: ["depth"] } }, /cannot be predicted and given/],
    ["accuracy of numbers", { bestMetric: "accuracy" }, /--best-metric accuracy/],
    [
      "quantiles of classes",
      { target: { metadataColumn: ["site"], lossType: "quantile" } },
      /Classes have no quantile loss/,
    ],
    ["text as numbers", { target: { metadataColumn: ["site"], classifier: false } }, /holds text/],
    ["two columns of classes", { target: { metadataColumn: ["site", "plot"] } }, /one column/],
    ["a column that is not there", { target: { metadataColumn: ["age"] } }, /"age": it has/],
    ["two kinds of split", { split: { by: "site", stratify: "site" } }, /exclude each other/],
    ["a loss for no column", { target: { lossConfig: { age: "mae" } } }, /names "age"/],
    [
      "heads that do not divide",
      { categorical: { columns: ["site"], fusion: "perceiver", crossAttnHeads: 3 } },
      /--cross-attn-heads 3/,
    ],
    ["fp16 on the CPU", { training: { mixedPrecision: "fp16" } }, /needs a GPU/],
  ];
  showsOptions("train", "--no-classifier");
  test.each(cases)("%s", async (_what, config, message) => {
    const output = scratch.path(`run-${runs}`);
    expect(await refusal(config)).toMatch(message);
    expect(existsSync(output)).toBe(false);
  });
});

test("NaN is found where it arises, and what is needed to repeat it is kept", async () => {
  const config = {
    training: { lr: 1e30, maxGradNorm: null, epochs: 20, scheduler: "constant" as const },
  };
  const output = scratch.path("nan");
  let message = "";
  try {
    await fineTuneStudy(study, output, config, { debugNan: true });
  } catch (cause) {
    message = (cause as Error).message;
  }
  expect(message).toMatch(
    /^Step \d+: the output of base_model\.\S+ \[.*\] is not finite \(.*\)\. The samples of the batch are "/,
  );
  const repro = loadRepro(/are in (\S+);/.exec(message)![1]);
  expect(repro.sampleIds).toHaveLength(repro.batch.samples);
  expect(repro.site).toMatchObject({ kind: "output", path: expect.stringMatching(/^base_model\./) });
  expect(repro.facts).toMatchObject({ kind: "fine-tune" });
  expect([...repro.weights.keys()]).toContain("base_model.attention_pooling.query.weight");
});

test("grouped splits hold whole groups out, and say so", async () => {
  const { output, summary } = await run({ split: { by: "plot" } });
  expect(summary.split).toBe("whole plot held out");
  const column = study.dataset.column("plot");
  const groupsOf = (file: string) =>
    new Set(
      readFileSync(join(output, file), "utf8")
        .trim()
        .split("\n")
        .map((id) => (column.kind === "text" ? column.codes[study.dataset.sampleIndex(id)] : -1)),
    );
  const train = groupsOf("train_sample_ids.txt");
  for (const group of groupsOf("val_sample_ids.txt")) expect(train.has(group)).toBe(false);
});

test("a damaged or foreign run is told as such", () => {
  expect(userErrorOf(() => openRun(scratch.path("missing"), "cpu"))).toContain("check the path");
  expect(userErrorOf(() => openRun(study.folder, "cpu"))).toContain("holds no trained model");
});
