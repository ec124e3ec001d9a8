import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { configOf } from "../../../src/cli/options/schemaOptions.ts";
import { EventFile } from "../../../src/formats/tensorboard/eventFile.ts";
import { encodeRecord } from "../../../src/formats/tensorboard/tfRecord.ts";
import * as torch from "../../../src/torch/index.ts";
import { fineTuneSchema, pretrainSchema } from "../../../src/training/config/config.ts";
import {
  loadCheckpoint,
  readCheckpointFacts,
  saveCheckpoint,
} from "../../../src/training/loop/checkpoint.ts";
import { readEventFile } from "../../material/tensorboard/eventReader.ts";
import { readRecords } from "../../material/tensorboard/records.ts";
import type { FuzzedReader } from "./fuzzReader.ts";
import { mutate } from "./mutate.ts";
import { inputFolder, pathReader } from "./pathReader.ts";

const fixture = (path: string) =>
  new Uint8Array(readFileSync(join(import.meta.dir, "../../../tests/fixtures", path)));
const text = (content: string) => new TextEncoder().encode(content);

/** The file that `write` makes. */
function made(name: string, write: (path: string) => void): Uint8Array {
  const path = join(inputFolder(), `seed-${name}`);
  write(path);
  return new Uint8Array(readFileSync(path));
}

/** Reads every value that a result holds, as its user would. */
function touch(value: unknown): void {
  if (value instanceof torch.Tensor) {
    if (value.data().length !== value.numel) throw new Error("inconsistent tensor");
  } else if (value instanceof Map) {
    for (const item of value.values()) touch(item);
  } else if (Array.isArray(value)) {
    for (const item of value) touch(item);
  }
}

/** Mutates the contents of records and gives them right checksums, so that they are looked into. */
const mutateRecords: FuzzedReader["mutate"] = (file, random) => {
  const { payloads } = readRecords(file, "seed");
  const changed = random.integer(payloads.length);
  return new Uint8Array(
    Buffer.concat(
      payloads.map((payload, i) => encodeRecord(i === changed ? mutate(payload, random) : payload)),
    ),
  );
};

function eventSeed(): Uint8Array {
  const folder = join(inputFolder(), "seed-events");
  const events = new EventFile(folder, () => 1e12);
  events.scalars({ "train/loss": 0.5, "val/loss": 1 }, 1);
  events.histogram("weights", [1, 2, 3, 3], 1);
  events.text("config", "**a** text");
  events.hyperParameters({ lr: 0.1, name: "x" }, ["val/loss"]);
  events.close();
  return new Uint8Array(readFileSync(events.path));
}

function checkpointSeeds(): Uint8Array[] {
  using _scope = torch.scope();
  const model = new torch.nn.Linear(3, 2);
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 0.1 });
  model
    .forward(torch.ones([1, 3]))
    .sum()
    .backward();
  optimizer.step();
  return [made("checkpoint", (path) => saveCheckpoint(path, { model, optimizer }, { step: 1, name: "x" }))];
}

const configs = {
  yaml: "unifracMetric: unweighted\nmodel:\n  embeddingDim: 32\n  attentionLayers: 2\n  dropout: 0.1\ntraining: {epochs: 5, lr: 1e-3}\n",
  json: '{"unifracMetric": "unweighted", "model": {"embeddingDim": 32, "tanhScale": 2.5}, "training": {"epochs": 5, "seed": 1}}',
  anchors:
    "model: &m\n  attentionLayers: 2\ntraining:\n  epochs: 3\n  # a comment\n  scheduler: 'constant'\n",
};

/** Every reader of what the program itself writes: tensors, checkpoints, event files, configurations. */
export function runReaders(): FuzzedReader[] {
  using _scope = torch.scope();
  const seeds = {
    safetensors: made("w", (path) => {
      const tensors = {
        a: torch.ones([3, 2]),
        b: torch.arange(5),
        empty: torch.zeros([0, 4]),
        half: torch.ones([2]).to("bfloat16"),
      };
      torch.saveSafetensors(path, new Map(Object.entries(tensors)), { made: "here" });
    }),
    pickle: made("p", (path) => {
      torch.savePickle(path, {
        weights: { a: torch.ones([3, 2]) },
        epoch: 3,
        names: ["x", "y"],
        flag: true,
        none: null,
      });
    }),
  };
  const target = { model: new torch.nn.Linear(3, 2) };
  const optimizer = new torch.optim.AdamW(target.model.parameters(), { lr: 0.1 });
  for (const value of [...target.model.parameters()]) value.detachFromScope();
  const readConfig = (schema: typeof pretrainSchema | typeof fineTuneSchema) => (path: string) =>
    configOf(new Command(), schema as typeof pretrainSchema, [], path);
  const readers = [
    pathReader({
      name: "safetensors",
      files: [seeds.safetensors, fixture("parity/losses-all/tensors.safetensors")],
      file: "input.safetensors",
      readPath: (path) => torch.tidy(() => touch(torch.loadSafetensors(path).tensors)),
      check: () => {},
    }),
    pathReader({
      name: "pt",
      files: [seeds.pickle, fixture("checkpoints/bare_encoder.pt"), fixture("checkpoints/legacy_encoder.pt")],
      file: "input.pt",
      readPath: (path) => torch.tidy(() => touch(torch.loadPickle(path))),
      check: () => {},
    }),
    pathReader({
      name: "pt, mapped",
      files: [seeds.pickle],
      file: "input.pt",
      readPath: (path) => torch.tidy(() => touch(torch.loadPickle(path, { mmap: true }))),
      check: () => {},
    }),
    pathReader({
      name: "checkpoints",
      files: checkpointSeeds(),
      file: "input.safetensors",
      readPath: (path) => {
        readCheckpointFacts(path);
        loadCheckpoint(path, { ...target, optimizer });
      },
      check: () => {},
    }),
    pathReader({
      name: "event files",
      files: [fixture("events/tensorboard.tfevents"), eventSeed()],
      file: "input.tfevents",
      readPath: readEventFile,
      check: () => {},
    }),
    pathReader({
      name: "event files, right checksums",
      files: [fixture("events/tensorboard.tfevents"), eventSeed()],
      mutate: mutateRecords,
      file: "input.tfevents",
      readPath: readEventFile,
      check: () => {},
    }),
    pathReader({
      name: "configurations, YAML",
      files: [text(configs.yaml), text(configs.anchors)],
      file: "input.yaml",
      readPath: readConfig(pretrainSchema),
      check: (config) => pretrainSchema.parse(config),
    }),
    pathReader({
      name: "configurations, JSON",
      files: [text(configs.json)],
      file: "input.json",
      readPath: readConfig(fineTuneSchema),
      check: () => {},
      mayRefuseAll: true,
    }),
  ];
  return readers as unknown as FuzzedReader[];
}
