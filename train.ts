/**
 * From a BIOM table and a tree to a trained encoder:
 *
 *     bun run train.ts --table T.biom --tree T.nwk --output RUN
 *
 * prepares a data set (kept beside the run and used again), trains an encoder whose distances between sample embeddings match
 * UniFrac, and ends with figures on samples that it has not seen.
 */
import { dirname, join, resolve } from "node:path";
import { Command, Option } from "commander";
import { positiveNumber, wholeNumber } from "./src/cli/optionValues.ts";
import { reportError } from "./src/cli/reportError.ts";
import { openDataset } from "./src/data/dataset.ts";
import { prepareCached } from "./src/data/prepareCached.ts";
import * as torch from "./src/torch/index.ts";
import { modelSchema, type PretrainConfig, pretrainSchema, trainingSchema } from "./src/training/config.ts";
import { pretrain, type RunSummary } from "./src/training/pretrain.ts";
import { chooseDisplayMode, ProgressDisplay } from "./src/training/watch/progressBar.ts";

interface TrainOptions {
  table: string;
  tree: string;
  repSeqs?: string;
  output: string;
  metric: PretrainConfig["metric"];
  epochs: number;
  maxSteps?: number;
  maxMinutes?: number;
  batchSize: number;
  lr: number;
  embeddingDim: number;
  layers: number;
  heads: number;
  tokenLimit: number;
  rarefyDepth: number | "auto" | "none";
  seed: number;
  device: "auto" | "cpu" | "cuda";
  threads?: number;
  resume: boolean;
  quiet: boolean;
  json: boolean;
}

const model = modelSchema.parse({});
const training = trainingSchema.parse({});

function makeCommand(): Command {
  return new Command("train.ts")
    .description("Train a UniFrac encoder on a table and a tree")
    .requiredOption("--table <file>", "BIOM, TSV or QIIME 2 table with ASV sequences as ids")
    .requiredOption("--tree <file>", "Newick or QIIME 2 tree whose tips are the table's ASVs")
    .option("--rep-seqs <file>", "FASTA or QIIME 2 sequences, for tables whose ids are hashes")
    .requiredOption("--output <folder>", "where the run is written")
    .addOption(
      new Option("--metric <name>", "UniFrac metric")
        .choices(pretrainSchema.shape.metric.unwrap().options)
        .default("unweighted"),
    )
    .option("--epochs <n>", "the most passes over the training samples", wholeNumber, training.epochs)
    .option("--max-steps <n>", "stop after so many steps", wholeNumber)
    .option("--max-minutes <n>", "stop after so many minutes", positiveNumber)
    .option("--batch-size <n>", "samples in a batch, from 2 on", wholeNumber, training.batchSize)
    .option("--lr <x>", "highest learning rate", positiveNumber, training.learningRate)
    .option("--embedding-dim <n>", "size of the embeddings", wholeNumber, model.embeddingDim)
    .option("--layers <n>", "layers of each transformer", wholeNumber, model.layers)
    .option("--heads <n>", "attention heads", wholeNumber, model.heads)
    .option("--token-limit <n>", "ASVs of a sample that are read", wholeNumber, model.tokenLimit)
    .option("--rarefy-depth <n>", "counts to draw of each sample: a number, auto or none", depth, "auto")
    .option("--seed <n>", "decides weights, order, masks, split and rarefaction", wholeNumber, training.seed)
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "cuda"]).default("auto"),
    )
    .option("--threads <n>", "CPU threads of one operation (default: all cores)", wholeNumber)
    .option("--resume", "continue the run in --output", false)
    .option("--quiet", "say nothing but warnings and the result", false)
    .option("--json", "one JSON object per line", false)
    .action(train);
}

function depth(text: string): number | "auto" | "none" {
  return text === "auto" || text === "none" ? text : wholeNumber(text);
}

async function train(options: TrainOptions): Promise<void> {
  const display = new ProgressDisplay(chooseDisplayMode(options));
  if (options.threads) torch.setNumThreads(options.threads);
  const device = torch.resolveDevice(options.device);

  const cache = join(dirname(resolve(options.output)), ".aam-cache");
  const { table, tree, repSeqs, rarefyDepth, seed, metric } = options;
  let stage = "";
  const onProgress = (name: string) => {
    if (name !== stage) display.message(`Preparing: ${name}`);
    stage = name;
  };
  const sources = { table, tree, repSeqs, rarefyDepth, seed, metrics: [metric] };
  const prepared = await prepareCached({ ...sources, onProgress }, cache);
  using dataset = openDataset(prepared.folder);
  for (const warning of dataset.manifest.warnings) display.warn(warning);
  const { samples, asvs } = dataset.manifest.counts;
  display.message(
    `${samples} samples, ${asvs} ASVs; training on ${device} with ${torch.getNumThreads()} threads`,
  );

  const config = pretrainSchema.parse({
    metric,
    model: {
      embeddingDim: options.embeddingDim,
      layers: options.layers,
      heads: options.heads,
      tokenLimit: options.tokenLimit,
      maxBases: dataset.manifest.counts.longestAsv - 1,
    },
    training: {
      epochs: options.epochs,
      maxSteps: options.maxSteps ?? null,
      maxMinutes: options.maxMinutes ?? null,
      batchSize: options.batchSize,
      learningRate: options.lr,
      seed,
    },
  });
  const { summary } = await pretrain({
    dataset,
    output: options.output,
    config,
    device,
    resume: options.resume,
    display,
  });
  report(summary, options);
}

function report(summary: RunSummary, { json, output }: TrainOptions): void {
  if (json) {
    console.log(JSON.stringify({ event: "summary", ...summary }));
    return;
  }
  const nucleotides = summary["val.nuc_accuracy"];
  console.log(
    [
      `UniFrac of ${summary.samples.validation} validation samples, all pairs: R² ${summary["val.unifrac_r2"].toFixed(4)}, ` +
        `MAE ${summary["val.unifrac_mae"].toFixed(4)}, Pearson ${summary["val.unifrac_pearson"].toFixed(4)}`,
      ...(nucleotides === null
        ? []
        : [`Hidden nucleotides predicted rightly: ${(100 * nucleotides).toFixed(1)} %`]),
      `${summary.steps} steps, ${summary["train.samples_per_second"].toFixed(1)} samples/s, ended by ${summary.stopped_by}`,
      `The run is in ${resolve(output)}: summary.json, plots/unifrac_plot_best.png, checkpoints/best.safetensors`,
    ].join("\n"),
  );
}

try {
  await makeCommand().parseAsync();
} catch (error) {
  process.exit(reportError(error));
}
