/** A setting of a configuration is named as the option that sets it, so that one name finds both. */
import { expect, test } from "bun:test";
import { Option } from "commander";
import { trainOptions } from "../../src/cli/commands/train.ts";
import { pretrainOptions } from "../../src/cli/options/trainingOptions.ts";
import { fineTuneSchema, pretrainSchema } from "../../src/training/config/config.ts";

/** Settings that files have, and no option; a fine-tuning has its encoder's further metrics. */
const ofFiles = ["model.transformers", "model.vocabulary", "model.referenceForm"];
const subjects = {
  pretrain: { options: pretrainOptions, schema: pretrainSchema, ofFiles },
  train: {
    options: trainOptions,
    schema: fineTuneSchema,
    ofFiles: [...ofFiles, "target.countForm", "furtherMetrics"],
  },
};

/** `--target-transform` is `targetTransform`, and so is `--no-target-transform`. */
const nameOf = (flags: string) => new Option(flags).attributeName();

/** What an option may be called that sets `target.transform`: `transform` or `targetTransform`. */
function namesFor(path: string): string[] {
  const [section, key = section] = path.split(".");
  return [key, `${section}${key[0].toUpperCase()}${key.slice(1)}`];
}

test.each(Object.entries(subjects))("settings of %s are named as their options", (_, { options }) => {
  const wrong = options.filter(({ flags, path }) => !namesFor(path).includes(nameOf(flags)));
  expect(wrong.map(({ flags, path }) => `${flags} sets ${path}`)).toEqual([]);
});

test.each(Object.entries(subjects))("settings of %s have an option, but for a few", (_, subject) => {
  const paths = Object.entries(subject.schema.parse({})).flatMap(([section, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.keys(value).map((key) => `${section}.${key}`)
      : [section],
  );
  const set = new Set(subject.options.map(({ path }) => path));
  expect(paths.filter((path) => !set.has(path) && !subject.ofFiles.includes(path))).toEqual([]);
});
