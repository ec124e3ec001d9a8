import { type Command, InvalidArgumentError } from "commander";
import { pretrainMetrics } from "../../training/config/config.ts";
import { type PresetName, presetNames } from "../../training/config/presets.ts";
import { addRankFlags, type RankFlags } from "./rankFlags.ts";
import { addDeviceOptions, addPrintOptions } from "./runningOptions.ts";
import { addFormerName, type SchemaOption } from "./schemaOptions.ts";

const data = "Data:";
const split = "Validation samples:";
const shape = "Model:";
const optimization = "Optimization:";
const masking = "Nucleotides and distances:";

/** Options that `pretrain` and `train` share; names as in the original AAM where the meaning is the same. */
export const commonOptions: readonly SchemaOption[] = [
  { flags: "--dataset <folder>", path: "data.dataset", group: data, parse: oneMore },
  { flags: "--table <file>", path: "data.table", group: data },
  { flags: "--tree <file>", path: "data.tree", group: data },
  { flags: "--rep-seqs <file>", path: "data.repSeqs", group: data },
  { flags: "--metadata <file>", path: "data.metadata", group: data },
  { flags: "--distances <file>", path: "data.distances", group: data, formerly: "--unifrac-matrix" },
  { flags: "--distance-ids <file>", path: "data.distanceIds", group: data },
  { flags: "--distance-storage <where>", path: "data.distanceStorage", group: data },
  { flags: "--rarefy-depth <n>", path: "data.rarefyDepth", group: data },
  { flags: "--rarefy-seed <n>", path: "data.rarefySeed", group: data },
  { flags: "--test-size <share>", path: "split.testSize", group: split },
  { flags: "--split-by <column>", path: "split.by", group: split },
  { flags: "--stratify <column>", path: "split.stratify", group: split },
  { flags: "--train-samples <file>", path: "split.trainSamples", group: split },
  { flags: "--val-samples <file>", path: "split.valSamples", group: split },
  { flags: "--encoder <name>", path: "model.encoder", group: shape },
  { flags: "--codes <source>", path: "model.codes", group: shape },
  { flags: "--code-dim <n>", path: "model.codeDim", group: shape },
  { flags: "--words <kinds>", path: "model.words", group: shape },
  { flags: "--word-dim <n>", path: "model.wordDim", group: shape },
  { flags: "--word-buckets <n>", path: "model.wordBuckets", group: shape },
  { flags: "--long-words <bases>", path: "model.longWords", group: shape },
  { flags: "--pooling <how>", path: "model.pooling", group: shape },
  { flags: "--embedding-dim <n>", path: "model.embeddingDim", group: shape },
  { flags: "--attention-layers <n>", path: "model.attentionLayers", group: shape, formerly: "--layers" },
  { flags: "--attention-heads <n>", path: "model.attentionHeads", group: shape, formerly: "--heads" },
  { flags: "--feed-forward-dim <n>", path: "model.feedForwardDim", group: shape },
  { flags: "--dropout <share>", path: "model.dropout", group: shape },
  { flags: "--activation <name>", path: "model.activation", group: shape },
  { flags: "--max-bp <n>", path: "model.maxBp", group: shape },
  { flags: "--bases-per-token <n>", path: "model.basesPerToken", group: shape },
  { flags: "--token-limit <n>", path: "model.tokenLimit", group: shape },
  { flags: "--asv-sampling <how>", path: "model.asvSampling", group: shape },
  { flags: "--count-embedding-method <how>", path: "model.countEmbeddingMethod", group: shape },
  { flags: "--asv-chunk-size <n>", path: "model.asvChunkSize", group: shape },
  { flags: "--gradient-checkpointing", path: "model.gradientCheckpointing", group: shape },
  {
    flags: "--unifrac-metric <name>",
    path: "unifracMetric",
    group: masking,
    parse: metricName,
    formerly: "--metric",
  },
  { flags: "--penalty <x>", path: "training.penalty", group: masking },
  { flags: "--nuc-penalty <x>", path: "training.nucPenalty", group: masking },
  { flags: "--nuc-share <share>", path: "nucShare", group: masking },
  { flags: "--nuc-mask-ratio <share>", path: "model.nucMaskRatio", group: masking },
  { flags: "--nuc-mask-strategy <how>", path: "model.nucMaskStrategy", group: masking },
  { flags: "--distance-form <how>", path: "model.distanceForm", group: masking },
  { flags: "--tanh-scale <x>", path: "model.tanhScale", group: masking },
  { flags: "--epochs <n>", path: "training.epochs", group: optimization },
  { flags: "--min-epoch-steps <n>", path: "training.minEpochSteps", group: optimization },
  { flags: "--max-steps <n>", path: "training.maxSteps", group: optimization },
  { flags: "--max-minutes <n>", path: "training.maxMinutes", group: optimization },
  { flags: "--batch-size <n>", path: "training.batchSize", group: optimization },
  { flags: "--auto-batch-size", path: "training.autoBatchSize", group: optimization },
  { flags: "--max-memory-fraction <share>", path: "training.maxMemoryFraction", group: optimization },
  {
    flags: "--target-effective-batch-size <n>",
    path: "training.targetEffectiveBatchSize",
    group: optimization,
  },
  {
    flags: "--gradient-accumulation-steps <n>",
    path: "training.gradientAccumulationSteps",
    group: optimization,
  },
  { flags: "--optimizer <name>", path: "training.optimizer", group: optimization },
  { flags: "--shard-optimizer", path: "training.shardOptimizer", group: optimization },
  { flags: "--momentum <x>", path: "training.momentum", group: optimization },
  { flags: "--lr <x>", path: "training.lr", group: optimization },
  { flags: "--weight-decay <x>", path: "training.weightDecay", group: optimization },
  { flags: "--decay-all", path: "training.decayAll", group: optimization },
  { flags: "--scheduler <name>", path: "training.scheduler", group: optimization },
  { flags: "--warmup <share>", path: "training.warmup", group: optimization },
  { flags: "--warmup-steps <n>", path: "training.warmupSteps", group: optimization },
  { flags: "--lr-floor <share>", path: "training.lrFloor", group: optimization },
  { flags: "--scheduler-t0 <n>", path: "training.schedulerT0", group: optimization },
  { flags: "--scheduler-t-mult <n>", path: "training.schedulerTMult", group: optimization },
  { flags: "--scheduler-patience <n>", path: "training.schedulerPatience", group: optimization },
  { flags: "--scheduler-factor <x>", path: "training.schedulerFactor", group: optimization },
  { flags: "--max-grad-norm <x>", path: "training.maxGradNorm", group: optimization },
  { flags: "--ema <decay>", path: "training.ema", group: optimization },
  { flags: "--mixed-precision <type>", path: "training.mixedPrecision", group: optimization },
  { flags: "--tf32", path: "training.tf32", group: optimization },
  {
    flags: "--no-tf32",
    path: "training.tf32",
    group: optimization,
    text: "multiply float32 matrices as float32 on a GPU too",
  },
  { flags: "--patience <n>", path: "training.patience", group: optimization },
  { flags: "--save-minutes <n>", path: "training.saveMinutes", group: optimization },
  { flags: "--loader-worker", path: "training.loaderWorker", group: optimization },
  { flags: "--seed <n>", path: "training.seed", group: optimization },
];

/** Options of `pretrain`. */
export const pretrainOptions: readonly SchemaOption[] = [
  ...commonOptions,
  { flags: "--further-metrics <names>", path: "furtherMetrics", group: masking, parse: metricNames },
  { flags: "--start-from <run>", path: "startFrom", group: shape },
  { flags: "--mixtures <n>", path: "mixtures", group: optimization },
  { flags: "--sample-epochs <n>", path: "sampleEpochs", group: optimization },
];

/** The settings that a first run may want, which are all that train.ts has. */
const firstRunPaths = new Set([
  ...["data.table", "data.tree", "data.repSeqs", "data.rarefyDepth", "unifracMetric", "startFrom"],
  ...[
    "model.encoder",
    "model.codes",
    "model.codeDim",
    "model.words",
    "model.embeddingDim",
    "model.attentionLayers",
    "model.attentionHeads",
    "model.tokenLimit",
  ],
  ...["training.epochs", "training.maxSteps", "training.maxMinutes", "training.batchSize"],
  ...["training.lr", "training.seed"],
]);
export const firstRunOptions = pretrainOptions.filter(({ path }) => firstRunPaths.has(path));

/** An option that may be given several times: one value, or all of them. */
function oneMore(text: string, before?: unknown): string | string[] {
  return before === undefined ? text : [...[before as string | string[]].flat(), text];
}

/** The original AAM's names of the metrics. */
function metricName(text: string): string {
  if (text.includes(","))
    throw new InvalidArgumentError(
      "Name one metric; `pretrain` learns others besides with --further-metrics.",
    );
  return { unifrac: "unweighted", weighted: "weighted_normalized" }[text] ?? text;
}

function metricNames(text: string): string[] {
  const names = text.split(",").map((name) => metricName(name.trim()));
  const unknown = names.find((name) => !(pretrainMetrics as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`Choose from ${pretrainMetrics.join(", ")}.`);
  return names;
}

/** Options of how a training runs, which are no part of its configuration. */
export interface RunFlags extends RankFlags {
  readonly output?: string;
  readonly outputDir?: string;
  readonly config?: string;
  readonly preset?: PresetName;
  /** Of `train`: parts of a cross-validation, in place of one training. */
  readonly folds?: number;
  resume: boolean;
  readonly device: "auto" | "cpu" | "cuda";
  readonly threads?: number;
  readonly deterministic: boolean;
  readonly debugNan: boolean;
  readonly plots: boolean;
  readonly quiet: boolean;
  readonly json: boolean;
}

const running = "Running:";

export function addRunFlags(command: Command): Command {
  const output = command.createOption("-o, --output <folder>", "folder for the run; required");
  command.optionsGroup(running).addOption(output);
  addFormerName(command, output, "--output-dir");
  addRankFlags(command)
    .option("--config <file>", "settings in YAML or JSON, such as a run's config.json; options here win")
    .addOption(
      command
        .createOption(
          "--preset <name>",
          "model and losses of the original AAM, in its first state (seed) or its latest; --config and options here win",
        )
        .choices(presetNames),
    )
    .option("--resume", "continue the run in --output where it stopped", false);
  addDeviceOptions(command)
    .option(
      "--deterministic",
      "the same bits every time: one CPU thread unless --threads is given, deterministic operators only (slower)",
      false,
    )
    .option("--no-plots", "draw no plots at the end")
    .option("--debug-nan", "look for NaN in every step, and say where one arose (slower)", false);
  return addPrintOptions(command, "warnings and the result", "progress and result");
}
