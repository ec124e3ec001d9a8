import type { Batch } from "../../src/data/batches/batch.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { type EuclideanForm, pairwiseDistances } from "../../src/models/pairwiseDistances.ts";
import type { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import { euclideanFormOf } from "../../src/training/config/buildModel.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";
import { embedSampleSet } from "../../src/training/inference/embedSamples.ts";
import type { BatchLosses } from "../../src/training/loop/batchLosses.ts";
import { batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { unifracLoss } from "../../src/training/objectives/losses.ts";
import {
  nucleotideParts,
  predictSomeNucleotides,
} from "../../src/training/objectives/nucleotideObjective.ts";
import { evaluatePairs, type PairEvaluation } from "../../src/training/objectives/pairEvaluation.ts";

/** What a task needs of a subject. */
export interface TaskSubject {
  readonly dataset: Dataset;
  readonly metric: string;
  readonly config: PretrainConfig;
  readonly device: torch.Device;
}

export interface TaskOptions {
  /** Default: the configuration's. `learned` is tanh with a scale that starts at 1 and is trained. */
  readonly form?: EuclideanForm | "learned";
  /**
   * Take distances from a pass without hidden nucleotides, which are predicted for all ASVs. Default false.
   */
  readonly separateMasking?: boolean;
  /**
   * Share of the ASVs whose nucleotides are predicted in a pass of their own; 1 is one pass.
   * Default: the configuration's.
   */
  readonly nucShare?: number;
  /** Let the distance of each sample to itself count. Default false. */
  readonly diagonal?: boolean;
}

/** How a batch becomes a loss, in any of the ways that are compared. */
export interface DebugTask {
  /** What is trained: the encoder, and perhaps something of the task's own. */
  readonly model: torch.nn.Module;
  losses(batch: Batch): BatchLosses;
}

class WithScale extends torch.nn.Module {
  readonly scale: torch.Tensor;

  constructor(readonly encoder: SequenceEncoder) {
    super();
    this.scale = torch.nn.parameter(torch.ones([1], { device: encoder.parameters()[0].device }));
  }

  forward(): never {
    throw new Error("internal: the encoder is called, not what holds it");
  }
}

/** UniFrac training as the product does it by default, with options that exist only here. */
export class EncoderTask implements DebugTask {
  readonly model: torch.nn.Module;
  readonly form: EuclideanForm;

  readonly #subject: TaskSubject;
  readonly #options: TaskOptions;

  constructor(
    readonly encoder: SequenceEncoder,
    subject: TaskSubject,
    options: TaskOptions = {},
  ) {
    this.#subject = subject;
    this.#options = options;
    const form = options.form ?? euclideanFormOf(subject.config);
    if (form === "learned") {
      const holder = new WithScale(encoder);
      this.model = holder;
      this.form = { tanhScale: holder.scale };
    } else {
      this.model = encoder;
      this.form = form;
    }
  }

  losses(batch: Batch): BatchLosses {
    const { penalty: uniFracPenalty, nucPenalty } = this.#subject.config.training;
    const { input, targets } = batchTensors(batch, this.#subject.device);
    const { separateMasking, diagonal, nucShare = this.#subject.config.nucShare } = this.#options;
    const inOnePass = separateMasking || nucShare === 1;
    const encoding = this.encoder.forward(input, {
      nucleotides: nucPenalty > 0 && inOnePass,
      separateMasking,
    });
    const known = targets.distanceMask!;
    const unifrac = diagonal
      ? wholeMatrixLoss(pairwiseDistances(encoding.embeddings!, this.form), targets.distances!, known)
      : unifracLoss(encoding.embeddings!, targets.distances!, { form: this.form, known });
    const parts: Record<string, torch.Tensor> = { unifrac_loss: unifrac };
    let total = unifrac.mul(uniFracPenalty);
    if (nucPenalty > 0) {
      const { prediction, input: sequences } = inOnePass
        ? { prediction: encoding.nucleotides, input }
        : predictSomeNucleotides(this.encoder.asvEncoder, input, nucShare);
      parts["nuc_loss"] = nucleotideParts(prediction!, sequences).loss;
      total = total.add(parts["nuc_loss"].mul(nucPenalty));
    }
    return { total, parts };
  }

  /** Embeddings [N, D] of samples on the CPU, in evaluation mode. */
  embed(samples: Int32Array): torch.Tensor {
    return embedSubject(this.encoder, this.#subject, samples);
  }

  /** Predicted against true distances over all pairs of some samples. */
  evaluate(samples: Int32Array, keep?: number): PairEvaluation {
    using _scope = torch.scope();
    const { dataset, metric } = this.#subject;
    const distances = dataset.distance(metric);
    return evaluatePairs(this.embed(samples), (some) => distances.block(some), samples, this.form, keep);
  }
}

/** Embeddings [N, D] of samples on the CPU; the model is back in the mode before when it returns. */
export function embedSubject(
  encoder: SequenceEncoder,
  { dataset, config, device }: TaskSubject,
  samples: Int32Array,
): torch.Tensor {
  const { tokenLimit, maxBp, asvSampling } = config.model;
  const before = encoder.training;
  encoder.eval();
  const embeddings = embedSampleSet(encoder, dataset, samples, {
    device,
    batch: { tokenLimit, maxBp, asvSampling },
  });
  encoder.train(before);
  return embeddings;
}

/** Mean squared error over the known pairs of both triangles and the diagonal, whose target is 0. */
function wholeMatrixLoss(predicted: torch.Tensor, target: torch.Tensor, known: torch.Tensor): torch.Tensor {
  const self = torch.eye(target.size(0), { dtype: "bool", device: target.device });
  const counted = known.logicalOr(self);
  return predicted.sub(target).square().mul(counted).sum().div(counted.sum());
}
