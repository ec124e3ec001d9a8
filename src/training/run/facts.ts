import type { Dataset } from "../../data/dataset/dataset.ts";
import type { CategoricalEncoderState } from "../../data/encoding/categories.ts";
import type { Scaling } from "../../data/encoding/scaling.ts";
import type { EncoderType } from "../../models/sequenceEncoder.ts";
import type { FineTuneConfig, PretrainConfig } from "../config/config.ts";
import type { TargetsState } from "../targets/targets.ts";

/** What the data of a run were like: what a table to predict must be like. */
export interface DataFacts {
  /** Counts of each sample; "none" where they are as they were. */
  rarefyDepth: number | "none";
  rarefySeed: number;
  /** Bases of the shortest and the longest ASV. */
  shortestAsv: number;
  longestAsv: number;
  samples: number;
  asvs: number;
}

interface CommonFacts {
  data: DataFacts;
  encoderType: EncoderType;
  predictNucleotides: boolean;
  /** Of a converted encoder; see `EncoderChoice`. */
  baseOutputs?: number | null;
  baseScaling: Scaling | null;
  /** Names of the studies that the encoder was pretrained on together; absent where it was one. */
  studies?: readonly string[];
  split: { name: string; train: number; validation: number };
}

export interface PretrainFacts extends CommonFacts {
  kind: "pretrain";
  config: PretrainConfig;
}

export interface FineTuneFacts extends CommonFacts {
  kind: "fine-tune";
  config: FineTuneConfig;
  targets: TargetsState;
  categories: CategoricalEncoderState | null;
  largestCount: number;
}

/** Everything besides the weights that a use of a trained model needs; plain JSON in every checkpoint. */
export type RunFacts = PretrainFacts | FineTuneFacts;

export function dataFactsOf(dataset: Dataset): DataFacts {
  const { parameters, counts } = dataset.manifest;
  let shortest = Number.POSITIVE_INFINITY;
  for (let row = 0; row < dataset.asvCount; row++)
    shortest = Math.min(shortest, dataset.asvTokens(row).length - 1);
  const depth = parameters["rarefyDepth"];
  return {
    rarefyDepth: typeof depth === "number" ? depth : "none",
    rarefySeed: typeof parameters["seed"] === "number" ? parameters["seed"] : 0,
    shortestAsv: shortest,
    longestAsv: counts.longestAsv - 1,
    samples: counts.samples,
    asvs: counts.asvs,
  };
}
