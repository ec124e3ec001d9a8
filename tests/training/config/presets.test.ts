import "../../../src/reference/predictor.ts"; // the form of converted models
import { beforeAll, expect, test } from "bun:test";
import { Command } from "commander";
import { fineTuneStudy, makeStudy, pretrainStudy, type Study } from "../../../lab/material/study.ts";
import { trainOptions } from "../../../src/cli/commands/train.ts";
import { addSchemaOptions, configOf } from "../../../src/cli/options/schemaOptions.ts";
import { runToReference } from "../../../src/reference/convert/runToReference.ts";
import type { PretrainInput } from "../../../src/training/config/config.ts";
import { fineTuneSchema, pretrainSchema } from "../../../src/training/config/config.ts";
import { fineTuneConfig, pretrainConfig } from "../../../src/training/config/defaults.ts";
import { presetNames, presetSettings } from "../../../src/training/config/presets.ts";
import { openRun } from "../../../src/training/run/open.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
});

const small = { embeddingDim: 8, attentionLayers: 1, attentionHeads: 2, maxBp: 24 };

test("the presets are what they are said to be", () => {
  const seed = fineTuneSchema.parse(presetSettings("seed", ["model", "training", "target"]));
  expect(seed.model).toMatchObject({
    embeddingDim: 128,
    vocabulary: 6,
    nucMaskRatio: 0,
    distanceForm: "raw",
  });
  expect(seed.target).toMatchObject({ lossType: "mse", layerNorm: false, countForm: "raw" });
  const latest = fineTuneSchema.parse(presetSettings("latest", ["model", "training", "target"]));
  expect(latest.model).toMatchObject({
    vocabulary: 7,
    nucMaskRatio: 0.15,
    distanceForm: "tanh",
    tanhScale: 10,
  });
  expect(latest.target).toMatchObject({ lossType: "huber", layerNorm: true, countForm: "scaled" });
  // Pretraining has no target.
  for (const name of presetNames) pretrainSchema.parse(presetSettings(name, ["model", "training"]));
});

test("what is given wins over a preset, and a preset over the defaults", () => {
  const command = new Command("x").exitOverride();
  addSchemaOptions(command, fineTuneSchema, trainOptions);
  command.parse(["--embedding-dim", "16"], { from: "user" });
  const start = presetSettings("seed", ["model", "training", "target"]);
  const config = configOf(command, fineTuneSchema, trainOptions, undefined, start);
  expect(config.model).toMatchObject({ embeddingDim: 16, attentionLayers: 4, vocabulary: 6 });
  expect(config.split.testSize).toBe(0.2);
});

for (const name of presetNames) {
  test(`${name}: pretraining and fine-tuning, and the original AAM can have the models`, async () => {
    const settings = presetSettings(name, ["model", "training", "target"]) as Record<string, object>;
    const model = { ...settings["model"], ...small };
    const encoder = scratch.path(`${name}-encoder`);
    const training = { ...settings["training"], epochs: 1 };
    await pretrainStudy(study, encoder, { model, training });
    const pretrained = openRun(encoder, "cpu");
    const state = pretrained.model.stateDict();
    const tokens = state.get("sample_encoder.asv_encoder.token_embedding.weight")!;
    expect(tokens.shape).toEqual([name === "seed" ? 6 : 7, 8]);
    expect(runToReference(pretrained.facts).module).toBe("SequenceEncoder");

    const output = scratch.path(`${name}-predictor`);
    const target = { ...settings["target"], metadataColumn: ["ph"] };
    const { summary } = await fineTuneStudy(study, output, { model, training, target });
    expect(Number.isFinite(summary.validation["mae"])).toBe(true);
    expect(Number.isFinite(summary.validation["count_loss"])).toBe(true);
    const predictor = openRun(output, "cpu");
    expect(predictor.predictor!.targetNorm === null).toBe(name === "seed");
    expect(runToReference(predictor.facts).config).toMatchObject({ count_prediction: true, out_dim: 1 });
  });
}

test("settings that are none are told with their place", () => {
  const wrong = { training: { maxMinute: 2 } } as PretrainInput;
  expect(() => pretrainConfig(wrong)).toThrow(/cannot be used:\n.*"maxMinute"\n.*training/);
  expect(() => fineTuneConfig({ training: { lr: -1 } })).toThrow(/>0\n.*training\.lr/);
});
