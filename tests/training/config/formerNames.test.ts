/** Runs and files of settings that were written when some settings had other names are read as they were. */
import { expect, spyOn, test } from "bun:test";
import { Command } from "commander";
import { makeStudy, pretrainStudy, smallModel } from "../../../lab/material/study.ts";
import { configOf } from "../../../src/cli/options/schemaOptions.ts";
import * as torch from "../../../src/torch/index.ts";
import { fineTuneSchema, type PretrainConfig, pretrainSchema } from "../../../src/training/config/config.ts";
import { withPresentNames } from "../../../src/training/config/formerNames.ts";
import { saveWeights } from "../../../src/training/loop/checkpoint.ts";
import { RunFolder } from "../../../src/training/run/folder.ts";
import { readRunFacts } from "../../../src/training/run/open.ts";
import { openRunData } from "../../../src/training/run/record.ts";
import { succeed } from "../../helpers/commandLine.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const former = {
  metric: "generalized",
  split: { validationShare: 0.4, by: "host" },
  model: {
    ...{ distance: "tanh", layers: 3, heads: 2, maxBases: 90, countEmbedding: "add", maskRatio: 0.3 },
    ...{ maskStrategy: "span", transformers: { asv: { layers: 1, heads: 1 } } },
  },
  training: { floor: 0.5, learningRate: 0.2, uniFracPenalty: 3, accumulationSteps: 2 },
};
const present = {
  unifracMetric: "generalized",
  split: { testSize: 0.4, by: "host" },
  model: {
    ...{
      distanceForm: "tanh",
      attentionLayers: 3,
      attentionHeads: 2,
      maxBp: 90,
      countEmbeddingMethod: "add",
    },
    ...{ nucMaskRatio: 0.3, nucMaskStrategy: "span" },
    transformers: { asv: { attentionLayers: 1, attentionHeads: 1 } },
  },
  training: { lrFloor: 0.5, lr: 0.2, penalty: 3, gradientAccumulationSteps: 2 },
};
const formerTarget = {
  target: {
    ...{ columns: ["age"], loss: "mae", lossByColumn: { loss: "mse" }, bounded: true, learnableScale: true },
    ...{ activation: "exp", hiddenDims: [4], headDropout: 0.1, residualHead: true },
  },
  categories: {
    ...{ columns: ["site"], heads: 2, latents: 3, perceiverLayers: 1, scaledColumns: ["site"] },
    ...{ lossWeightColumns: ["site"], learningRate: 0.1 },
  },
};
const presentTarget = {
  target: {
    ...{ metadataColumn: ["age"], lossType: "mae", lossConfig: { loss: "mse" }, boundedTargets: true },
    ...{ learnableOutputScale: true, outputActivation: "exp", regressorHiddenDims: [4] },
    ...{ regressorDropout: 0.1, residualRegressionHead: true },
  },
  categorical: {
    ...{ columns: ["site"], crossAttnHeads: 2, perceiverNumLatents: 3, perceiverNumLayers: 1, lr: 0.1 },
    ...{ conditionalOutputScaling: ["site"], lossWeightColumn: ["site"] },
  },
};

test("former names become present ones, which stay", () => {
  expect(withPresentNames({ ...former, ...formerTarget })).toEqual({ ...present, ...presentTarget });
  expect(withPresentNames(present)).toEqual(present);
  expect(fineTuneSchema.parse({ ...present, ...presentTarget })).toMatchObject(presentTarget);
  expect(withPresentNames(undefined)).toBe(undefined);
});

test("a file of settings may have them, but not both", () => {
  const read = (settings: unknown) => {
    const file = scratch.write("settings.json", JSON.stringify(settings));
    return configOf(new Command(), pretrainSchema, [], file);
  };
  const told = spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    expect(read(former)).toMatchObject(present);
    expect(read(former)).toMatchObject(present);
    expect(read(present)).toMatchObject(present);
    expect(told).toHaveBeenCalledTimes(1);
    expect(told.mock.calls[0][0]).toContain(
      "metric is now called unifracMetric, split.validationShare is now called split.testSize, model.distance is",
    );
    read({ training: { learningRate: 0.1 } });
    expect(told.mock.calls[1][0]).toEndWith(
      "settings.json: training.learningRate is now called training.lr; the old name still works.\n",
    );
  } finally {
    told.mockRestore();
  }
  const both = { split: { validationShare: 0.4, testSize: 0.3 } };
  expect(userErrorOf(() => read(both))).toContain('split: no such setting: "validationShare"');
});

test("a checkpoint may have them", () => {
  const path = scratch.path("old.safetensors");
  saveWeights(path, new torch.nn.Linear(1, 1), { kind: "pretrain", config: former });
  expect(readRunFacts(path).config).toMatchObject(present);
});

test("the folder of a run may have them", async () => {
  const study = await makeStudy(scratch.path("study"), 12);
  const run = scratch.path("run");
  await pretrainStudy(study, run, { model: { ...smallModel, encoder: "aam" }, training: { epochs: 1 } });
  const folder = new RunFolder(run);
  const usual = folder.readConfig() as PretrainConfig;
  const { unifracMetric: metric, training, ...others } = usual;
  const { lr: learningRate, ...rest } = training;
  const older = { ...others, metric, training: { ...rest, learningRate } };
  folder.writeJson(folder.config, older);
  folder.writeJson(folder.run, { ...(folder.readJson(folder.run) as object), config: older });
  expect(folder.readConfig()).toEqual(usual);
  const { record, dataset } = openRunData(folder);
  dataset[Symbol.dispose]();
  expect(record.config).toEqual(usual);
  const goesOn = ["pretrain", "--output", run, "--resume", "--epochs", "2"];
  expect(await succeed(...goesOn)).toContain("epoch");
});
