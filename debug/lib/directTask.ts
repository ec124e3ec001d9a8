import { Random } from "../../src/common/random/random.ts";
import type { Batch } from "../../src/data/batches/batch.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import { pairwiseDistances } from "../../src/models/pairwiseDistances.ts";
import type { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import * as torch from "../../src/torch/index.ts";
import type { BatchLosses } from "../../src/training/loop/batchLosses.ts";
import { batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { nucleotideLoss } from "../../src/training/objectives/losses.ts";
import type { DebugTask, TaskSubject } from "./encoderTask.ts";
import { upperTriangle } from "./statistics.ts";

/**
 * The two heads of the history, which exist only here, and what replaced them:
 * - `clipped`, `sigmoid`: sample i's embedding is projected to as many values as the batch has samples; value
 *   j is the predicted distance to the batch's sample j, forced into [0, 1] by clipping or by a sigmoid.
 * - `distances`: Euclidean distances between embeddings.
 */
export type HeadKind = "clipped" | "sigmoid" | "distances";

/** Predictions for the pairs of some batches. */
export interface PairPredictions {
  /** What the head gives before it is forced into [0, 1]. */
  readonly raw: Float32Array;
  readonly predicted: Float32Array;
  readonly actual: Float32Array;
  /**
   * For each output j of a direct head, the share of its raw values outside [0, 1]; j = 0 is
   * never in the upper triangle.
   */
  readonly outside: readonly number[];
}

class DirectModel extends torch.nn.Module {
  readonly outputHead: torch.nn.Linear | null;

  constructor(
    readonly encoder: SequenceEncoder,
    kind: HeadKind,
    batchSize: number,
  ) {
    super();
    this.outputHead = kind === "distances" ? null : new torch.nn.Linear(encoder.dim, batchSize);
  }

  /** [B, D] -> [B, B] */
  forward(embeddings: torch.Tensor): torch.Tensor {
    return this.outputHead?.forward(embeddings) ?? pairwiseDistances(embeddings);
  }
}

/**
 * Trains one of the heads on the strict upper triangle of each batch's distances, like the product otherwise.
 */
export class DirectTask implements DebugTask {
  readonly model: DirectModel;
  readonly #batchSize: number;

  readonly #subject: TaskSubject;

  constructor(
    readonly kind: HeadKind,
    encoder: SequenceEncoder,
    subject: TaskSubject,
  ) {
    this.#subject = subject;
    this.#batchSize = subject.config.training.batchSize;
    this.model = new DirectModel(encoder, kind, this.#batchSize);
    this.model.to(subject.device);
  }

  losses(batch: Batch): BatchLosses {
    const { nucPenalty } = this.#subject.config.training;
    const { input, targets } = batchTensors(batch, this.#subject.device);
    const encoding = this.model.encoder.forward(input, { nucleotides: nucPenalty > 0 });
    const predicted = this.#bounded(this.model.forward(encoding.embeddings!));
    const known = targets.distanceMask!.triu(1);
    const errors = predicted.sub(targets.distances!).square().mul(known);
    const unifrac = errors.sum().div(known.sum().clampMin(1));
    const parts: Record<string, torch.Tensor> = { unifrac_loss: unifrac };
    if (!encoding.nucleotides) return { total: unifrac, parts };
    const sequences = { tokens: input.asvTokens, multiplicity: input.multiplicity };
    const nuc = nucleotideLoss(encoding.nucleotides, sequences);
    return { total: unifrac.add(nuc.mul(nucPenalty)), parts: { ...parts, nuc_loss: nuc } };
  }

  #bounded(raw: torch.Tensor): torch.Tensor {
    if (this.kind === "clipped") return raw.clamp(0, 1);
    return this.kind === "sigmoid" ? raw.sigmoid() : raw;
  }

  /**
   * Predicts the pairs of whole batches of samples, in their order; samples that fill no batch are left out.
   */
  predict(samples: Int32Array): PairPredictions {
    const { dataset, metric, device, config } = this.#subject;
    const { tokenLimit, maxBp } = config.model;
    const builder = new BatchBuilder(dataset, { distance: metric, tokenLimit, maxBp });
    const size = this.#batchSize;
    const parts = { raw: [] as number[], predicted: [] as number[], actual: [] as number[] };
    const outside = new Array<number>(size).fill(0);
    const batches = Math.floor(samples.length / size);
    this.model.eval();
    for (let i = 0; i < batches; i++) {
      using _scope = torch.scope();
      const batch = builder.build(samples.subarray(i * size, (i + 1) * size), new Random(0));
      const raw = torch.inferenceMode(() =>
        this.model
          .forward(this.model.encoder.forward(batchTensors(batch, device).input).embeddings!)
          .to("cpu"),
      );
      const rows = raw.toFloat32Array();
      rows.forEach((value, place) => {
        if (value < 0 || value > 1) outside[place % size] += 1 / (batches * size);
      });
      parts.raw.push(...upperTriangle(rows, size));
      parts.predicted.push(...upperTriangle(this.#bounded(raw).toFloat32Array(), size));
      parts.actual.push(...upperTriangle(batch.distances!, size));
    }
    this.model.train();
    const [rawValues, predicted, actual] = [parts.raw, parts.predicted, parts.actual].map((values) =>
      Float32Array.from(values),
    );
    return { raw: rawValues, predicted, actual, outside };
  }
}
