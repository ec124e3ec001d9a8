import type { Dataset } from "../../data/dataset/dataset.ts";
import type { CategoricalEncoderState } from "../../data/encoding/categories.ts";
import type { Scaling } from "../../data/encoding/scaling.ts";
import { sketchWords } from "../../data/sequences/wordSketch.ts";
import { hashIds } from "../../data/split/idHashes.ts";
import type { EncoderType } from "../../models/sequenceEncoder.ts";
import type { FineTuneConfig, PretrainConfig } from "../config/config.ts";
import type { TargetsState } from "../targets/targets.ts";

/** What the data of a run were like: what a table to predict must be like. */
export interface DataFacts {
  /** Counts of each sample; "none" where they are as they were. */
  readonly rarefyDepth: number | "none";
  readonly rarefySeed: number;
  /** Bases of the shortest and the longest ASV. */
  readonly shortestAsv: number;
  readonly longestAsv: number;
  readonly samples: number;
  readonly asvs: number;
  /** Sketch of the words that the ASVs have in the part that the model reads; absent in runs of before. */
  readonly words?: string;
  /** Hashes of the ids of the training samples, see `trainedOn`; absent in runs of before. */
  readonly trainedIds?: string;
}

interface CommonFacts {
  readonly data: DataFacts;
  readonly encoderType: EncoderType;
  readonly predictNucleotides: boolean;
  /** Of a converted encoder; see `EncoderChoice`. */
  readonly baseOutputs?: number | null;
  readonly baseScaling: Scaling | null;
  /** Names of the studies that the encoder was pretrained on together; absent where it was one. */
  readonly studies?: readonly string[];
  readonly split: { readonly name: string; readonly train: number; readonly validation: number };
}

export interface PretrainFacts extends CommonFacts {
  readonly kind: "pretrain";
  readonly config: PretrainConfig;
}

export interface FineTuneFacts extends CommonFacts {
  readonly kind: "fine-tune";
  readonly config: FineTuneConfig;
  readonly targets: TargetsState;
  readonly categories: CategoricalEncoderState | null;
  readonly largestCount: number;
  /** ASVs that have effects of their own, for `--target-pooling blocks`; absent without. */
  readonly knownAsvs?: number;
}

/** Everything besides the weights that a use of a trained model needs; plain JSON in every checkpoint. */
export type RunFacts = PretrainFacts | FineTuneFacts;

/** What a model that reads the first `maxBp` of each ASV must know later of the data it was trained on. */
export function dataFactsOf(dataset: Dataset, train: Int32Array, maxBp: number): DataFacts {
  const { parameters, counts } = dataset.manifest;
  let shortest = Number.POSITIVE_INFINITY;
  for (const bases of asvBases(dataset)) shortest = Math.min(shortest, bases.length);
  const depth = parameters["rarefyDepth"];
  return {
    rarefyDepth: typeof depth === "number" ? depth : "none",
    rarefySeed: typeof parameters["seed"] === "number" ? parameters["seed"] : 0,
    shortestAsv: shortest,
    longestAsv: counts.longestAsv - 1,
    samples: counts.samples,
    asvs: counts.asvs,
    words: sketchWords(asvBases(dataset, maxBp)),
    trainedIds: hashIds(Array.from(train, (sample) => dataset.sampleIds[sample])),
  };
}

/** The tokens of the bases of each ASV, or of those in `rows`, at most the first `maxBp`. */
export function* asvBases(
  dataset: Dataset,
  maxBp = Number.POSITIVE_INFINITY,
  rows: Iterable<number> = Array(dataset.asvCount).keys(),
): Generator<Uint8Array> {
  for (const row of rows) yield dataset.asvTokens(row).subarray(1, maxBp + 1);
}
