import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import * as torch from "../../src/torch/index.ts";
import {
  type FineTuneInput,
  fineTuneSchema,
  type PretrainInput,
  pretrainSchema,
} from "../../src/training/config/config.ts";
import { type FineTuneSummary, fineTune } from "../../src/training/tasks/fineTune.ts";
import { pretrain, type RunSummary } from "../../src/training/tasks/pretrain.ts";
import { testDevice } from "./testDevice.ts";

/** A small simulated study, prepared: numbers `ph` (some missing) and `depth`, texts `site` and `plot`. */
export interface Study {
  table: string;
  tree: string;
  metadata: string;
  folder: string;
  dataset: Dataset;
}

export async function makeStudy(folder: string, samples = 36): Promise<Study> {
  const source = join(folder, "source");
  const simulation = simulate({ samples, asvs: 30, richness: 12, length: 24, depth: 400, seed: 3 });
  mkdirSync(folder, { recursive: true });
  writeSimulation(source, simulation);
  const metadata = join(source, "metadata.tsv");
  // A second number that depends on the first, and a few values that are missing.
  const lines = readFileSync(metadata, "utf8").trimEnd().split("\n");
  const header = lines.findIndex((line) => line.startsWith("sample-id"));
  const changed = lines.slice(header).map((line, i) => {
    if (i === 0) return `${line}\tdepth`;
    const cells = line.split("\t");
    const depth = (20 - 2 * Number(cells[1])).toFixed(3);
    if (i % 9 === 0) cells[1] = "";
    return [...cells, depth].join("\t");
  });
  writeFileSync(metadata, `${changed.join("\n")}\n`);
  const table = join(source, "table.biom");
  const tree = join(source, "tree.nwk");
  const prepared = join(folder, "set");
  await prepareDataset(
    {
      table,
      tree,
      metadata,
      metrics: ["unweighted", "weighted_normalized", "faith_pd"],
      rarefyDepth: "none",
    },
    prepared,
  );
  return { table, tree, metadata, folder: prepared, dataset: openDataset(prepared) };
}

export const smallModel = { embeddingDim: 8, attentionLayers: 1, attentionHeads: 2, maxBp: 24 };
const brief = { epochs: 2, batchSize: 8, warmup: 0, lr: 3e-3 };

/** A display that shows nothing. */
export function quiet(): ProgressDisplay {
  return new ProgressDisplay("quiet", { columns: 80, write: () => {}, writeError: () => {} });
}

export interface RunExtras {
  display?: ProgressDisplay;
  resume?: boolean;
  debugNan?: boolean;
  plots?: boolean;
}

const usual = ({ dataset }: Study, output: string) => ({
  dataset,
  output,
  device: testDevice,
  display: quiet(),
  resume: false,
  plots: false,
});

export function pretrainStudy(
  study: Study,
  output: string,
  config: PretrainInput = {},
  extras: RunExtras = {},
): Promise<{ summary: RunSummary }> {
  const full = pretrainSchema.parse({
    ...config,
    model: { ...smallModel, ...config.model },
    training: { ...brief, ...config.training },
  });
  return pretrain({
    ...usual(study, output),
    config: full,
    ...extras,
  });
}

export function fineTuneStudy(
  study: Study,
  output: string,
  config: FineTuneInput = {},
  extras: RunExtras = {},
): Promise<{ summary: FineTuneSummary }> {
  const full = fineTuneSchema.parse({
    ...config,
    target: { metadataColumn: ["depth"], ...config.target },
    model: { ...smallModel, ...config.model },
    training: { ...brief, ...config.training },
  });
  return fineTune({
    ...usual(study, output),
    config: full,
    ...extras,
  });
}

/** The weights of a checkpoint by name, as numbers. */
export function weightsOf(path: string): Map<string, Float64Array> {
  using _scope = torch.scope();
  const weights = new Map<string, Float64Array>();
  for (const [name, value] of torch.loadSafetensors(path).tensors) {
    if (!name.startsWith("random/")) weights.set(name, value.toFloat64Array());
  }
  return weights;
}

/** Everything that a training came to, as text: figures of every epoch, the best weights, the split. */
export function outcomeOf(run: string): string {
  const history = historyOf(run) as Record<string, unknown>[];
  const figures = history.map(({ train, val, learningRate, isBest }) => ({
    train,
    val,
    learningRate,
    isBest,
  }));
  const weights = [...weightsOf(join(run, "checkpoints/best.safetensors"))];
  const sums = weights.map(([name, values]) => [
    name,
    values.reduce((sum, value) => sum + Math.abs(value), 0),
  ]);
  const ids = readFileSync(join(run, "val_sample_ids.txt"), "utf8");
  return JSON.stringify({ figures, sums, ids });
}

/** The study's table with hashes for ids, and the sequences that they stand for. */
export function hashedFiles(
  { dataset }: Study,
  scratch: { readonly write: (name: string, content: string) => string },
): { table: string; sequences: string } {
  const samples = dataset.sampleIds.map((_, i) => dataset.sample(i));
  const rows = Array.from({ length: dataset.asvCount }, (_, row) =>
    [`hash${row}`, ...samples.map(({ asvs, counts }) => counts[asvs.indexOf(row)] ?? 0)].join("\t"),
  );
  const fasta = rows.map((_, row) => `>hash${row}\n${dataset.asvSequence(row)}\n`);
  return {
    table: scratch.write("hashed.tsv", [["#OTU ID", ...dataset.sampleIds].join("\t"), ...rows].join("\n")),
    sequences: scratch.write("hashed.fasta", fasta.join("")),
  };
}

/** The epochs of a run, as its folder keeps them. */
export const historyOf = (run: string) => JSON.parse(readFileSync(join(run, "history.json"), "utf8"));
