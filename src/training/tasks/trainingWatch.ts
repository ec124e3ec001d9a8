import {
  configurationMarkdown,
  epochScalars,
  fusionScalars,
  gradientNormTag,
  gradientTag,
  type LossName,
  overlayLayout,
  tags,
  weightTag,
} from "../../display/tensorboard/tags.ts";
import { LogFile } from "../../display/terminal/logFile.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { epochLine, epochTitle, type ProgressParts } from "../../display/terminal/progressText.ts";
import { EventFile, type EventPosition, rewindEventFiles } from "../../formats/tensorboard/eventFile.ts";
import * as torch from "../../torch/index.ts";
import type { EpochReport, Figures, TrainingObserver, WatchedFigures } from "../loop/trainer.ts";
import type { RunFolder } from "../run/folder.ts";

/** Histograms are large. */
const epochsPerHistogram = 5;

export interface WatchFacts {
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: { readonly total: number; readonly trainable: number };
  /** Whose weights and gradients are shown as histograms. */
  readonly model: torch.nn.Module;
  readonly resume: boolean;
  /** Where the event file ended when the checkpoint was written from which the run goes on. */
  readonly position: unknown;
  /** What is learned, which decides the charts. */
  readonly losses: readonly LossName[];
  /** What targets are; null in pretraining. */
  readonly targetKind: "numbers" | "classes" | null;
}

/**
 * Whether an epoch's training had every loss that its validation had. Epochs on kept ASV embeddings
 * have none of nucleotides: their total is of another kind than that of the others, and would jump
 * up and down beside them.
 */
export function hasAllLosses({ train, val }: Pick<EpochReport, "train" | "val">): boolean {
  return Object.keys(val).every((name) => !name.endsWith("_loss") || name in train);
}

/** Shows a training on the terminal and writes it into the run's TensorBoard events and log. */
export class TrainingWatch implements TrainingObserver, Disposable {
  readonly #events: EventFile;
  readonly #log: LogFile;
  #epochs = 0;

  constructor(
    folder: RunFolder,
    private readonly display: ProgressDisplay,
    private readonly facts: WatchFacts,
  ) {
    this.#log = new LogFile(folder.log);
    if (facts.position) rewindEventFiles(folder.events, facts.position as EventPosition);
    this.#events = new EventFile(folder.events);
    this.#log.write("INFO", facts.resume ? "The run continues." : "The run begins.");
    if (facts.resume) return;
    this.#events.text(tags.configuration, configurationMarkdown(facts.config));
    this.#events.layout(overlayLayout(facts.losses));
    const { total, trainable } = facts.parameters;
    this.#events.scalar(tags.totalParameters, total, 0);
    this.#events.scalar(tags.trainableParameters, trainable, 0);
    this.#events.scalar(tags.frozenParameters, total - trainable, 0);
  }

  warn(message: string): void {
    this.#log.write("WARNING", message);
    this.display.warn(message);
  }

  epochStarts(epoch: number, epochs: number, samples: number): void {
    this.#epochs = epochs;
    this.display.begin(epochTitle(epoch + 1, epochs), samples);
  }

  stepsDone(info: {
    samples: number;
    means: Figures;
    learningRate: number;
    step: number;
    gradNorm: number;
  }): void {
    const { means, learningRate } = info;
    const parts: ProgressParts = { TL: means["total_loss"], LR: learningRate };
    if ("target_loss" in means)
      parts[this.facts.targetKind === "classes" ? "CL" : "RL"] = means["target_loss"];
    if ("unifrac_loss" in means) parts.UL = means["unifrac_loss"];
    if ("count_loss" in means) parts.CNT = means["count_loss"];
    if ("nuc_loss" in means) {
      parts.NL = means["nuc_loss"];
      parts.NA = means["nuc_accuracy"];
    }
    this.display.update(info.samples, parts);
    if (Number.isFinite(info.gradNorm)) this.#events.scalar(tags.gradientNorm, info.gradNorm, info.step);
  }

  epochEnds(report: EpochReport, { categoricalLearningRate, weights }: WatchedFigures): void {
    const { epoch, train, val, learningRate, seconds, samples, isBest } = report;
    this.display.end();
    const summary = { epoch: epoch + 1, epochs: this.#epochs, train, val, seconds, learningRate };
    this.display.epoch(summary);
    this.#log.write("INFO", epochLine(summary));
    const { total_loss: _total, ...withoutTotal } = train;
    this.#events.scalars(
      {
        ...epochScalars("train", hasAllLosses(report) ? train : withoutTotal),
        ...epochScalars("val", val),
        [tags.learningRate]: learningRate,
        [tags.epochSeconds]: seconds,
        [tags.samplesPerSecond]: seconds > 0 ? samples / seconds : 0,
        ...(isBest ? { [tags.bestModelSaved]: 1 } : {}),
        ...(categoricalLearningRate === null
          ? {}
          : { [tags.categoricalLearningRate]: categoricalLearningRate }),
        ...this.#gpuMemory(),
        ...weights,
        ...fusionScalars(train),
      },
      epoch,
    );
    if (epoch % epochsPerHistogram === 0) this.#histograms(epoch);
    this.#events.flush();
  }

  #gpuMemory(): Figures {
    const { device } = this.facts.model.parameters()[0];
    return device === "cpu" ? {} : { [tags.gpuMemory]: torch.cuda.memoryAllocated(device) / 2 ** 20 };
  }

  /** Of the weights, and of the gradients of the last step. */
  #histograms(epoch: number): void {
    using _scope = torch.scope();
    for (const [name, value] of this.facts.model.namedParameters()) {
      if (!value.requiresGrad) continue;
      this.#events.histogram(weightTag(name), value.detach().toFloat64Array(), epoch);
      const gradient = value.grad;
      if (!gradient) continue;
      this.#events.histogram(gradientTag(name), gradient.toFloat64Array(), epoch);
      this.#events.scalar(gradientNormTag(name), gradient.norm().item(), epoch);
    }
  }

  /** Where the event file ends. */
  position(): EventPosition {
    return this.#events.position();
  }

  /** A picture for TensorBoard. */
  image(tag: string, png: Uint8Array, step: number): void {
    this.#events.image(tag, png, step);
  }

  [Symbol.dispose](): void {
    this.display.end();
    this.#events.close();
  }
}
