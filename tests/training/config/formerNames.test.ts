/** Runs and files of settings that were written when some settings had other names are read as they were. */
import { expect, test } from "bun:test";
import { Command } from "commander";
import { configOf } from "../../../src/cli/options/schemaOptions.ts";
import * as torch from "../../../src/torch/index.ts";
import { pretrainSchema } from "../../../src/training/config/config.ts";
import { withPresentNames } from "../../../src/training/config/formerNames.ts";
import { saveWeights } from "../../../src/training/loop/savedState.ts";
import { readRunFacts } from "../../../src/training/run/open.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const former = {
  split: { validationShare: 0.4, by: "host" },
  model: { distance: "tanh" },
  training: { floor: 0.5 },
};
const present = {
  split: { testSize: 0.4, by: "host" },
  model: { distanceForm: "tanh" },
  training: { lrFloor: 0.5 },
};

test("former names become present ones, which stay", () => {
  expect(withPresentNames({ metric: "unweighted", ...former })).toEqual({ metric: "unweighted", ...present });
  expect(withPresentNames(present)).toEqual(present);
  expect(withPresentNames(undefined)).toBe(undefined);
});

test("a file of settings may have them, but not both", () => {
  const read = (settings: unknown) => {
    const file = scratch.write("settings.json", JSON.stringify(settings));
    return configOf(new Command(), pretrainSchema, [], file);
  };
  expect(read(former)).toMatchObject(present);
  const both = { split: { validationShare: 0.4, testSize: 0.3 } };
  expect(userErrorOf(() => read(both))).toContain('split: no such setting: "validationShare"');
});

test("a checkpoint may have them", () => {
  const path = scratch.path("old.safetensors");
  saveWeights(path, new torch.nn.Linear(1, 1), { kind: "pretrain", config: former });
  expect(readRunFacts(path).config).toMatchObject(present);
});
