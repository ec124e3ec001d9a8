import type { Batch } from "../data/batch.ts";
import { tokenMatrix } from "../data/batch.ts";
import type { Dataset } from "../data/dataset.ts";
import { isBase, maskToken } from "../models/masking.ts";
import type { SequenceEncoder } from "../models/sequenceEncoder.ts";
import * as torch from "../torch/index.ts";
import { batchTensors } from "./batchTensors.ts";
import type { ModelConfig, TrainingConfig } from "./config.ts";
import { nucleotideAccuracy, nucleotideLoss, unifracLoss } from "./losses.ts";
import { totalLoss } from "./multiTaskLoss.ts";
import { asPrediction, type DistanceForm } from "./pairwiseDistances.ts";
import type { BatchLosses, Figures, TrainingTask } from "./trainer.ts";
import { embedSampleSet, evaluatePairs, type PairEvaluation } from "./uniFracEvaluation.ts";

/** ASVs on which nucleotide prediction is judged, and at a time. */
const nucleotideSample = 1024;
const nucleotideChunk = 256;

export interface UniFracTaskOptions {
  dataset: Dataset;
  /** Name of the distances in the data set. */
  metric: string;
  validation: Int32Array;
  device: torch.Device;
  model: ModelConfig;
  training: TrainingConfig;
}

/** Pretraining: distances between sample embeddings shall match UniFrac, and hidden nucleotides shall be predicted. */
export class UniFracTask implements TrainingTask {
  /** The pairs of the last validation, for plots. */
  lastPairs: PairEvaluation | null = null;
  readonly #form: DistanceForm;

  constructor(
    readonly model: SequenceEncoder,
    private readonly options: UniFracTaskOptions,
  ) {
    const { distance, tanhScale } = options.model;
    this.#form = distance === "tanh" ? { tanhScale } : "raw";
  }

  losses(batch: Batch): BatchLosses {
    const { device, training } = this.options;
    const { input, targets } = batchTensors(batch, device);
    const wantsNucleotides = training.nucPenalty > 0;
    const encoding = this.model.forward(input, { nucleotides: wantsNucleotides });
    const known = targets.distanceMask;
    const unifrac = unifracLoss(encoding.embeddings!, targets.distances!, { form: this.#form, known });
    const sequences = { tokens: input.asvTokens, multiplicity: input.multiplicity };
    const nuc = encoding.nucleotides ? nucleotideLoss(encoding.nucleotides, sequences) : null;
    const weights = { unifrac_loss: training.uniFracPenalty, nuc_loss: training.nucPenalty };
    const losses = totalLoss({ unifrac_loss: unifrac, nuc_loss: nuc }, weights);
    const parts: Record<string, torch.Tensor> = { unifrac_loss: unifrac };
    if (encoding.nucleotides && nuc) {
      parts["nuc_loss"] = nuc;
      const { correct, total } = nucleotideAccuracy(encoding.nucleotides, sequences);
      parts["nuc_accuracy"] = correct.div(total.clampMin(1));
    }
    return { total: losses.total_loss, parts };
  }

  validate(): Figures {
    const pairs = this.evaluate(this.options.validation);
    this.lastPairs = pairs;
    const { mse, r2, mae, pearson, bias } = pairs.result;
    const { uniFracPenalty, nucPenalty } = this.options.training;
    const nucleotides: Figures = nucPenalty > 0 ? this.#validateNucleotides() : {};
    const total = uniFracPenalty * mse + nucPenalty * (nucleotides["nuc_loss"] ?? 0);
    return { total_loss: total, unifrac_loss: mse, ...nucleotides, r2, mae, mse, pearson, bias };
  }

  /** Predicted against true distances over all pairs of some samples. */
  evaluate(samples: Int32Array): PairEvaluation {
    const { dataset, metric, device, model } = this.options;
    using _scope = torch.scope();
    const batch = { tokenLimit: model.tokenLimit, maxBases: model.maxBases, asvSampling: model.asvSampling };
    const embeddings = embedSampleSet(this.model, dataset, samples, { device, batch });
    const form = this.#form;
    return evaluatePairs(
      embeddings,
      (some) => dataset.distance(metric).block(some),
      samples,
      (distances) => asPrediction(distances, form),
    );
  }

  /** Predicts hidden bases of validation ASVs: the same ones hidden every time, so that epochs can be compared. */
  #validateNucleotides(): Figures {
    const rows = this.#validationAsvs();
    const { device, model } = this.options;
    const generator = new torch.Generator("cpu").manualSeed(0);
    return torch.inferenceMode((): Figures => {
      let correct = 0;
      let total = 0;
      let loss = 0;
      for (let from = 0; from < rows.length; from += nucleotideChunk) {
        using _scope = torch.scope();
        const chunk = rows.slice(from, from + nucleotideChunk);
        const length = Math.min(model.maxBases, Math.max(...chunk.map((row) => this.#bases(row)))) + 1;
        const values = tokenMatrix(this.options.dataset, chunk, length);
        const shape = [chunk.length, length];
        const tokens = torch.tensor(values, { shape, dtype: "int64", device });
        const chosen = torch.rand(shape, { generator }).lt(model.maskRatio).to(device);
        const mask = chosen.logicalAnd(isBase(tokens));
        const hidden = tokens.maskedFill(mask, maskToken);
        const { nucleotides } = this.model.sampleEncoder.asvEncoder.forward(hidden, { nucleotides: true });
        const prediction = { ...nucleotides!, filled: mask.flatten(), mask };
        const targets = { tokens, multiplicity: torch.ones([chunk.length], { device }) };
        const accuracy = nucleotideAccuracy(prediction, targets);
        const count = accuracy.total.item();
        correct += accuracy.correct.item();
        loss += nucleotideLoss(prediction, targets).item() * count;
        total += count;
      }
      return total > 0 ? { nuc_loss: loss / total, nuc_accuracy: correct / total } : {};
    });
  }

  #bases(row: number): number {
    return this.options.dataset.asvTokens(row).length - 1;
  }

  /** Distinct ASVs of the validation samples, evenly spread. */
  #validationAsvs(): number[] {
    const { dataset, validation } = this.options;
    const found = new Set<number>();
    for (const sample of validation) for (const asv of dataset.sample(sample).asvs) found.add(asv);
    const all = [...found].sort((a, b) => a - b);
    const stride = Math.max(1, Math.ceil(all.length / nucleotideSample));
    return all.filter((_, i) => i % stride === 0);
  }
}
