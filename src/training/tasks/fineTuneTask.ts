import { Random } from "../../common/random/random.ts";
import { type Batch, BatchBuilder } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { SequencePredictor } from "../../models/sequencePredictor.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { FineTuneConfig } from "../config/config.ts";
import type { AsvBlocksCache } from "../encoding/asvBlocksCache.ts";
import type { AsvSumCache } from "../encoding/asvSumCache.ts";
import type { FrozenEncoderCache } from "../encoding/frozenEncoderCache.ts";
import { halveAsvChunks } from "../encoding/halveAsvChunks.ts";
import { predictOutputs } from "../inference/predictOutputs.ts";
import type { BatchLosses } from "../loop/batchLosses.ts";
import type { Figures, TrainingTask } from "../loop/trainer.ts";
import { batchTargets, batchTensors } from "../objectives/batchTensors.ts";
import { judgedName } from "../objectives/judgedSamples.ts";
import { countLoss, countTargets } from "../objectives/losses.ts";
import { totalLoss } from "../objectives/multiTaskLoss.ts";
import {
  evaluateNucleotides,
  nucleotideParts,
  predictSomeNucleotides,
} from "../objectives/nucleotideObjective.ts";
import type { BaseObjective } from "../objectives/objective.ts";
import type { PairEvaluation } from "../objectives/pairEvaluation.ts";
import type { TargetLoss } from "../objectives/targetLoss.ts";
import { gatherEncoding } from "../ranks/gatherEncoding.ts";
import { currentShare } from "../ranks/share.ts";
import { SharedBatch } from "../ranks/sharedBatch.ts";
import {
  type ColumnPrediction,
  type ColumnQuality,
  figuresOf,
  judgePredictions,
  readPredictions,
} from "../targets/predictions.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";
import type { Targets } from "../targets/targets.ts";
import { categoryWeightFigures, fusionFigures } from "./categoryFigures.ts";

export interface FineTuneTaskOptions {
  readonly dataset: Dataset;
  readonly validation: Int32Array;
  readonly device: torch.Device;
  readonly config: FineTuneConfig;
  readonly targets: Targets;
  readonly loss: TargetLoss;
  readonly categories: SampleCategories | null;
  /** What the encoder goes on to learn; null where it learns nothing besides the targets. */
  readonly objective: BaseObjective | null;
  /** Weight of every sample of the data set; null for equal ones. */
  readonly sampleWeights: Float32Array | null;
  /** Of a frozen encoder; null where the encoder learns. */
  readonly frozen: FrozenEncoderCache | AsvSumCache | AsvBlocksCache | null;
  /** Of the training samples: what counts are scaled by for the count head. */
  readonly largestCount: number;
}

/** What the last validation came to, for plots and files. */
export interface ValidationOutcome {
  readonly predictions: ColumnPrediction[];
  readonly qualities: ColumnQuality[];
  readonly pairs: PairEvaluation | null;
  readonly counts: PairEvaluation | null;
}

/** Samples of frozen encoders judged at a time. */
const frozenBatch = 256;

/** Fine-tuning: targets of samples shall be predicted, and whatever else has a weight. */
export class FineTuneTask implements TrainingTask {
  last: ValidationOutcome | null = null;
  readonly #classNumbers: Int32Array | null;
  /** [N, K] as the model learns them. */
  readonly #values: Float32Array | null;
  readonly #keys: readonly (string | null)[] | undefined;

  constructor(
    readonly model: SequencePredictor,
    private readonly options: FineTuneTaskOptions,
  ) {
    const { targets, dataset } = options;
    this.#classNumbers = targets.classes ? targets.classNumbers(dataset) : null;
    this.#values = targets.classes ? null : targets.transformed(dataset);
    this.#keys = targets.keys(dataset);
  }

  /** A frozen encoder encodes nothing in a step that could be chunked. */
  useLessMemory(): string | null {
    return this.options.frozen ? null : halveAsvChunks(this.model.baseModel.asvEncoder);
  }

  losses(batch: Batch): BatchLosses {
    const { device, config, objective, frozen, categories, largestCount } = this.options;
    const { training } = config;
    const share = currentShare();
    const shared = share && new SharedBatch(batch, device, share);
    // What is per sample is computed of a rank's own ones and gathered, so that losses are
    // those of the whole batch.
    const gather = (rows: torch.Tensor) => (shared ? shared.gather(rows) : rows);
    const whole = shared ? null : batchTensors(batch, device);
    const targets = whole?.targets ?? batchTargets(batch, device);
    const input = shared?.input ?? whole!.input;
    const nucleotides = frozen === null && training.nucPenalty > 0;
    const inOnePass = config.nucShare === 1;
    const { asvEncoder } = this.model.baseModel;
    const asvs =
      shared && frozen === null
        ? shared.encodeAsvs(asvEncoder, {
            nucleotides: nucleotides && inOnePass,
            lessMemory: () => halveAsvChunks(asvEncoder) !== null,
          })
        : null;
    const result = this.model.forward(input, {
      nucleotides: nucleotides && inOnePass && !asvs,
      categories: categories?.ids(shared?.samples ?? batch.sampleIndices, device),
      ...(asvs ? { asvEmbeddings: asvs.table } : {}),
      ...frozen?.request(shared?.part ?? batch, input),
    });
    const parts: Record<string, torch.Tensor> = {
      target_loss: this.#targetLoss(gather(result.target), batch.sampleIndices, this.options.sampleWeights),
      ...fusionFigures(this.model, result),
    };
    if (objective && training.penalty > 0)
      parts["unifrac_loss"] = objective.loss(gatherEncoding(result.base, gather), targets);
    if (result.count) {
      const counts = gather(input.counts);
      const filled = batch.asvIndex.includes(0) ? gather(input.asvIndex.ne(0).to("float32")).gt(0) : null;
      parts["count_loss"] = countLoss(
        gather(result.count),
        countTargets(counts, { countForm: config.target.countForm, largestCount }),
        filled,
      );
    }
    // As in pretraining, distances and targets are learned from whole sequences.
    const sequences = shared?.asvs ?? input;
    const own =
      nucleotides && !inOnePass ? predictSomeNucleotides(asvEncoder, sequences, config.nucShare) : null;
    const predicted = own?.prediction ?? asvs?.nucleotides ?? result.base.nucleotides;
    const found = predicted ? nucleotideParts(predicted, own?.input ?? sequences, share) : null;
    if (found) {
      parts["nuc_loss"] = found.loss;
      parts["nuc_accuracy"] = found.accuracy;
    }
    // In one pass the gradients of a rank's nucleotides go the way of its ASVs' embeddings, and with them.
    const isApart = found !== null && asvs !== null && !own;
    const total = this.#total(isApart ? { ...parts, nuc_loss: found.loss.detach() } : parts);
    if (!asvs) return { total, parts };
    const finish = (weight: number) =>
      asvs.backward(isApart ? found.loss.mul(weight * training.nucPenalty) : null);
    return { total, parts, finish };
  }

  #total(parts: Readonly<Record<string, torch.Tensor>>): torch.Tensor {
    const { training, target } = this.options.config;
    return totalLoss(
      {
        target_loss: parts["target_loss"],
        count_loss: parts["count_loss"],
        unifrac_loss: parts["unifrac_loss"],
        nuc_loss: parts["nuc_loss"],
      },
      {
        target_loss: target.penalty,
        count_loss: target.countPenalty,
        unifrac_loss: training.penalty,
        nuc_loss: training.nucPenalty,
      },
    ).total_loss;
  }

  /** Of predictions for some samples of the data set. */
  #targetLoss(prediction: torch.Tensor, samples: Int32Array, weights: Float32Array | null): torch.Tensor {
    const { loss } = this.options;
    const { device } = prediction;
    const sampleWeights =
      weights && torch.tensor(Float32Array.from(samples, (sample) => weights[sample])).to(device);
    const classNumbers = this.#classNumbers;
    if (classNumbers) {
      const numbers = BigInt64Array.from(Array.from(samples), (sample) => BigInt(classNumbers[sample]));
      return loss.classification(prediction, torch.tensor(numbers).to(device), { sampleWeights });
    }
    const width = this.options.targets.columns.length;
    const values = new Float32Array(samples.length * width);
    samples.forEach((sample, i) => {
      values.set(this.#values!.subarray(sample * width, (sample + 1) * width), i * width);
    });
    const truth = torch.tensor(values, { shape: [samples.length, width] }).to(device);
    return loss.regression(prediction, truth, { sampleWeights });
  }

  weightFigures(): Figures {
    return categoryWeightFigures(this.model);
  }

  validate(): Figures {
    const { dataset, validation, device, config, objective, targets, frozen } = this.options;
    using _scope = torch.scope();
    const { training, target, model: shape } = config;
    const wantsBase = objective !== null && frozen === null && training.penalty > 0;
    const passes = frozen
      ? [this.#frozenOutputs(validation)]
      : Array.from({ length: this.#passes() }, (_, seed) =>
          predictOutputs(this.model, dataset, validation, {
            device,
            batch: batchOptionsOf(shape),
            categories: this.options.categories,
            objective: wantsBase && seed === 0 ? objective : null,
            counts: { countForm: target.countForm, largestCount: this.options.largestCount },
            seed,
          }),
        );
    const first = passes[0];
    const losses: Figures = {
      target_loss: torch.noGrad(() => this.#targetLoss(first.target, validation, null)).item(),
    };
    const pairs = wantsBase && first.base ? objective.evaluate(first.base, validation) : null;
    if (pairs) {
      losses["unifrac_loss"] = pairs.loss ?? pairs.result.mse;
      losses[judgedName("unifrac_r2", validation.length)] = pairs.result.r2;
    }
    if (first.count) {
      losses["count_loss"] = first.count.result.mse;
      losses["count_mae"] = first.count.result.mae;
    }
    if (!frozen && training.nucPenalty > 0) {
      const { maxBp, nucMaskRatio: maskRatio } = shape;
      const judged = { dataset, samples: validation, maxBp, maskRatio, device };
      Object.assign(losses, evaluateNucleotides(this.model.baseModel.asvEncoder, judged));
    }
    const predictions = readPredictions(
      targets,
      passes.map(({ target: values }) => values.toFloat32Array()),
      validation,
      this.#keys,
    );
    const qualities = judgePredictions(targets, dataset, validation, predictions);
    this.last = { predictions, qualities, pairs, counts: first.count };
    const total =
      target.penalty * losses["target_loss"] +
      training.penalty * (losses["unifrac_loss"] ?? 0) +
      target.countPenalty * (losses["count_loss"] ?? 0) +
      training.nucPenalty * (losses["nuc_loss"] ?? 0);
    return { total_loss: total, ...losses, ...figuresOf(qualities) };
  }

  #passes(): number {
    return this.options.config.model.asvSampling === "random" ? this.options.config.valPredictionPasses : 1;
  }

  /** Outputs [N, ...] from what is known of the frozen encoder's samples. */
  #frozenOutputs(samples: Int32Array): { target: torch.Tensor; base: null; count: null } {
    const { dataset, device, config, frozen, categories } = this.options;
    const builder = new BatchBuilder(dataset, { ...batchOptionsOf(config.model), withoutTokens: true });
    const target = torch.inferenceMode(() => {
      const parts: torch.Tensor[] = [];
      for (let from = 0; from < samples.length; from += frozenBatch) {
        const some = samples.subarray(from, from + frozenBatch);
        parts.push(
          torch.tidy(() => {
            const batch = builder.build(some, new Random(0));
            const { input } = batchTensors(batch, device);
            const ids = categories?.ids(some, device);
            return this.model
              .forward(input, { categories: ids, ...frozen!.request(batch, input) })
              .target.to("cpu");
          }),
        );
      }
      return torch.cat(parts);
    });
    return { target, base: null, count: null };
  }
}
