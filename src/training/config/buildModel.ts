import type { BatchOptions } from "../../data/batches/batch.ts";
import { dependsOnCounts, endsAtOne } from "../../data/unifrac/metrics.ts";
import type { CountEmbeddingMethod } from "../../models/countEmbedding.ts";
import type { DistanceForm } from "../../models/pairwiseDistances.ts";
import { type EncoderType, SequenceEncoder } from "../../models/sequenceEncoder.ts";
import { SequencePredictor } from "../../models/sequencePredictor.ts";
import type { TransformerOptions } from "../../models/transformer.ts";
import type {
  CategoriesConfig,
  ModelConfig,
  PretrainConfig,
  TargetConfig,
  TransformerName,
} from "./config.ts";

/** How batches are made for a model. */
export function batchOptionsOf(config: ModelConfig): BatchOptions {
  const { tokenLimit, maxBases, asvSampling } = config;
  return { tokenLimit, maxBases, asvSampling };
}

/** What decides on `auto`. */
type MetricAndModel = Pick<PretrainConfig, "metric" | "model">;

/**
 * The configured form of distances, with `auto` decided: distances that end at 1 are learned best through a curve that does, too
 * (debug/defaults.md), others have no such end.
 */
function chosenDistance({ metric, model }: MetricAndModel): "raw" | "tanh" {
  if (model.distance !== "auto") return model.distance;
  return endsAtOne(metric) ? "tanh" : "raw";
}

/**
 * The configured way of counts into the encoder, with `auto` decided: what depends on counts cannot be
 * learned without them, and film learns it best (simulated study, three seeds, 300 or 400 steps: R² 0.91 to 0.93; add 0.85 to 0.91,
 * concat 0.84 and 0.85; without counts 0.69).
 */
export function chosenCountEmbedding({ metric, model }: MetricAndModel): CountEmbeddingMethod | null {
  const { countEmbedding } = model;
  if (countEmbedding === "none") return null;
  if (countEmbedding !== "auto") return countEmbedding;
  return dependsOnCounts(metric) ? "film" : null;
}

/** Puts what `auto` means into a configuration, which is what a run records. */
export function decideAuto(config: MetricAndModel): void {
  config.model.distance = chosenDistance(config);
  config.model.countEmbedding = chosenCountEmbedding(config) ?? "none";
}

/** How a configuration's distances are made from embeddings. */
export function distanceFormOf(config: MetricAndModel): DistanceForm {
  return chosenDistance(config) === "tanh" ? { tanhScale: config.model.tanhScale } : "raw";
}

/** The settings of one of a model's transformers. */
export function transformerOf(config: ModelConfig, name: TransformerName): TransformerOptions {
  const { embeddingDim: dim, layers, heads, dropout, activation, gradientCheckpointing } = config;
  const { feedForwardDim = config.feedForwardDim, ...own } = config.transformers[name] ?? {};
  return {
    dim,
    layers,
    heads,
    dropout,
    activation,
    gradientCheckpointing,
    ...own,
    feedForward: feedForwardDim,
  };
}

export interface EncoderChoice {
  encoderType: EncoderType;
  predictNucleotides: boolean;
  /** Values that the encoder itself predicts, where not as many as usual. */
  baseOutputs?: number | null;
}

/** The encoder of a configuration, with fresh weights from the default generator. */
export function buildEncoder(whole: MetricAndModel, choice: EncoderChoice): SequenceEncoder {
  const config = whole.model;
  return new SequenceEncoder({
    asv: {
      ...transformerOf(config, "asv"),
      vocabulary: config.vocabulary,
      maxBases: config.maxBases,
      predictNucleotides: choice.predictNucleotides,
      maskRatio: choice.predictNucleotides ? config.maskRatio : 0,
      maskStrategy: config.maskStrategy,
      chunkSize: config.asvChunkSize,
    },
    sample: transformerOf(config, "sample"),
    encoder: transformerOf(config, "encoder"),
    tokenLimit: config.tokenLimit,
    countEmbedding: chosenCountEmbedding(whole),
    encoderType: choice.encoderType,
    outputs: choice.baseOutputs ?? (choice.encoderType === "faith_pd" ? 1 : null),
  });
}

export interface PredictorChoice {
  base: SequenceEncoder;
  freezeBase: boolean;
  /** Targets, or classes. */
  outputs: number;
  classifier: boolean;
  /** How many quantiles of each target; null for one value. */
  quantiles: number | null;
  /** Of each categorical column: categories and the unknown one; null without columns. */
  cardinalities: Readonly<Record<string, number>> | null;
}

/** A predictor on top of an encoder. */
export function buildPredictor(
  model: ModelConfig,
  target: TargetConfig,
  categories: CategoriesConfig,
  choice: PredictorChoice,
): SequencePredictor {
  const { outputs, classifier, quantiles, cardinalities } = choice;
  return new SequencePredictor({
    base: choice.base,
    freezeBase: choice.freezeBase,
    count: target.countPrediction ? transformerOf(model, "count") : null,
    countActivation: target.countForm === "raw" ? "none" : "sigmoid",
    referenceForm: model.referenceForm,
    target: transformerOf(model, "target"),
    sumFeatures: target.pooling === "sum" ? target.sumFeatures : null,
    targetNorm: target.layerNorm,
    hidden: target.hiddenDims,
    headDropout: target.headDropout,
    residualHead: target.residualHead,
    outputs,
    classifier,
    bounded: target.bounded,
    activation: target.activation,
    learnedScale: target.learnableScale,
    quantiles,
    scaledColumns: categories.scaledColumns,
    categories: cardinalities && {
      cardinalities,
      columnDim: categories.embedDim,
      fusion: categories.fusion,
      dropout: categories.dropout,
      heads: categories.heads,
      latents: categories.latents,
      layers: categories.perceiverLayers,
    },
  });
}
