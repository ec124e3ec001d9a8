import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../src/common/userError.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { randomSplit } from "../../src/data/split/split.ts";
import { SetEncoder } from "../../src/models/setEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { type PretrainConfig, type PretrainInput, pretrainSchema } from "../../src/training/config/config.ts";
import { readCheckpointFacts } from "../../src/training/loop/checkpoint.ts";
import type { EpochReport } from "../../src/training/loop/trainer.ts";
import { RunFolder } from "../../src/training/run/folder.ts";
import { checkpointOf, openRun } from "../../src/training/run/open.ts";
import { EncoderTask } from "./encoderTask.ts";
import { freshEncoder } from "./freshEncoder.ts";
import { trainBriefly } from "./shortTraining.ts";
import type { Subject } from "./subject.ts";

export interface OpenOptions {
  readonly run?: string;
  readonly data?: string;
  readonly device: torch.Device;
  readonly seed: number;
}

/**
 * Opens a pretraining run and its data, or data alone with a fresh model.
 * @throws UserError where they do not fit together.
 */
export function openSubject({ run, data, device, seed }: OpenOptions): Subject {
  if (run === undefined) return freshSubject(openDataset(data!), { device, seed });
  const { facts, encoder } = openRun(run, device);
  const folder = new RunFolder(run);
  const dataset = openDataset(data ?? datasetOf(folder));
  const { config } = facts;
  if (facts.kind !== "pretrain" || facts.encoderType !== "unifrac") {
    throw new UserError(
      `${run} was not trained on distances alone; give a run of \`bun run pretrain\` with a UniFrac metric.`,
    );
  }
  if (encoder instanceof SetEncoder) {
    throw new UserError(
      `${run} has a set encoder, and this investigation is about transformers; give a run of --encoder aam.`,
    );
  }
  const { step } = readCheckpointFacts(checkpointOf(run));
  return {
    dataset,
    metric: config.unifracMetric,
    config: facts.config,
    model: encoder,
    trained: true,
    learningCurve: readLearningCurve(folder),
    train: readSamples(folder.trainIds, dataset),
    validation: readSamples(folder.validationIds, dataset),
    device,
    seed,
    description:
      `${describeData(dataset)} The model: the best of a run, after ${step} steps with ` +
      `batches of ${config.training.batchSize} (${describeModel(facts.config)}).`,
  };
}

/** The data set that a run was trained on. @throws UserError if it is not there any more. */
function datasetOf(folder: RunFolder): string {
  const record = existsSync(folder.run) ? JSON.parse(readFileSync(folder.run, "utf8")) : null;
  const path = (record as { dataset?: { path?: string } } | null)?.dataset?.path;
  if (path !== undefined && existsSync(path)) return path;
  throw new UserError(`The data set of the run ${folder.path} is not where it was; give it with --data.`);
}

/** Of a run that was ended; an interrupted one has no history yet. */
function readLearningCurve(folder: RunFolder): Subject["learningCurve"] {
  if (!existsSync(folder.history)) return [];
  const history = JSON.parse(readFileSync(folder.history, "utf8")) as EpochReport[];
  return history.map(({ step, val }) => ({ step, r2: val["r2"] }));
}

function freshSubject(
  dataset: Dataset,
  { device, seed }: Pick<OpenOptions, "device" | "seed">,
  input: PretrainInput = {},
): Subject {
  const metric = (input.unifracMetric ?? dataset.manifest.distances[0]) as
    | PretrainConfig["unifracMetric"]
    | undefined;
  if (metric === undefined) {
    throw new UserError(
      `${basename(dataset.path)} has no distances between samples; prepare it with a tree or with distances.`,
    );
  }
  const config = pretrainSchema.parse({
    ...input,
    unifracMetric: metric,
    model: { ...input.model, maxBp: dataset.manifest.counts.longestAsv - 1 },
  });
  torch.manualSeed(seed);
  const model = freshEncoder(config);
  model.to(device).eval();
  const split = randomSplit(dataset.sampleCount, config.split.testSize, seed);
  return {
    dataset,
    metric,
    config,
    model,
    trained: false,
    learningCurve: [],
    ...split,
    device,
    seed,
    description: `${describeData(dataset)} The model: fresh weights (${describeModel(config)}).`,
  };
}

function describeData(dataset: Dataset): string {
  const { samples, asvs } = dataset.manifest.counts;
  const table = dataset.manifest.sources.find((source) => source.role === "table");
  return `The data: ${samples} samples, ${asvs} ASVs${table ? ` of ${basename(table.path)}` : ""}.`;
}

function describeModel({ model }: PretrainConfig): string {
  return `embeddings of ${model.embeddingDim}, ${model.attentionLayers} + ${model.attentionLayers} + ${model.attentionLayers} layers, ${model.attentionHeads} heads`;
}

function readSamples(path: string, dataset: Dataset): Int32Array {
  if (!existsSync(path)) throw new UserError(`There is no ${path}; give the folder of a whole run.`);
  const ids = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return Int32Array.from(ids, (id) => {
    const index = dataset.sampleIndex(id);
    if (index < 0)
      throw new UserError(
        `The data set ${dataset.path} lacks the run's sample "${id}"; give the run's own with --data.`,
      );
    return index;
  });
}

export interface DemoSize {
  readonly samples?: number;
  readonly asvs?: number;
  readonly length?: number;
  readonly richness?: number;
  readonly steps?: number;
  readonly embeddingDim?: number;
  readonly tokenLimit?: number;
}

/** Decides the demo's study; `--seed` decides all else. */
const studySeed = 3;

/** A simulated study, and if wished a small model trained on it for some seconds. */
export async function demoSubject(
  { say, scratch }: { say: (text: string) => void; scratch: string },
  options: { device: torch.Device; seed: number; trained: boolean } & DemoSize,
): Promise<Subject> {
  const { samples = 300, asvs = 60, length = 40, richness = 40, steps = 150, embeddingDim = 32 } = options;
  const { device, seed, tokenLimit } = options;
  const simulation = simulate({ samples, asvs, length, richness, depth: 1000, seed: studySeed });
  const files = writeSimulation(join(scratch, "study"), simulation);
  const folder = join(scratch, "dataset");
  const { table, tree, metadata } = files;
  await prepareDataset({ table, tree, metadata, rarefyDepth: "none" }, folder);
  const dataset = openDataset(folder);
  const model = { embeddingDim, attentionLayers: 1, attentionHeads: 2, tokenLimit };
  const training = { seed, maxSteps: steps, batchSize: 32, lr: 3e-3 };
  const fresh = freshSubject(dataset, { device, seed }, { model, training });
  const data = `${simulation.notice} (${dataset.asvCount} ASVs are in a sample.)`;
  if (!options.trained) return { ...fresh, description: `${data} The model: fresh weights.` };
  say(`Training a small model for ${steps} steps on simulated data ...`);
  const task = new EncoderTask(fresh.model, fresh);
  await trainBriefly(task, fresh, { steps });
  return {
    ...fresh,
    trained: true,
    description: `${data} The model: ${steps} steps of training (${describeModel(fresh.config)}).`,
  };
}
