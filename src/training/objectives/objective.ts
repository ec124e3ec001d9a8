import type { BatchOptions } from "../../data/batches/batch.ts";
import type { EncoderType, SequenceEncoding } from "../../models/sequenceEncoder.ts";
import type * as torch from "../../torch/index.ts";
import type { BatchTargets } from "./batchTensors.ts";
import type { PairEvaluation } from "./pairEvaluation.ts";

/** What of an encoding a metric is predicted from. */
export type Outputs = Pick<SequenceEncoding, "embeddings" | "basePrediction">;

/**
 * What the encoder itself learns to predict from a tree: distances between samples,
 * or a value of each sample.
 */
export interface BaseObjective {
  /** `unweighted`, `faith_pd`, ... */
  readonly metric: string;
  readonly encoderType: EncoderType;
  /** What batches must bring along. */
  readonly needs: Pick<BatchOptions, "distance" | "vector">;
  /** What predictions are made of: [B, D] embeddings, or [B, 1] values. */
  output(encoding: Outputs): torch.Tensor;
  loss(encoding: Outputs, targets: BatchTargets): torch.Tensor;
  /** Judges outputs [N, ...] of samples, on the CPU. */
  evaluate(outputs: torch.Tensor, samples: Int32Array): PairEvaluation;
}
