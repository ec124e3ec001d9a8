import type { Dataset } from "../../src/data/dataset/dataset.ts";
import type { SequenceEncoder } from "../../src/models/sequenceEncoder.ts";
import type * as torch from "../../src/torch/index.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";

/** What is investigated: data, and a model that was trained on them or is fresh. */
export interface Subject {
  readonly dataset: Dataset;
  /** Name of the distances. */
  readonly metric: string;
  readonly config: PretrainConfig;
  readonly model: SequenceEncoder;
  /** False for fresh weights. */
  readonly trained: boolean;
  /** Validation R² after each epoch of the run; empty where there was none. */
  readonly learningCurve: readonly { readonly step: number; readonly r2: number }[];
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly device: torch.Device;
  readonly seed: number;
  /** What this is, for the report; without paths. */
  readonly description: string;
}
