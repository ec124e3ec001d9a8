import { UserError } from "../../common/userError.ts";
import type { Batch } from "../../data/batches/batch.ts";
import type { Loader, LoaderState } from "../../data/batches/loader.ts";
import * as torch from "../../torch/index.ts";
import { currentShare, numbersOfRankZero, type Share } from "../ranks/share.ts";
import type { BatchLosses } from "./batchLosses.ts";
import { loadCheckpoint, saveCheckpoint, saveWeights } from "./checkpoint.ts";
import { GradientCopy } from "./gradientCopy.ts";
import { type MixedPrecision, withMixedPrecision } from "./mixedPrecision.ts";
import { inspectStep, randomStates } from "./nanDetector.ts";
import { isCategorical } from "./paramGroups.ts";
import { RunningLosses } from "./runningLosses.ts";
import { PlateauFactor, type ScheduleOptions, scheduleFactor } from "./schedule.ts";
import { WeightAverage } from "./weightAverage.ts";

/** Figures by name, e.g. `unifrac_r2`. */
export type Figures = Record<string, number>;

/**
 * The monitor that takes every epoch for the best so far, whatever its figures: the
 * last one's weights are kept.
 */
export const lastEpoch = "last";

/** What is trained: how a batch becomes a loss, and how the model is judged. */
export interface TrainingTask {
  readonly model: torch.nn.Module;
  /** Called before the first batch of an epoch (counted from 0), also where a resumed run enters it again. */
  epochStarts?(epoch: number): void;
  /** Called with the model in training mode, inside a scope. */
  losses(batch: Batch): BatchLosses;
  /**
   * Called when a step has run out of memory: makes the next try take less, and returns a sentence on
   * how; null where it cannot.
   */
  useLessMemory?(): string | null;
  /** Called with the model in evaluation mode. */
  validate(): Figures | Promise<Figures>;
  /** What else there is to watch of the model after an epoch, by name. */
  weightFigures?(): Figures;
}

export interface TrainerOptions {
  readonly optimizer: torch.optim.Optimizer<{ lr: number }>;
  readonly loader: Loader;
  readonly schedule: ScheduleOptions;
  /** Of the schedule `plateau`, which watches `total_loss` of the validation. */
  readonly plateau?: { readonly factor: number; readonly patience: number };
  /**
   * Batches whose gradients are averaged before a step; the last of an epoch takes what is left. Default 1.
   */
  readonly gradientAccumulationSteps?: number;
  /** Matrix products in a shorter type. Default `none`. */
  readonly mixedPrecision?: MixedPrecision;
  /** Decay of a moving average of the weights, which is then what is judged and kept. Default null, none. */
  readonly ema?: number | null;
  /** Minutes between checkpoints within an epoch. Default 10. */
  readonly saveMinutes?: number;
  /** Look for NaN in every step, and on finding one tell where it arose. */
  readonly debugNan?: { readonly sampleIds: readonly string[]; readonly folder: string } | null;
  readonly epochs: number;
  /** Stops after so many steps, whatever the epochs. */
  readonly maxSteps: number | null;
  /** Stops after so many minutes of training; the schedule is fitted to them. */
  readonly maxMinutes: number | null;
  /** Largest norm of the gradients; null leaves them as they are. */
  readonly maxGradNorm: number | null;
  /** Epochs without improvement after which training ends. */
  readonly patience: number;
  /** The figure of `validate` that decides which model is best. */
  readonly monitor: { readonly name: string; readonly direction: "min" | "max" };
  /** Paths of the checkpoint files. */
  readonly checkpoints: { readonly best: string; readonly last: string };
  /** Anything that a checkpoint should hold besides: the configuration, say. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly observer: TrainingObserver;
}

/** Is told what happens; every method is optional. */
export interface TrainingObserver {
  epochStarts?(epoch: number, epochs: number, samples: number): void;
  /** Every few steps: means of the losses since the epoch began. */
  stepsDone?(info: {
    samples: number;
    means: Figures;
    learningRate: number;
    step: number;
    gradNorm: number;
  }): void;
  epochEnds?(info: EpochReport, watched: WatchedFigures): void | Promise<void>;
  /** Something that the user should know. */
  warn?(message: string): void;
  /** Where its files stand; kept in checkpoints. */
  position?(): unknown;
}

export interface EpochReport {
  readonly epoch: number;
  readonly step: number;
  readonly train: Figures;
  readonly val: Figures;
  readonly learningRate: number;
  /** Of the training part of the epoch. */
  readonly seconds: number;
  readonly samples: number;
  readonly isBest: boolean;
}

/** What is shown of an epoch besides, and kept nowhere else. */
export interface WatchedFigures {
  /** Of the parts that process categories, where they have a rate of their own. */
  readonly categoricalLearningRate: number | null;
  /** What the task says of its weights. */
  readonly weights: Figures;
}

export type StopReason = "epochs" | "steps" | "time" | "early stopping" | "interrupted";

export interface TrainingResult {
  readonly reason: StopReason;
  readonly steps: number;
  readonly epochs: number;
  /** Of the training parts, validation not counted. */
  readonly trainingSeconds: number;
  readonly samples: number;
  readonly best: { readonly epoch: number; readonly value: number; readonly figures: Figures } | null;
  readonly history: EpochReport[];
}

/** What a checkpoint keeps of a training that goes on. */
interface Progress {
  readonly loader: LoaderState;
  readonly epoch: number;
  readonly step: number;
  readonly samples: number;
  readonly trainingSeconds: number;
  readonly elapsed: number;
  readonly epochsWithoutImprovement: number;
  readonly best: TrainingResult["best"];
  readonly history: EpochReport[];
  readonly running: Record<string, number> & { readonly count: number };
  readonly epochSeconds: number;
  readonly epochSamples: number;
  readonly plateau: ReturnType<PlateauFactor["state"]>;
  readonly gradScale: [scale: number, goodSteps: number] | null;
  readonly averagedSteps: number;
  /** All batches of the epoch are done, its validation is not. */
  readonly awaitsValidation: boolean;
  /** What the observer said of its files. */
  readonly watch: unknown;
}

/** Where a batch stands among those whose gradients are averaged. */
interface BatchPlace {
  readonly together: number;
  readonly isFirst: boolean;
  readonly completes: boolean;
}

/** Steps between two looks at the losses: each look waits for the device. */
const stepsPerLook = 10;

/**
 * The training loop: epochs of batches, an optimizer with a schedule, clipped gradients, validation, best and
 * last checkpoint, early stopping, and continuing from a checkpoint with the very next batch.
 */
export class Trainer {
  readonly #task: TrainingTask;
  readonly #options: TrainerOptions;
  readonly #baseRates: number[];
  readonly #plateau: PlateauFactor;
  readonly #scaler: torch.GradScaler | null;
  readonly #average: WeightAverage | null;
  /**
   * This process's place where several ranks train together: all of them decide alike,
   * and rank 0 alone writes.
   */
  readonly #share: Share | null = currentShare();
  readonly #buckets: torch.distributed.GradientBuckets | null;
  #savedAt = performance.now();
  #epoch = 0;
  #step = 0;
  #samples = 0;
  #seconds = 0;
  /** Validation and saving included: what the time limit counts. */
  #elapsed = 0;
  #epochSeconds = 0;
  #epochSamples = 0;
  #badEpochs = 0;
  #best: TrainingResult["best"] = null;
  #history: EpochReport[] = [];
  #running = new RunningLosses();
  #awaitsValidation = false;
  #interrupted = false;
  #isSaveDue = false;

  constructor(task: TrainingTask, options: TrainerOptions) {
    this.#task = task;
    this.#options = options;
    this.#baseRates = options.optimizer.paramGroups.map((group) => group.lr);
    const { factor, patience } = options.plateau ?? { factor: 0.3, patience: 5 };
    this.#plateau = new PlateauFactor({ factor, patience, floor: options.schedule.floor });
    this.#scaler = options.mixedPrecision === "fp16" ? new torch.GradScaler() : null;
    this.#average = options.ema ? new WeightAverage(task.model, options.ema) : null;
    this.#buckets = this.#share ? new torch.distributed.GradientBuckets(task.model.parameters()) : null;
  }

  /** Frees the moving average. */
  dispose(): void {
    this.#average?.dispose();
  }

  /** Ends the training after the present step; the state is saved, so that it can be continued. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /**
   * Continues from a checkpoint that this class wrote.
   * @throws UserError if it belongs to other data or another model.
   */
  resume(path: string): void {
    const { optimizer, loader } = this.#options;
    const targets = { model: this.#task.model, optimizer, average: this.#average ?? undefined };
    const progress = loadCheckpoint(path, targets)["progress"] as Progress | undefined;
    if (!progress)
      throw new UserError(
        `${path} holds no state of a training; continue from a run's checkpoints/last.safetensors.`,
      );
    loader.restore(progress.loader);
    this.#epoch = progress.epoch;
    this.#step = progress.step;
    this.#samples = progress.samples;
    this.#seconds = progress.trainingSeconds;
    this.#elapsed = progress.elapsed;
    this.#epochSeconds = progress.epochSeconds;
    this.#epochSamples = progress.epochSamples;
    this.#badEpochs = progress.epochsWithoutImprovement;
    this.#best = progress.best;
    this.#history = progress.history;
    this.#running = RunningLosses.restore(progress.running);
    this.#plateau.restore(progress.plateau);
    this.#awaitsValidation = progress.awaitsValidation;
    if (progress.gradScale) {
      const [scale, goodSteps] = progress.gradScale;
      this.#scaler?.loadStateDict({ ...this.#scaler.stateDict(), scale, _growth_tracker: goodSteps });
    }
    if (this.#average) this.#average.steps = progress.averagedSteps;
  }

  async run(): Promise<TrainingResult> {
    let reason = this.#stopReason();
    while (reason === null) reason = await this.#trainEpoch();
    return {
      reason,
      steps: this.#step,
      epochs: this.#epoch,
      trainingSeconds: this.#seconds,
      samples: this.#samples,
      best: this.#best,
      history: this.#history,
    };
  }

  /** All ranks go by the slowest one's clock, and end when one of them is told to. */
  #agree(): void {
    const { saveMinutes = 10 } = this.#options;
    const isMain = (this.#share?.rank ?? 0) === 0;
    this.#isSaveDue = isMain && performance.now() - this.#savedAt > saveMinutes * 60_000;
    if (!this.#share) return;
    torch.tidy(() => {
      const flags = [this.#interrupted, this.#isSaveDue].map(Number);
      const said = torch.tensor(Float64Array.of(...flags, this.#elapsed));
      torch.distributed.allReduce(said, { op: "max" });
      const [interrupted, isSaveDue, elapsed] = said.toFloat64Array();
      this.#interrupted = interrupted > 0;
      this.#isSaveDue = isSaveDue > 0;
      this.#elapsed = elapsed;
    });
  }

  /** From 0 to 1: what the learning rate follows. */
  #progress(): number {
    const { epochs, maxSteps, maxMinutes, loader } = this.#options;
    const steps = Math.min(maxSteps ?? Number.POSITIVE_INFINITY, epochs * loader.batchesPerEpoch);
    const byTime = maxMinutes === null ? 0 : this.#elapsed / (60 * maxMinutes);
    return Math.max(this.#step / steps, byTime);
  }

  #stopReason(): StopReason | null {
    const { epochs, maxSteps, maxMinutes, patience } = this.#options;
    if (this.#interrupted) return "interrupted";
    if (this.#badEpochs >= patience) return "early stopping";
    if (maxSteps !== null && this.#step >= maxSteps) return "steps";
    if (maxMinutes !== null && this.#elapsed >= maxMinutes * 60) return "time";
    return this.#epoch >= epochs ? "epochs" : null;
  }

  async #trainEpoch(): Promise<StopReason | null> {
    const { loader, observer, epochs } = this.#options;
    this.#task.model.train();
    this.#task.epochStarts?.(this.#epoch);
    observer.epochStarts?.(this.#epoch, epochs, loader.samplesPerEpoch);
    let started = performance.now();
    let stop: StopReason | null = null;
    const stopClock = () => {
      const seconds = (performance.now() - started) / 1000;
      this.#seconds += seconds;
      this.#elapsed += seconds;
      this.#epochSeconds += seconds;
      started = performance.now();
    };
    const { gradientAccumulationSteps = 1 } = this.#options;
    let position = loader.state().batch;
    for await (const batch of this.#awaitsValidation ? [] : loader.epoch()) {
      const first = position - (position % gradientAccumulationSteps);
      const together = Math.min(gradientAccumulationSteps, loader.batchesPerEpoch - first);
      const completes = position - first === together - 1;
      position++;
      const gradNorm = this.#trainInMemory(batch, { together, isFirst: position - 1 === first, completes });
      this.#samples += batch.samples;
      this.#epochSamples += batch.samples;
      // Also at the end of an epoch, which may be shorter than that.
      if (this.#running.count % stepsPerLook === 0 || position === loader.batchesPerEpoch) {
        stopClock();
        this.#look(gradNorm);
      }
      gradNorm?.dispose();
      // Gives signals and timers a chance: the loop itself never waits.
      if (this.#step % stepsPerLook === 0) await new Promise((resolve) => setImmediate(resolve));
      stopClock();
      if (!completes) continue;
      this.#agree();
      this.#awaitsValidation = position === loader.batchesPerEpoch;
      stop = this.#stopReason();
      if (stop !== null) break;
      if (this.#isSaveDue) this.#saveLast();
    }
    stopClock();
    if (stop === "interrupted") {
      this.#saveLast();
      return stop;
    }
    const finishing = performance.now();
    await this.#finishEpoch();
    this.#elapsed += (performance.now() - finishing) / 1000;
    this.#agree();
    return this.#stopReason();
  }

  /** `#trainBatch`, once more with less memory for as long as there is not enough. */
  #trainInMemory(batch: Batch, place: BatchPlace): torch.Tensor | null {
    // Gradients of the batches before, to which a failed backward pass may have added a part of its own.
    using before = place.isFirst || !this.#task.useLessMemory ? null : new GradientCopy(this.#task.model);
    for (;;) {
      try {
        return this.#trainBatch(batch, place);
      } catch (error) {
        const isMemory = error instanceof torch.TorchError && error.kind === "out-of-memory";
        // What ranks do together cannot be done again by one of them: they all end, saved
        // as of the last checkpoint.
        if (isMemory && this.#share)
          throw new UserError(
            `Step ${this.#step + 1} ran out of memory; use a smaller --batch-size or more ranks, and go on with --resume. (${error.message})`,
          );
        const remedy = isMemory ? this.#task.useLessMemory?.() : null;
        if (!remedy) throw error;
        before?.restore();
        torch.emptyCache();
        this.#options.observer.warn?.(
          `Step ${this.#step + 1} ran out of memory and is made again: ${remedy}`,
        );
      }
    }
  }

  /**
   * Adds the gradients of one batch, and makes the optimizer's step when it completes the batches that go
   * together; everything it made is freed. Returns the gradients' norm before clipping.
   */
  #trainBatch(batch: Batch, { together, isFirst, completes }: BatchPlace): torch.Tensor | null {
    const { optimizer, debugNan } = this.#options;
    const { model } = this.#task;
    return torch.tidy(() => {
      const random = debugNan ? randomStates(model) : null;
      const { total, parts, finish } = this.#losses(batch);
      if (isFirst) optimizer.zeroGrad();
      const share = together > 1 ? total.div(together) : total;
      (this.#scaler ? this.#scaler.scale(share) : share).backward();
      finish?.((this.#scaler?.getScale() ?? 1) / together);
      this.#running.add({ total_loss: total, ...parts });
      if (debugNan && random) {
        const { sampleIds, folder } = debugNan;
        const losses = () => this.#losses(batch);
        const made = { batch, step: this.#step + 1, random, losses, scaled: this.#scaler !== null };
        const sampleId = (index: number) => sampleIds[index] ?? `mixture ${index - sampleIds.length + 1}`;
        inspectStep(model, total, made, { folder, sampleId, facts: this.#options.facts });
      }
      return completes ? this.#optimizerStep() : null;
    });
  }

  #losses(batch: Batch): BatchLosses {
    const { mixedPrecision = "none" } = this.#options;
    const { device } = this.#task.model.parameters()[0];
    return withMixedPrecision(mixedPrecision, device, () => this.#task.losses(batch));
  }

  #optimizerStep(): torch.Tensor | null {
    const { optimizer, schedule, maxGradNorm } = this.#options;
    const factor = scheduleFactor(this.#progress(), schedule) * this.#plateau.factor;
    optimizer.paramGroups.forEach((group, i) => {
      group.lr = this.#baseRates[i] * factor;
    });
    const parameters = this.#task.model.parameters().filter((value) => value.requiresGrad);
    this.#buckets?.reduce("avg");
    const allFinite = this.#scaler === null || this.#scaler.unscale_(optimizer);
    const norm = maxGradNorm === null ? null : torch.nn.clipGradNorm_(parameters, maxGradNorm);
    if (allFinite) {
      optimizer.step();
      this.#average?.update();
    }
    this.#scaler?.update();
    this.#step++;
    return norm;
  }

  /** Reads the losses: tells the observer, and stops a training that has gone wrong before more is lost. */
  #look(gradNorm: torch.Tensor | null): void {
    const means = this.#running.means();
    if (!Number.isFinite(means["total_loss"])) {
      throw new UserError(
        `The loss became ${means["total_loss"]} before step ${this.#step} (epoch ${this.#epoch + 1}); the checkpoints of the epochs before are kept. ` +
          "Try a smaller --lr, or look for the cause with --debug-nan.",
      );
    }
    this.#options.observer.stepsDone?.({
      samples: this.#epochSamples,
      means,
      learningRate: this.#options.optimizer.paramGroups[0].lr,
      step: this.#step,
      gradNorm: gradNorm?.item() ?? Number.NaN,
    });
  }

  async #finishEpoch(): Promise<void> {
    const { monitor, checkpoints, optimizer, observer, facts } = this.#options;
    const train = this.#running.means();
    if (!Number.isFinite(train["total_loss"])) this.#look(null);
    this.#task.model.eval();
    // What is judged and kept is the average, where there is one.
    this.#average?.swap();
    const found = await this.#task.validate();
    // Rounding may differ between machines, and what follows from the figures must not.
    const val = this.#share ? numbersOfRankZero(found) : found;
    const value = monitor.name === lastEpoch ? this.#epoch : val[monitor.name];
    const sign = monitor.direction === "min" ? 1 : -1;
    const isBest = Number.isFinite(value) && (this.#best === null || sign * value < sign * this.#best.value);
    if (isBest) {
      this.#best = { epoch: this.#epoch, value, figures: val };
      this.#badEpochs = 0;
      if ((this.#share?.rank ?? 0) === 0)
        saveWeights(checkpoints.best, this.#task.model, {
          ...facts,
          epoch: this.#epoch,
          step: this.#step,
          figures: val,
        });
    }
    this.#average?.swap();
    if (this.#options.schedule.name === "plateau") this.#plateau.step(val["total_loss"] ?? value);
    // Nothing can be concluded while the learning rate still rises.
    if (!isBest && this.#progress() > this.#options.schedule.warmup) this.#badEpochs++;
    const report: EpochReport = {
      epoch: this.#epoch,
      step: this.#step,
      train,
      val,
      learningRate: optimizer.paramGroups[0].lr,
      seconds: this.#epochSeconds,
      samples: this.#epochSamples,
      isBest,
    };
    this.#history.push(report);
    this.#epoch++;
    this.#epochSeconds = 0;
    this.#epochSamples = 0;
    this.#awaitsValidation = false;
    this.#running.reset();
    // Before saving: the checkpoint says where the observer's files end.
    await observer.epochEnds?.(report, {
      categoricalLearningRate: optimizer.paramGroups.find(isCategorical)?.lr ?? null,
      weights: this.#task.weightFigures?.() ?? {},
    });
    this.#saveLast();
  }

  /** To be called on all ranks: their states come together here. */
  #saveLast(): void {
    const { optimizer, checkpoints, facts, loader, observer } = this.#options;
    if (optimizer instanceof torch.distributed.optim.ZeroRedundancyOptimizer)
      optimizer.consolidateStateDict();
    if ((this.#share?.rank ?? 0) > 0) return;
    const scaler = this.#scaler?.stateDict();
    const progress: Progress = {
      loader: loader.state(),
      epoch: this.#epoch,
      step: this.#step,
      samples: this.#samples,
      trainingSeconds: this.#seconds,
      elapsed: this.#elapsed,
      epochsWithoutImprovement: this.#badEpochs,
      best: this.#best,
      history: this.#history,
      running: this.#running.state(),
      epochSeconds: this.#epochSeconds,
      epochSamples: this.#epochSamples,
      plateau: this.#plateau.state(),
      gradScale: scaler ? [scaler["scale"], scaler["_growth_tracker"]] : null,
      averagedSteps: this.#average?.steps ?? 0,
      awaitsValidation: this.#awaitsValidation,
      watch: observer.position?.() ?? null,
    };
    const targets = { model: this.#task.model, optimizer, average: this.#average ?? undefined };
    saveCheckpoint(checkpoints.last, targets, { ...facts, progress });
    this.#savedAt = performance.now();
  }
}
