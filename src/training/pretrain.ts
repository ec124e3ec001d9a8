import { join } from "node:path";
import { writeFileAtomic } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";
import type { Dataset } from "../data/dataset.ts";
import { Loader } from "../data/loader.ts";
import { randomSplit } from "../data/split.ts";
import { formatIds } from "../data/splitFiles.ts";
import * as torch from "../torch/index.ts";
import { buildEncoder } from "./buildEncoder.ts";
import { loadWeights } from "./checkpoint.ts";
import { type PretrainConfig, pretrainSchema } from "./config.ts";
import { decayGroups } from "./paramGroups.ts";
import { RunFolder } from "./runFolder.ts";
import { Trainer, type TrainingResult } from "./trainer.ts";
import { TrainingWatch } from "./trainingWatch.ts";
import { UniFracTask } from "./uniFracTask.ts";
import { predictionScatter, savePlot } from "./watch/plots.ts";
import type { ProgressDisplay } from "./watch/progressBar.ts";

export interface PretrainOptions {
  dataset: Dataset;
  output: string;
  config: PretrainConfig;
  device: torch.Device;
  /** Continue the run in `output`. */
  resume: boolean;
  display: ProgressDisplay;
}

/** What `summary.json` says. */
export interface RunSummary {
  "val.unifrac_r2": number;
  "val.unifrac_mae": number;
  "val.unifrac_pearson": number;
  "val.nuc_accuracy": number | null;
  "train.samples_per_second": number;
  steps: number;
  epochs: number;
  best_epoch: number | null;
  stopped_by: TrainingResult["reason"];
  device: string;
  threads: number;
  parameters: number;
  samples: { train: number; validation: number };
}

/**
 * Trains an encoder whose distances between sample embeddings match UniFrac, and writes the run into a folder: configuration, best and
 * last checkpoint, TensorBoard events, log, plot, summary. SIGINT and SIGTERM end it after the present step, saved.
 * @throws UserError for options, data or folders that do not do.
 */
export async function pretrain(
  options: PretrainOptions,
): Promise<{ summary: RunSummary; result: TrainingResult }> {
  const { dataset, device, display } = options;
  const config = pretrainSchema.parse(options.config);
  const folder = new RunFolder(options.output);
  folder.create({ resume: options.resume });
  const { training } = config;
  const split = randomSplit(dataset.sampleCount, training.validationShare, training.seed);
  if (split.validation.length < 2 || split.train.length < 2) {
    throw new UserError(
      `The data set has ${dataset.sampleCount} samples: too few for a training and a validation part of at least 2 samples each.`,
    );
  }
  const names = (samples: Int32Array) => Array.from(samples, (sample) => dataset.sampleIds[sample]);
  writeFileAtomic(join(folder.path, "train_sample_ids.txt"), formatIds(names(split.train)));
  writeFileAtomic(join(folder.path, "val_sample_ids.txt"), formatIds(names(split.validation)));
  folder.writeJson(folder.config, {
    ...config,
    dataset: { sources: dataset.manifest.sources, parameters: dataset.manifest.parameters },
  });

  torch.manualSeed(training.seed);
  const model = buildEncoder(config.model, { predictNucleotides: training.nucPenalty > 0 });
  model.to(device);
  const parameters = model.parameters().reduce((sum, value) => sum + value.numel, 0);
  const task = new UniFracTask(model, {
    dataset,
    metric: config.metric,
    validation: split.validation,
    device,
    model: config.model,
    training,
  });
  const optimizer = new torch.optim.AdamW(decayGroups(model, training.weightDecay), {
    lr: training.learningRate,
  });
  using loader = new Loader(dataset, {
    batchSize: Math.min(training.batchSize, split.train.length),
    samples: split.train,
    seed: training.seed,
    distance: config.metric,
    tokenLimit: config.model.tokenLimit,
    maxBases: config.model.maxBases,
    asvSampling: config.model.asvSampling,
  });
  using watch = new TrainingWatch(folder, display, { config, parameters, resume: options.resume });
  const trainer = new Trainer(task, {
    optimizer,
    loader,
    schedule: { name: "warmup_cosine", warmup: training.warmup, floor: training.floor },
    epochs: training.epochs,
    maxSteps: training.maxSteps,
    maxMinutes: training.maxMinutes,
    maxGradNorm: training.maxGradNorm,
    patience: training.patience,
    monitor: { name: "unifrac_loss", direction: "min" },
    checkpoints: { best: folder.bestCheckpoint, last: folder.lastCheckpoint },
    facts: { config },
    observer: watch,
  });
  if (options.resume) trainer.resume(folder.lastCheckpoint);
  const result = await withSignals(
    () => trainer.interrupt(),
    display,
    () => trainer.run(),
  );

  if (result.best) loadWeights(folder.bestCheckpoint, model);
  model.eval();
  const figures = task.validate();
  const summary: RunSummary = {
    "val.unifrac_r2": figures["r2"],
    "val.unifrac_mae": figures["mae"],
    "val.unifrac_pearson": figures["pearson"],
    "val.nuc_accuracy": figures["nuc_accuracy"] ?? null,
    "train.samples_per_second": result.trainingSeconds > 0 ? result.samples / result.trainingSeconds : 0,
    steps: result.steps,
    epochs: result.epochs,
    best_epoch: result.best ? result.best.epoch + 1 : null,
    stopped_by: result.reason,
    device,
    threads: torch.getNumThreads(),
    parameters,
    samples: { train: split.train.length, validation: split.validation.length },
  };
  folder.writeJson(folder.summary, summary);
  const { predicted, actual, result: metrics } = task.lastPairs!;
  if (actual.length > 0) {
    const title = "UniFrac distances between validation samples";
    const quantity = `${config.metric.replaceAll("_", " ")} UniFrac distance`;
    const plot = await predictionScatter({ title, quantity, actual, predicted, metrics, pointName: "pairs" });
    await savePlot(plot, join(folder.plots, "unifrac_plot_best"));
  }
  optimizer.dispose();
  model.dispose();
  return { summary, result };
}

/** The first SIGINT or SIGTERM asks for an end, a second SIGINT ends the process at once. */
async function withSignals<T>(
  onInterrupt: () => void,
  display: ProgressDisplay,
  run: () => Promise<T>,
): Promise<T> {
  let asked = false;
  const listener = (signal: NodeJS.Signals) => {
    if (asked && signal === "SIGINT") process.exit(130);
    if (!asked)
      display.message("Stopping after this step; the state is being saved (once more Ctrl-C stops at once).");
    asked = true;
    onInterrupt();
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  try {
    return await run();
  } finally {
    process.off("SIGINT", listener);
    process.off("SIGTERM", listener);
  }
}
