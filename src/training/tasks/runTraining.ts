import { join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { watchInterrupts } from "../../common/interrupt.ts";
import { UserError } from "../../common/userError.ts";
import type { BatchOptions } from "../../data/batches/batch.ts";
import { Loader } from "../../data/batches/loader.ts";
import { withMixtures } from "../../data/batches/mixtures.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { studiesOf } from "../../data/dataset/joinStudies.ts";
import { formatIds } from "../../data/split/files.ts";
import type { Split } from "../../data/split/split.ts";
import { type Plot, savePlot, toPng } from "../../display/plots/index.ts";
import type { LossName } from "../../display/tensorboard/tags.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import * as torch from "../../torch/index.ts";
import { type TrainingConfig, trainingSchema } from "../config/config.ts";
import { chooseBatchSize } from "../loop/batchSize.ts";
import { loadWeights, readCheckpointFacts } from "../loop/checkpoint.ts";
import { precisionOn } from "../loop/mixedPrecision.ts";
import { makeOptimizer, parameterGroups } from "../loop/paramGroups.ts";
import { type StopReason, Trainer, type TrainingResult, type TrainingTask } from "../loop/trainer.ts";
import { currentShare, isMainRank, type Share, spreadWeights } from "../ranks/share.ts";
import type { RunFacts } from "../run/facts.ts";
import type { RunFolder } from "../run/folder.ts";
import { richWarning } from "../run/richSamples.ts";
import type { NamedSplit } from "./splitSamples.ts";
import { TrainingWatch } from "./trainingWatch.ts";

/** What every training is given. */
export interface RunOptions<Config> {
  readonly dataset: Dataset;
  /** The run's folder. */
  readonly output: string;
  readonly config: Config;
  readonly device: torch.Device;
  /** Continue the run in `output`. */
  readonly resume: boolean;
  readonly display: ProgressDisplay;
  /** Look for NaN in every step. Default false. */
  readonly debugNan?: boolean;
  /** Draw plots in the end. Default true. */
  readonly plots?: boolean;
  /** The command line, for the records. */
  readonly command?: string;
}

export interface TrainingPlan {
  readonly folder: RunFolder;
  readonly dataset: Dataset;
  readonly split: Split;
  readonly task: TrainingTask;
  /** The settings in `facts`; with `autoBatchSize`, batch size and accumulation are put in. */
  readonly training: TrainingConfig;
  /** What batches must bring along. */
  readonly batch: BatchOptions;
  /** Mixtures of the training samples in each pass; default 0. */
  readonly mixtures?: number;
  readonly facts: RunFacts;
  /** What is learned, in the order in which it is shown. */
  readonly losses: readonly LossName[];
  readonly monitor: { readonly name: string; readonly direction: "min" | "max" };
  readonly categoricalRate?: number | null;
  readonly device: torch.Device;
  readonly resume: boolean;
  readonly display: ProgressDisplay;
  readonly debugNan: boolean;
  /** The command line, for the records. */
  readonly command?: string;
  /** Is called in the end, with the best weights loaded, and may keep plots. */
  readonly conclude: (result: TrainingResult, keep: KeepPlot) => Promise<void>;
}

/** Saves a plot, if there is one, under a name among the run's; with a tag it is shown in TensorBoard too. */
type KeepPlot = (name: string, plot: Plot | null, tag?: string) => Promise<void>;

/** Refuses what cannot be trained, before any work is done. @throws UserError */
export function checkTraining(training: TrainingConfig, device: torch.Device): void {
  if (training.mixedPrecision === "fp16" && device === "cpu")
    throw new UserError("--mixed-precision fp16 needs a GPU; use bf16 or none on the CPU.");
  if (training.warmupSteps !== null && training.scheduler !== "warmup_cosine")
    throw new UserError(
      `--warmup-steps is for --scheduler warmup_cosine, not ${training.scheduler}; leave it out.`,
    );
  if (training.schedulerT0 !== null && training.scheduler !== "cosine_restarts")
    throw new UserError(
      `--scheduler-t0 is for --scheduler cosine_restarts, not ${training.scheduler}; leave it out.`,
    );
  if (training.tf32 && device === "cpu") throw new UserError("--tf32 is for GPUs; leave it out on the CPU.");
  const { autoBatchSize, maxMemoryFraction, targetEffectiveBatchSize } = training;
  if (!autoBatchSize && targetEffectiveBatchSize !== null)
    throw new UserError(
      "--target-effective-batch-size is for --auto-batch-size; add it, or give --batch-size and --gradient-accumulation-steps.",
    );
  if (!autoBatchSize && maxMemoryFraction !== trainingSchema.parse({}).maxMemoryFraction)
    throw new UserError("--max-memory-fraction is for --auto-batch-size; add it, or leave the share out.");
}

/** How the device multiplies float32 matrices from now on. */
export function setMatmulPrecision(
  training: Pick<TrainingConfig, "mixedPrecision" | "tf32">,
  device: torch.Device,
): void {
  torch.setFloat32MatmulPrecision(precisionOn(training, device).tf32 ? "high" : "highest");
}

/** Writes what is known of a run before it begins. */
function writeRunFiles(
  folder: RunFolder,
  dataset: Dataset,
  split: Split,
  facts: RunFacts,
  options: { device: string; command?: string },
): void {
  const idsOf = (samples: Int32Array) => Array.from(samples, (sample) => dataset.sampleIds[sample]);
  writeFileAtomic(folder.trainIds, formatIds(idsOf(split.train)));
  writeFileAtomic(folder.validationIds, formatIds(idsOf(split.validation)));
  folder.writeJson(folder.config, facts.config);
  const { sources, parameters, counts } = dataset.manifest;
  folder.writeJson(folder.run, {
    ...facts,
    dataset: { path: dataset.path, sources, parameters, counts },
    environment: {
      program: `${packageJson.name} ${packageJson.version}`,
      bun: Bun.version,
      libtorch: torch.buildInfo().libtorch,
      device: options.device,
      threads: torch.getNumThreads(),
      command: options.command ?? null,
      started: new Date().toISOString(),
    },
  });
}

/**
 * Trains as planned, and leaves the model with its best weights, in evaluation mode. SIGINT and SIGTERM end
 * the training after the present step, saved.
 */
export async function runTraining(plan: TrainingPlan): Promise<TrainingResult> {
  const { folder, dataset, split, task, training, facts, monitor, display } = plan;
  const { model } = task;
  setMatmulPrecision(training, plan.device);
  const share = currentShare();
  if (share) checkSharing(plan);
  const { mixtures = 0 } = plan;
  if (!plan.resume) {
    if (training.autoBatchSize) {
      const { message, ...chosen } = chooseBatchSize(training, {
        task,
        dataset,
        train: withMixtures(split.train, mixtures, dataset.sampleCount),
        batch: { ...plan.batch, ...(mixtures > 0 && { mixtures: { of: split.train, seed: training.seed } }) },
        device: plan.device,
      });
      Object.assign(training, chosen);
      display.message(message);
    }
    const longest = dataset.manifest.counts.longestAsv - 1;
    const { maxBp } = facts.config.model;
    const all = Int32Array.from([...split.train, ...split.validation]);
    const cure = (most: number) => `give --token-limit ${most}, or rarefy to fewer counts`;
    for (const warning of richWarning(facts.config.model, dataset, all, cure)) display.warn(warning);
    if (longest > maxBp)
      display.warn(
        `Only the first ${maxBp} bases of an ASV are read, the longest has ${longest} (--max-bp sets how many a new encoder reads).`,
      );
    writeRunFiles(folder, dataset, split, facts, { device: plan.device, command: plan.command });
  }
  const groups = parameterGroups(model, {
    weightDecay: training.weightDecay,
    decayAll: training.decayAll,
    categoricalRate: plan.categoricalRate,
  });
  const optimizer = makeOptimizer(groups, training, { sharded: training.shardOptimizer && share !== null });
  using loader = new Loader(dataset, {
    ...plan.batch,
    samples: split.train,
    mixtures,
    batchSize: Math.max(2, Math.min(training.batchSize, split.train.length + mixtures)),
    minBatches: 1 + (training.minEpochSteps - 1) * training.gradientAccumulationSteps,
    groups: facts.kind === "pretrain" && facts.studies ? studiesOf(dataset)?.of : undefined,
    seed: training.seed,
    worker: training.loaderWorker,
  });
  const parameters = countParameters(model);
  const started = plan.resume ? watchPosition(folder.lastCheckpoint) : null;
  using watch = new TrainingWatch(folder, display, {
    config: facts.config,
    parameters,
    model,
    position: started,
    resume: plan.resume,
    losses: plan.losses,
    targetKind: facts.kind === "fine-tune" ? facts.targets.kind : null,
  });
  const steps = Math.min(
    training.maxSteps ?? Number.POSITIVE_INFINITY,
    training.epochs * Math.ceil(loader.batchesPerEpoch / training.gradientAccumulationSteps),
  );
  const { warmupSteps, schedulerT0 } = training;
  const trainer = new Trainer(task, {
    optimizer,
    loader,
    schedule: {
      name: training.scheduler,
      warmup:
        training.scheduler !== "warmup_cosine"
          ? 0
          : warmupSteps === null
            ? training.warmup
            : Math.min(1, warmupSteps / steps),
      floor: training.lrFloor,
      firstCycle: schedulerT0 === null ? undefined : schedulerT0 / steps,
      cycleGrowth: training.schedulerTMult,
    },
    plateau: { factor: training.schedulerFactor, patience: training.schedulerPatience },
    gradientAccumulationSteps: training.gradientAccumulationSteps,
    mixedPrecision: precisionOn(training, plan.device).mixedPrecision,
    ema: training.ema,
    saveMinutes: training.saveMinutes,
    debugNan: plan.debugNan ? { sampleIds: dataset.sampleIds, folder: join(folder.path, "debug") } : null,
    epochs: training.epochs,
    maxSteps: training.maxSteps,
    maxMinutes: training.maxMinutes,
    maxGradNorm: training.maxGradNorm,
    patience: training.patience,
    monitor,
    checkpoints: { best: folder.bestCheckpoint, last: folder.lastCheckpoint },
    facts: { ...facts },
    observer: watch,
  });
  try {
    if (plan.resume) trainer.resume(folder.lastCheckpoint);
    if (share) startTogether(model, training.seed, share);
    const result = await withSignals(
      () => trainer.interrupt(),
      display,
      () => trainer.run(),
    );
    if (result.best && isMainRank()) loadWeights(folder.bestCheckpoint, model);
    if (share) spreadWeights(model);
    model.eval();
    folder.writeJson(folder.history, result.history);
    await plan.conclude(result, async (name, plot, tag) => {
      if (!plot) return;
      await savePlot(plot, join(folder.plots, name));
      const epoch = result.best?.epoch ?? Math.max(0, result.epochs - 1);
      if (tag !== undefined) watch.image(tag, await toPng(plot), epoch);
    });
    return result;
  } finally {
    trainer.dispose();
    optimizer.dispose();
  }
}

/** @throws UserError for what several ranks cannot do together. */
function checkSharing({ training, debugNan }: TrainingPlan): void {
  if (training.autoBatchSize)
    throw new UserError(
      "--auto-batch-size looks at one process alone; with several ranks give --batch-size.",
    );
  if (debugNan)
    throw new UserError("--debug-nan looks into one process alone; go on with one rank to find the NaN.");
}

/** All ranks have the same weights, and draw what they hide and drop by numbers of their own. */
function startTogether(model: torch.nn.Module, seed: number, { rank }: Share): void {
  spreadWeights(model);
  // Rank 0 goes on where a single process would.
  if (rank > 0) torch.manualSeed(seed + 1_000_003 * rank);
}

/** Numbers of parameters. */
export function countParameters(model: torch.nn.Module): { total: number; trainable: number } {
  let total = 0;
  let trainable = 0;
  for (const value of model.parameters()) {
    total += value.numel;
    if (value.requiresGrad) trainable += value.numel;
  }
  return { total, trainable };
}

function watchPosition(checkpoint: string): unknown {
  const progress = readCheckpointFacts(checkpoint)["progress"] as { watch?: unknown } | undefined;
  return progress?.watch ?? null;
}

/** Facts of the training itself, for `summary.json`. */
export function trainingFigures(
  result: TrainingResult,
  model: torch.nn.Module,
  device: torch.Device,
  split: NamedSplit,
) {
  const seconds = result.trainingSeconds;
  return {
    "train.samples_per_second": seconds > 0 ? result.samples / seconds : 0,
    "train.seconds": seconds,
    steps: result.steps,
    epochs: result.epochs,
    best_epoch: result.best ? result.best.epoch + 1 : null,
    stopped_by: result.reason as StopReason,
    device: device as string,
    threads: torch.getNumThreads(),
    parameters: countParameters(model).total,
    samples: { train: split.train.length, validation: split.validation.length },
    split: split.name,
  };
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
    watchInterrupts();
  }
}
