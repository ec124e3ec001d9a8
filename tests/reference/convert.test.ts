import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { denseToRagged } from "../../src/models/raggedBatch.ts";
import { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import { sequenceEncoderOptions } from "../../src/reference/config.ts";
import { convertFromReference, convertToReference } from "../../src/reference/convert/convert.ts";
import { runToReference } from "../../src/reference/convert/runToReference.ts";
import {
  findCases,
  type LoadedCase,
  loadCase,
  type ModelCase,
  withPrefix,
} from "../../src/reference/parity/caseFile.ts";
import { compareAll } from "../../src/reference/parity/compare.ts";
import { type AnyModel, buildModel, runModel } from "../../src/reference/parity/modelCase.ts";
import * as torch from "../../src/torch/index.ts";
import { type OpenedRun, openRun, readRunFacts } from "../../src/training/run/open.ts";

torch.setNumThreads(1);

const fixtures = join(import.meta.dir, "..", "fixtures");
const checkpoints = join(fixtures, "checkpoints");
const scratch = mkdtempSync(join(tmpdir(), "convert-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const converted = join(scratch, "model.safetensors");

const cases = findCases(join(fixtures, "parity"))
  .map((folder) => loadCase(folder))
  .filter((loaded): loaded is LoadedCase<ModelCase> => {
    const { description } = loaded;
    return description.kind === "model" && /^Sequence/.test(description.module);
  });

/** Writes a case's weights as a `.pt` file. */
function writeCase({ description, tensors }: LoadedCase<ModelCase>, path: string, bare: boolean): void {
  const state = withPrefix(tensors, "weights/");
  const config = description.config as torch.PickleInput;
  const facts = { epoch: 1, best_val_loss: 0.5, model_state_dict: state, optimizer_state_dict: {}, config };
  torch.savePickle(path, bare ? state : facts);
}

function plain(value: unknown): unknown {
  return value instanceof Map
    ? Object.fromEntries([...value].map(([name, inner]) => [name, plain(inner)]))
    : value;
}

function differences(opened: OpenedRun, loaded: LoadedCase<ModelCase>): string[] {
  const model = (opened.predictor ?? opened.encoder) as AnyModel;
  const { outputs } = runModel(model, loaded, "inputs/");
  const expected = withPrefix(loaded.tensors, "outputs/");
  return compareAll("", outputs, expected, loaded.description)
    .filter(({ within }) => !within)
    .map(({ name, error }) => `${name} ${error}`);
}

describe("every kind of model of the original AAM predicts the same, and goes back as it came:", () => {
  test("there are many", () => expect(cases.length).toBeGreaterThan(50));
  for (const loaded of cases)
    test(loaded.name, () => {
      torch.tidy(() => {
        const { name, description, tensors } = loaded;
        if (tensors.has("inputs/mask_indices")) return;
        const path = join(scratch, "theirs.pt");
        writeCase(loaded, path, false);
        convertFromReference(path, converted);
        const opened = openRun(converted, "cpu");
        expect({ name, differences: differences(opened, loaded) }).toEqual({ name, differences: [] });
        opened.model.dispose();

        const back = join(scratch, "back.pt");
        convertToReference(converted, back, { bare: false });
        const content = torch.loadPickle(back) as Map<string, torch.PickleValue>;
        const state = content.get("model_state_dict") as Map<string, torch.Tensor>;
        const weights = withPrefix(tensors, "weights/");
        expect([...state.keys()].sort()).toEqual([...weights.keys()].sort());
        for (const [key, value] of weights)
          expect({ key, same: state.get(key)!.equal(value) }).toEqual({ key, same: true });
        // Nothing is lost: the arguments that are written make the same model.
        const config = plain(content.get("config")) as Record<string, unknown>;
        const again = { ...loaded, description: { ...description, config } };
        const outputs = runModel(buildModel(again), again, "inputs/").outputs;
        const wrong = compareAll("", outputs, withPrefix(tensors, "outputs/"), description);
        expect({ name, wrong: wrong.filter(({ within }) => !within) }).toEqual({ name, wrong: [] });
      });
    });
});

test("weights alone tell everything but the heads and the last step of the output", () => {
  const untold = /is_classifier|bounded_targets|output_activation|num_quantiles|_activation|seed_version/;
  let count = 0;
  for (const loaded of cases) {
    torch.tidy(() => {
      const { name, description } = loaded;
      const { config } = description;
      const heads = new Set(
        Object.keys(config)
          .filter((key) => key.endsWith("_num_heads"))
          .map((key) => config[key]),
      );
      const keys = [config, config["base_model"] ?? {}].flatMap((some) => Object.keys(some as object));
      const isTold = !keys.some((key) => untold.test(key)) && !description.loss?.seed_version;
      if (!isTold || heads.size > 1 || "cross_attn_heads" in config) return;
      if (loaded.tensors.has("inputs/mask_indices")) return;
      count++;
      const path = join(scratch, "bare.pt");
      writeCase(loaded, path, true);
      convertFromReference(path, converted, { heads: Number([...heads][0]) });
      const opened = openRun(converted, "cpu");
      expect({ name, differences: differences(opened, loaded) }).toEqual({ name, differences: [] });
      opened.model.dispose();
    });
  }
  expect(count).toBeGreaterThan(25);
}, 240_000);

const { tensors: expected } = torch.loadSafetensors(join(checkpoints, "expected.safetensors"));

for (const [file, name, heads] of [
  ["trainer_encoder.pt", "trainer_encoder", undefined],
  ["trainer_predictor.pt", "trainer_predictor", undefined],
  ["bare_encoder.pt", "trainer_encoder", 2],
  ["compiled_encoder.pt", "trainer_encoder", 2],
] as const) {
  test(`${file}, written by the reference's trainer, predicts the same`, () => {
    const { notes } = convertFromReference(join(checkpoints, file), converted, { heads });
    expect(notes.some((note) => note.includes("heads"))).toBe(false);
    const opened = openRun(converted, "cpu");
    // Without packing: the expected values are there for empty slots too.
    const batch = {
      ...denseToRagged(expected.get(`${name}/inputs/tokens`)!),
      asvPacking: null,
      samplePacking: null,
    };
    const request = { nucleotides: true };
    const encoding = opened.predictor
      ? opened.predictor.forward(batch, request).base
      : opened.encoder.forward(batch, request);
    const error = (value: torch.Tensor, key: string) =>
      value
        .sub(expected.get(`${name}/outputs/${key}`)!)
        .abs()
        .max()
        .item();
    expect(error(encoding.embeddings!, "embeddings")).toBeLessThan(1e-5);
    if (opened.predictor) {
      const { target, count } = opened.predictor.forward(batch, request);
      expect(error(target, "target_prediction")).toBeLessThan(1e-5);
      expect(error(count!, "count_prediction")).toBeLessThan(1e-5);
    } else {
      expect(error(encoding.sampleEmbeddings, "sample_embeddings")).toBeLessThan(1e-5);
    }
    const facts = readRunFacts(converted) as unknown as { reference: Record<string, unknown> };
    if (!file.startsWith("trainer")) return;
    expect(facts.reference).toMatchObject({ epoch: 3, best_val_loss: 0.125, best_metric: "val_loss" });
  });
}

test("names of targets, classes and categories are taken over or given", () => {
  const loaded = cases.find(({ name }) => name === "predictor-gmu")!;
  const path = join(scratch, "named.pt");
  const encoder = {
    mappings: { site: { gut: 2, skin: 1, mouth: 3 }, season: { a: 1, b: 2, c: 3, d: 4 } },
    column_names: ["season", "site"],
  };
  const config = {
    ...(loaded.description.config as Record<string, torch.PickleInput>),
    categorical_encoder: encoder,
  };
  torch.savePickle(path, { model_state_dict: withPrefix(loaded.tensors, "weights/"), config });
  convertFromReference(path, converted, { targets: ["age"] });
  const facts = readRunFacts(converted);
  if (facts.kind !== "fine-tune") throw new Error("not a predictor");
  expect(facts.config.target.metadataColumn).toEqual(["age"]);
  expect(facts.categories?.find(({ name }) => name === "site")?.categories).toEqual(["skin", "gut", "mouth"]);
  const classes = cases.find(({ name }) => name === "predictor-classes")!;
  writeCase(classes, path, false);
  convertFromReference(path, converted, { classes: ["x", "y", "z"] });
  expect(openRun(converted, "cpu").targets!.classes).toEqual(["x", "y", "z"]);
  expect(() => convertFromReference(path, converted, { classes: ["x"] })).toThrow(
    /has 3 classes, but 1 names/,
  );
});

test("a size that one transformer states is not that of the others, which state none", () => {
  const loaded = cases.find(({ description }) => description.module === "SequenceEncoder")!;
  const config = {
    ...(loaded.description.config as Record<string, torch.PickleInput>),
    ...{ asv_intermediate_size: 24, sample_intermediate_size: null, encoder_intermediate_size: null },
  };
  const path = join(scratch, "sizes.pt");
  const state = new SequenceEncoder(sequenceEncoderOptions(config, "the test")).stateDict();
  torch.savePickle(path, { model_state_dict: state, config });
  convertFromReference(path, converted);
  const { encoder } = openRun(converted, "cpu");
  expect(encoder.stateDict()).toEqual(state);
});

test("the tanh form of GELU can be chosen, and is told where it is lost", () => {
  convertFromReference(join(checkpoints, "trainer_encoder.pt"), converted, { activation: "gelu_tanh" });
  const facts = readRunFacts(converted);
  expect(facts.config.model.activation).toBe("gelu_tanh");
  expect(runToReference(facts).notes.filter((note) => note.includes("GELU"))).toHaveLength(3);
});

test("what cannot be converted is told in words", () => {
  const path = join(scratch, "wrong.pt");
  const write = (content: torch.PickleInput) => torch.savePickle(path, content);
  const convert =
    (options = {}) =>
    () =>
      convertFromReference(path, converted, options);
  write([1, 2]);
  expect(convert()).toThrow(/no dictionary/);
  write({ model_state_dict: {} });
  expect(convert()).toThrow(/no weights/);
  write({ weight: torch.ones([2]) });
  expect(convert()).toThrow(/lacks sample_encoder/);
  writeCase(cases.find(({ name }) => name === "encoder-unifrac")!, path, true);
  expect(convert({ heads: 3 })).toThrow(/do not divide/);
  expect(convert({ config: { depth: 3 } })).toThrow(/unknown settings: depth/);
  expect(convert({ config: { embedding_dim: 16 } })).toThrow(/does not fit/);
  expect(() => convertFromReference(join(checkpoints, "legacy_encoder.pt"), converted)).toThrow(/before 1.6/);
  expect(() => convertToReference(join(scratch, "nothing"), path, { bare: false })).toThrow(
    /no run or checkpoint/,
  );
});
