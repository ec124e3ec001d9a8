import type { BatchOptions } from "../data/batch.ts";
import { type EncoderType, SequenceEncoder } from "../models/sequenceEncoder.ts";
import { SequencePredictor } from "../models/sequencePredictor.ts";
import type { TransformerOptions } from "../models/transformer.ts";
import type { CategoriesConfig, ModelConfig, TargetConfig } from "./config.ts";
import type { DistanceForm } from "./pairwiseDistances.ts";

/** How batches are made for a model. */
export function batchOptionsOf(config: ModelConfig): BatchOptions {
  const { tokenLimit, maxBases, asvSampling } = config;
  return { tokenLimit, maxBases, asvSampling };
}

export function distanceFormOf({ distance, tanhScale }: ModelConfig): DistanceForm {
  return distance === "tanh" ? { tanhScale } : "raw";
}

function transformerOf(config: ModelConfig): TransformerOptions {
  const {
    embeddingDim: dim,
    layers,
    heads,
    dropout,
    activation,
    feedForwardDim,
    gradientCheckpointing,
  } = config;
  return { dim, layers, heads, dropout, activation, feedForward: feedForwardDim, gradientCheckpointing };
}

export interface EncoderChoice {
  encoderType: EncoderType;
  predictNucleotides: boolean;
}

/** The encoder of a configuration, with fresh weights from the default generator. */
export function buildEncoder(config: ModelConfig, choice: EncoderChoice): SequenceEncoder {
  const transformer = transformerOf(config);
  return new SequenceEncoder({
    asv: {
      ...transformer,
      maxBases: config.maxBases,
      predictNucleotides: choice.predictNucleotides,
      maskRatio: choice.predictNucleotides ? config.maskRatio : 0,
      maskStrategy: config.maskStrategy,
      chunkSize: config.asvChunkSize,
    },
    sample: transformer,
    encoder: transformer,
    tokenLimit: config.tokenLimit,
    countEmbedding: config.countEmbedding === "none" ? null : config.countEmbedding,
    encoderType: choice.encoderType,
    outputs: choice.encoderType === "faith_pd" ? 1 : null,
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

/** A predictor on top of an encoder. Its count head predicts log-counts scaled to 0 ... 1. */
export function buildPredictor(
  model: ModelConfig,
  target: TargetConfig,
  categories: CategoriesConfig,
  choice: PredictorChoice,
): SequencePredictor {
  const transformer = transformerOf(model);
  const { outputs, classifier, quantiles, cardinalities } = choice;
  return new SequencePredictor({
    base: choice.base,
    freezeBase: choice.freezeBase,
    count: target.countPrediction ? transformer : null,
    target: transformer,
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
