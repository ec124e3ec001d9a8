import type { Batch } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { Encoder } from "../../models/encoder.ts";
import type * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { ModelConfig, TrainingConfig } from "../config/config.ts";
import { AsvTable } from "../encoding/asvTable.ts";
import { halveAsvChunks } from "../encoding/halveAsvChunks.ts";
import { judgeEncoder } from "../inference/judgeEncoder.ts";
import type { BatchLosses } from "../loop/batchLosses.ts";
import type { Figures, TrainingTask } from "../loop/trainer.ts";
import { batchTargets, batchTensors } from "../objectives/batchTensors.ts";
import { judgedName } from "../objectives/judgedSamples.ts";
import { totalLoss } from "../objectives/multiTaskLoss.ts";
import {
  evaluateNucleotides,
  nucleotideParts,
  predictSomeNucleotides,
} from "../objectives/nucleotideObjective.ts";
import type { BaseObjective } from "../objectives/objective.ts";
import type { PairEvaluation } from "../objectives/pairEvaluation.ts";
import { gatherEncoding } from "../ranks/gatherEncoding.ts";
import { currentShare, type Share } from "../ranks/share.ts";
import { SharedBatch } from "../ranks/sharedBatch.ts";

export interface PretrainTaskOptions {
  readonly dataset: Dataset;
  readonly objective: BaseObjective;
  readonly validation: Int32Array;
  readonly device: torch.Device;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
  /** Epochs on kept ASV embeddings after each full one; see `PretrainConfig`. */
  readonly sampleEpochs: number;
  /** Share of a batch's ASVs whose nucleotides are predicted; see `PretrainConfig`. */
  readonly nucShare: number;
  /** The samples trained on. */
  readonly train: Int32Array;
}

/**
 * Pretraining: distances between sample embeddings shall match UniFrac, and hidden
 * nucleotides shall be predicted.
 */
export class PretrainTask implements TrainingTask, Disposable {
  /** The pairs (or values) of the last validation, for plots. */
  lastPairs: PairEvaluation | null = null;
  /** In sample epochs the embeddings of the ASVs, null in full ones. */
  #kept: AsvTable | null = null;

  constructor(
    readonly model: Encoder,
    private readonly options: PretrainTaskOptions,
  ) {}

  /**
   * Most of a step's time goes into sequences, most of what is to be learned lies between samples: so a
   * full epoch is followed by cheap ones that train the layers above the ASVs alone, from ASV embeddings as
   * they are at their start.
   */
  epochStarts(epoch: number): void {
    const { dataset, device, model, sampleEpochs, train } = this.options;
    const isFull = epoch % (1 + sampleEpochs) === 0;
    if (isFull) this[Symbol.dispose]();
    else this.#kept ??= new AsvTable(this.model, dataset, train, { device, batch: batchOptionsOf(model) });
  }

  [Symbol.dispose](): void {
    this.#kept?.dispose();
    this.#kept = null;
  }

  losses(batch: Batch): BatchLosses {
    const { device, training, objective } = this.options;
    const share = currentShare();
    if (share) return this.#sharedLosses(batch, share);
    const { input, targets } = batchTensors(batch, device);
    if (this.#kept) {
      const encoding = this.model.forward(input, { asvEmbeddings: this.#kept.ofBatch(batch) });
      const loss = objective.loss(encoding, targets);
      return { total: loss.mul(training.penalty), parts: { unifrac_loss: loss } };
    }
    const wantsNucleotides = training.nucPenalty > 0;
    const inOnePass = this.options.nucShare === 1;
    const encoding = this.model.forward(input, { nucleotides: wantsNucleotides && inOnePass });
    const unifrac = objective.loss(encoding, targets);
    const parts: Record<string, torch.Tensor> = { unifrac_loss: unifrac };
    const ownPass =
      wantsNucleotides && !inOnePass
        ? predictSomeNucleotides(this.model.asvEncoder, input, this.options.nucShare)
        : null;
    const nucleotides = ownPass?.prediction ?? encoding.nucleotides;
    let nuc: torch.Tensor | null = null;
    if (nucleotides) {
      const { loss, accuracy } = nucleotideParts(nucleotides, ownPass?.input ?? input);
      nuc = loss;
      parts["nuc_loss"] = loss;
      parts["nuc_accuracy"] = accuracy;
    }
    const weights = { unifrac_loss: training.penalty, nuc_loss: training.nucPenalty };
    return { total: totalLoss({ unifrac_loss: unifrac, nuc_loss: nuc }, weights).total_loss, parts };
  }

  /**
   * `losses` of a batch that several ranks share: the same numbers on all of them, those of the whole batch.
   */
  #sharedLosses(batch: Batch, share: Share): BatchLosses {
    const { device, training, objective, nucShare } = this.options;
    const shared = new SharedBatch(batch, device, share);
    const targets = batchTargets(batch, device);
    const lossOf = (asvEmbeddings: torch.Tensor) => {
      const own = this.model.forward(shared.input, { asvEmbeddings });
      return objective.loss(
        gatherEncoding(own, (rows) => shared.gather(rows)),
        targets,
      );
    };
    if (this.#kept) {
      const loss = lossOf(this.#kept.ofBatch(batch));
      return { total: loss.mul(training.penalty), parts: { unifrac_loss: loss } };
    }
    const wantsNucleotides = training.nucPenalty > 0;
    const inOnePass = nucShare === 1;
    const { asvEncoder } = this.model;
    const asvs = shared.encodeAsvs(asvEncoder, {
      nucleotides: wantsNucleotides && inOnePass,
      lessMemory: () => halveAsvChunks(asvEncoder) !== null,
    });
    const unifrac = lossOf(asvs.table);
    const own =
      wantsNucleotides && !inOnePass ? predictSomeNucleotides(asvEncoder, shared.asvs, nucShare) : null;
    const nucleotides = own?.prediction ?? asvs.nucleotides;
    const found = nucleotides ? nucleotideParts(nucleotides, own?.input ?? shared.asvs, share) : null;
    // In one pass their gradients go the way of the ASVs' embeddings, and with them.
    const nuc = found && (own ? found.loss : found.loss.detach());
    const weights = { unifrac_loss: training.penalty, nuc_loss: training.nucPenalty };
    return {
      total: totalLoss({ unifrac_loss: unifrac, nuc_loss: nuc }, weights).total_loss,
      parts: {
        unifrac_loss: unifrac,
        ...(found ? { nuc_loss: found.loss, nuc_accuracy: found.accuracy } : {}),
      },
      finish: (weight) => asvs.backward(found && !own ? found.loss.mul(weight * training.nucPenalty) : null),
    };
  }

  /** Epochs on kept ASV embeddings encode nothing that could be chunked. */
  useLessMemory(): string | null {
    return this.#kept ? null : halveAsvChunks(this.model.asvEncoder);
  }

  validate(): Figures {
    const { dataset, validation, device, model, training, objective } = this.options;
    const pairs = this.evaluate(validation);
    this.lastPairs = pairs;
    const { mse, r2, mae, pearson, bias } = pairs.result;
    const loss = pairs.loss ?? mse;
    const { [objective.metric]: _first, ...further } = pairs.metrics ?? {};
    const ofMetrics = Object.entries(further).flatMap(([metric, { result }]) => [
      [`r2_${metric}`, result.r2] as const,
      [`mae_${metric}`, result.mae] as const,
    ]);
    const { penalty: uniFracPenalty, nucPenalty } = training;
    const { maxBp, nucMaskRatio: maskRatio } = model;
    const nucleotides =
      nucPenalty > 0
        ? evaluateNucleotides(this.model.asvEncoder, {
            dataset,
            samples: validation,
            maxBp,
            maskRatio,
            device,
          })
        : {};
    const total = uniFracPenalty * loss + nucPenalty * (nucleotides.nuc_loss ?? 0);
    const figures = [...Object.entries({ r2, mae, mse, pearson, bias }), ...ofMetrics].map(
      ([name, value]) => [judgedName(name, validation.length), value],
    );
    return { total_loss: total, unifrac_loss: loss, ...nucleotides, ...Object.fromEntries(figures) };
  }

  /** Predicted against true distances over all pairs of some samples (or values of the samples). */
  evaluate(samples: Int32Array): PairEvaluation {
    const { dataset, device, model, objective } = this.options;
    return judgeEncoder(this.model, objective, dataset, samples, { device, batch: batchOptionsOf(model) });
  }
}
