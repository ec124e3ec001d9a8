import { UserError } from "../../common/userError.ts";
import type { BatchOptions } from "../../data/batches/batch.ts";
import { tokenCount } from "../../data/sequences/tokenizer.ts";
import { dependsOnCounts, endsAtOne } from "../../data/unifrac/metrics.ts";
import type { AsvEncoderOptions } from "../../models/asvEncoder.ts";
import type { CountEmbeddingMethod } from "../../models/embeddings/countEmbedding.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { DistanceForm, EuclideanForm, MetricForm } from "../../models/pairwiseDistances.ts";
import { type EncoderType, SequenceEncoder } from "../../models/sequenceEncoder.ts";
import { SequencePredictor } from "../../models/sequencePredictor.ts";
import type { SetDistanceOptions } from "../../models/setDistance.ts";
import { type FurtherMetric, SetEncoder } from "../../models/setEncoder.ts";
import type { SetPoolingKind } from "../../models/setPooling.ts";
import type { TransformerOptions } from "../../models/transformer.ts";
import { readWordKinds } from "../../models/words/wordKinds.ts";
import type {
  CategoriesConfig,
  ModelConfig,
  PretrainConfig,
  TargetConfig,
  TransformerName,
} from "./config.ts";

/** How batches are made for a model. */
export function batchOptionsOf(config: ModelConfig): BatchOptions {
  const { tokenLimit, maxBp, asvSampling } = config;
  return { tokenLimit, maxBp, asvSampling };
}

/** What decides on `auto`. */
type MetricAndModel = Pick<PretrainConfig, "unifracMetric" | "model"> & {
  readonly furtherMetrics?: readonly string[];
};

/** All metrics that an encoder learns, the first one's first. */
export function metricsOf({
  unifracMetric: metric,
  furtherMetrics = [],
}: Omit<MetricAndModel, "model">): string[] {
  return [metric, ...furtherMetrics];
}

/** One of the metrics. */
interface OneMetric {
  readonly unifracMetric: string;
  readonly model: ModelConfig;
}

/** What each metric asks of an ASV's counts; others ask for presence. */
const poolingOfMetric: Readonly<Record<string, SetPoolingKind>> = {
  weighted_normalized: "share",
  weighted_unnormalized: "share",
  generalized: "root",
};

/** The configured pooling, with `auto` decided: a set encoder compares what the metric compares. */
function chosenPooling({ unifracMetric: metric, model }: OneMetric): Exclude<ModelConfig["pooling"], "auto"> {
  if (model.pooling !== "auto") return model.pooling;
  return model.encoder === "aam" ? "attention" : (poolingOfMetric[metric] ?? "union");
}

/**
 * The configured form of distances, with `auto` decided. Of averages: distances that end at 1 are learned
 * best through a curve that does, too (debug/defaults.md), others have no such end.
 */
function chosenDistance(config: OneMetric): Exclude<ModelConfig["distanceForm"], "auto"> {
  const { unifracMetric: metric, model } = config;
  if (model.distanceForm !== "auto") return model.distanceForm;
  const pooling = chosenPooling(config);
  if (pooling === "attention") return endsAtOne(metric) ? "tanh" : "raw";
  return pooling === "union" ? "tanimoto" : "l1";
}

/**
 * The configured way of counts into the encoder, with `auto` decided: what depends on counts cannot be
 * learned without them, and film learns it best (simulated study, three seeds, 300 or 400 steps: R² 0.91 to
 * 0.93; add 0.85 to 0.91, concat 0.84 and 0.85; without counts 0.69).
 */
export function chosenCountEmbedding({
  unifracMetric: metric,
  model,
}: OneMetric): CountEmbeddingMethod | null {
  const { countEmbeddingMethod: countEmbedding } = model;
  if (countEmbedding === "none") return null;
  if (countEmbedding !== "auto") return countEmbedding;
  return dependsOnCounts(metric) ? "film" : null;
}

/**
 * Samples in training up to which long words help: with 20 and 60 of the oral and the gut study R² rose by
 * 0.01 to 0.04, with 200 by 0.00 to 0.01, and they double the time of a step.
 */
export const fewSamples = 200;
const usualLongWords = 10;

/**
 * Puts what `auto` means into a configuration, which is what a run records.
 * @throws UserError for an option that has nothing to do in such a model.
 */
export function decideAuto(config: MetricAndModel, trainSamples: number): void {
  const { model } = config;
  const metrics = metricsOf(config);
  const comparesWords =
    model.encoder === "set" &&
    model.codes !== "transformer" &&
    metrics.some((metric) => chosenPooling({ unifracMetric: metric, model }) === "union");
  if (typeof model.longWords === "number" && !comparesWords)
    throw new UserError(
      "--long-words is for set encoders with codes from words and metrics of presence; leave it out.",
    );
  if (model.longWords === "auto")
    model.longWords = comparesWords && trainSamples <= fewSamples ? usualLongWords : "none";
  config.model.countEmbeddingMethod = chosenCountEmbedding(config) ?? "none";
  // What several metrics need differs from one to the other.
  if (metrics.length > 1) return;
  config.model.distanceForm = chosenDistance(config);
  config.model.pooling = chosenPooling(config);
  config.model.codeDim ??= usualCodes(config.model.pooling);
}

/** How an encoder's embeddings become distances. */
export function distanceFormOf(config: MetricAndModel, encoder: Encoder): DistanceForm {
  return encoder.distance ?? euclideanFormOf(config);
}

/**
 * How an encoder's embeddings become distances: of each of its studies (`forms`), or of each of several
 * metrics.
 */
export function objectiveForms(
  config: MetricAndModel,
  encoder: Encoder,
): {
  readonly form: DistanceForm;
  readonly forms?: readonly DistanceForm[];
  readonly metrics?: readonly MetricForm[];
} {
  const form = distanceFormOf(config, encoder);
  if (!(encoder instanceof SetEncoder)) return { form, forms: [form] };
  const names = metricsOf(config);
  if (names.length === 1) return { form, forms: encoder.distances };
  const own = [...encoder.metricDistances];
  const metrics = names.map((metric) => ({ metric, form: metric === "faith_pd" ? null : own.shift()! }));
  return { form, metrics };
}

/** How a configuration's embeddings become distances, where they are not compared as sets. */
export function euclideanFormOf(config: OneMetric): EuclideanForm {
  return chosenDistance(config) === "tanh" ? { tanhScale: config.model.tanhScale } : "raw";
}

/** The settings of one of a model's transformers. */
export function transformerOf(config: ModelConfig, name: TransformerName): TransformerOptions {
  const own = { ...config, ...config.transformers[name] };
  return {
    dim: config.embeddingDim,
    layers: own.attentionLayers,
    heads: own.attentionHeads,
    dropout: own.dropout,
    activation: own.activation,
    gradientCheckpointing: config.gradientCheckpointing,
    feedForward: own.feedForwardDim,
  };
}

export interface EncoderChoice {
  readonly encoderType: EncoderType;
  readonly predictNucleotides: boolean;
  /** Values that the encoder itself predicts, where not as many as usual. */
  readonly baseOutputs?: number | null;
  /**
   * Names of the studies that share a set encoder's codes, each with a calibration;
   * absent where there is one.
   */
  readonly studies?: readonly string[];
}

/** The encoder of a configuration, with fresh weights from the default generator. */
export function buildEncoder(whole: MetricAndModel, choice: EncoderChoice): Encoder {
  return whole.model.encoder === "set" ? buildSetEncoder(whole, choice) : buildSequenceEncoder(whole, choice);
}

function asvOptions(config: ModelConfig, choice: EncoderChoice): AsvEncoderOptions {
  return {
    ...transformerOf(config, "asv"),
    vocabulary: config.vocabulary,
    maxBp: config.maxBp,
    basesPerToken: config.basesPerToken,
    predictNucleotides: choice.predictNucleotides,
    maskRatio: choice.predictNucleotides ? config.nucMaskRatio : 0,
    maskStrategy: config.nucMaskStrategy,
    chunkSize: config.asvChunkSize,
  };
}

function buildSetEncoder(whole: MetricAndModel, choice: EncoderChoice): SetEncoder {
  const config = whole.model;
  const [first, ...further] = metricsOf(whole)
    .map((metric) => learned({ unifracMetric: metric, model: config }))
    // Values are read from the codes of distances, where there are any.
    .sort((a, b) => Number(a.distance === null) - Number(b.distance === null));
  return new SetEncoder({
    source: config.codes,
    codes: first.codes,
    further,
    words: {
      kinds: readWordKinds(config.words),
      maxBp: config.maxBp,
      dim: config.wordDim,
      buckets: config.wordBuckets,
    },
    asv: asvOptions(config, choice),
    longWords: typeof config.longWords === "number" ? config.longWords : null,
    pooling: first.pooling,
    encoderType: choice.encoderType === "faith_pd" ? "faith_pd" : "unifrac",
    distance: first.distance,
    studies: choice.studies?.length,
  });
}

/** What a set encoder needs for a metric. */
function learned(one: OneMetric): FurtherMetric {
  const pooling = chosenPooling(one);
  if (pooling === "attention") throw new RangeError("The set encoder does not pool by attention.");
  const distance = one.unifracMetric === "faith_pd" ? null : setDistanceOf(one);
  return { pooling, codes: one.model.codeDim ?? usualCodes(pooling), distance };
}

/** An encoder as the original AAM has it. */
export function buildSequenceEncoder(whole: MetricAndModel, choice: EncoderChoice): SequenceEncoder {
  const config = whole.model;
  return new SequenceEncoder({
    asv: asvOptions(config, choice),
    sample: transformerOf(config, "sample"),
    encoder: transformerOf(config, "encoder"),
    tokenLimit: config.tokenLimit,
    countEmbedding: chosenCountEmbedding(whole),
    encoderType: choice.encoderType,
    outputs: choice.baseOutputs ?? (choice.encoderType === "faith_pd" ? 1 : null),
    pooling: chosenPooling(whole),
    distance: setDistanceOf(whole),
  });
}

/** Shares need fewer codes than presence, and comparing them costs more. */
function usualCodes(pooling: SetPoolingKind | "attention"): number {
  return pooling === "union" ? 512 : 256;
}

function setDistanceOf(config: OneMetric): SetDistanceOptions | null {
  const kind = chosenDistance(config);
  return kind === "tanimoto" || kind === "l1" ? { kind, normalized: endsAtOne(config.unifracMetric) } : null;
}

export interface PredictorChoice {
  readonly base: Encoder;
  readonly freezeBase: boolean;
  /** Targets, or classes. */
  readonly outputs: number;
  readonly classifier: boolean;
  /** How many quantiles of each target; null for one value. */
  readonly quantiles: number | null;
  /** Of each categorical column: categories and the unknown one; null without columns. */
  readonly cardinalities: Readonly<Record<string, number>> | null;
  /** ASVs of the training samples that have effects of their own, for blocks. */
  readonly knownAsvs?: number | null;
}

/**
 * What targets are predicted from, with `auto` decided: a set encoder's codes, unless
 * categories attend to single ASVs.
 */
export function chosenTargetPooling(
  model: ModelConfig,
  target: TargetConfig,
  categories: CategoriesConfig,
): Exclude<TargetConfig["pooling"], "auto"> {
  if (target.pooling !== "auto") return target.pooling;
  const attends = categories.fusion === "cross-attention" || categories.fusion === "perceiver";
  return model.encoder === "set" && !(attends && categories.columns.length > 0) ? "codes" : "attention";
}

let referencePredictor: typeof SequencePredictor | null = null;

/**
 * The predictor of `model.referenceForm`, which src/reference brings: this layer does
 * not know the original AAM.
 */
export function setReferencePredictor(predictor: typeof SequencePredictor): void {
  referencePredictor = predictor;
}

/** A predictor on top of an encoder. */
export function buildPredictor(
  model: ModelConfig,
  target: TargetConfig,
  categories: CategoriesConfig,
  choice: PredictorChoice,
): SequencePredictor {
  const { outputs, classifier, quantiles, cardinalities } = choice;
  if (model.referenceForm && !referencePredictor)
    throw new Error("internal: src/reference/predictor.ts is not loaded, which has the form of this model");
  const Predictor = model.referenceForm ? referencePredictor! : SequencePredictor;
  return new Predictor({
    base: choice.base,
    freezeBase: choice.freezeBase,
    count: target.countPrediction ? transformerOf(model, "count") : null,
    countActivation: target.countForm === "raw" ? "none" : "sigmoid",
    target: transformerOf(model, "target"),
    sumFeatures: target.pooling === "sum" || target.pooling === "blocks" ? target.sumFeatures : null,
    knownAsvs:
      target.pooling === "blocks" ? { asvs: choice.knownAsvs ?? 0, tokens: tokenCount(model.maxBp) } : null,
    fromCodes: chosenTargetPooling(model, target, categories) === "codes",
    targetNorm: target.layerNorm,
    hidden: target.regressorHiddenDims,
    headDropout: target.regressorDropout,
    residualHead: target.residualRegressionHead,
    outputs,
    classifier,
    bounded: target.boundedTargets,
    activation: target.outputActivation,
    learnedScale: target.learnableOutputScale,
    quantiles,
    scaledColumns: categories.conditionalOutputScaling,
    categories: cardinalities && {
      cardinalities,
      columnDim: categories.embedDim,
      fusion: categories.fusion,
      dropout: categories.dropout,
      heads: categories.crossAttnHeads,
      latents: categories.perceiverNumLatents,
      layers: categories.perceiverNumLayers,
    },
  });
}
