import { UserError } from "../../common/userError.ts";
import { referenceTanhScale } from "../../models/pairwiseDistances.ts";
import type { SequenceEncoderOptions } from "../../models/sequenceEncoder.ts";
import type { SequencePredictorOptions } from "../../models/sequencePredictor.ts";
import type { TransformerOptions } from "../../models/transformer.ts";
import type * as torch from "../../torch/index.ts";
import { fineTuneSchema, type ModelConfig, pretrainSchema } from "../../training/config/config.ts";
import type { FineTuneFacts, PretrainFacts, RunFacts } from "../../training/run/facts.ts";
import { sequenceEncoderOptions, sequencePredictorOptions } from "../config.ts";
import { type InferredModel, inferModel } from "../state.ts";
import type { ReferenceFile } from "./referenceFile.ts";

export interface ToRunOptions {
  /** Constructor arguments of the reference that its checkpoint does not tell. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Attention heads, which leave no trace in weights. */
  readonly heads?: number;
  /** Instead of the exact GELU its tanh form, say. */
  readonly activation?: "gelu" | "gelu_tanh" | "relu";
  /** Names of the targets, or of the classes. */
  readonly targets?: readonly string[];
  readonly classes?: readonly string[];
}

export interface ConvertedRun {
  readonly facts: RunFacts & { readonly reference: Readonly<Record<string, unknown>> };
  readonly state: ReadonlyMap<string, torch.Tensor>;
  /** What had to be supposed or could not be taken over, each a sentence. */
  readonly notes: readonly string[];
}

/** The reference's usual number of heads. */
const usualHeads = 4;
const prefixes = ["asv_", "sample_", "encoder_", "count_", "target_"];
/** Entries of a checkpoint's config that are no constructor arguments. */
const otherEntries = [
  "attention_heads",
  "attention_layers",
  "log_transform_targets",
  "categorical_encoder",
  "category_normalizer",
];

/** Makes a checkpoint of the original AAM one of this program. @throws UserError for what does not fit. */
export function referenceToRun(file: ReferenceFile, options: ToRunOptions = {}): ConvertedRun {
  const inferred = inferModel(file.state);
  const notes: string[] = [];
  const given = { ...file.config, ...options.config };
  const config = { ...inferred.config, ...headsOf(inferred, given, options, notes), ...argumentsOf(given) };
  if (options.activation) for (const prefix of prefixes) config[`${prefix}activation`] = options.activation;
  if (inferred.module === "SequenceEncoder") {
    for (const name of Object.keys(config)) {
      if (name.startsWith("count_num") || name.startsWith("target_")) delete config[name];
    }
    delete config["count_activation"];
    refuseNames(options, "encoder", ["targets", "classes"]);
    const encoder = sequenceEncoderOptions(config, "the checkpoint's config");
    return { facts: { ...pretrainFacts(encoder), reference: file.facts }, state: file.state, notes };
  }
  const predictor = sequencePredictorOptions(config, "the checkpoint's config");
  const facts = fineTuneFacts(predictor, given, options, notes);
  return { facts: { ...facts, reference: file.facts }, state: file.state, notes };
}

/** Names that the model has no use for. @throws UserError */
function refuseNames(
  options: ToRunOptions,
  what: "encoder" | "model",
  names: readonly ("targets" | "classes")[],
): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  const reason =
    what === "encoder"
      ? "the checkpoint is an encoder, which predicts no metadata"
      : "the model predicts numbers";
  throw new UserError(`--${given} has no effect: ${reason}; leave it out.`);
}

function argumentsOf(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !otherEntries.includes(name)));
}

function headsOf(
  { config }: InferredModel,
  given: Readonly<Record<string, unknown>>,
  options: ToRunOptions,
  notes: string[],
): Record<string, unknown> {
  const told = options.heads ?? given["attention_heads"];
  const own = prefixes.filter((prefix) => `${prefix}num_heads` in given);
  if (told === undefined && own.length === 0) {
    notes.push(
      `The file does not tell the number of attention heads; ${usualHeads} are supposed. Give --heads if it is another one.`,
    );
  }
  const heads = Number(told ?? given[`${own[0]}num_heads`] ?? usualHeads);
  const dim = config["embedding_dim"] as number;
  if (!(Number.isInteger(heads) && heads >= 1 && dim % heads === 0)) {
    throw new UserError(
      `${heads} attention heads do not divide the embeddings of ${dim} values; give --heads.`,
    );
  }
  return Object.fromEntries(prefixes.map((prefix) => [`${prefix}num_heads`, heads]));
}

/** The seed state of the reference: no mask token, raw distances, a linear count head. */
function isSeed({ asv }: SequenceEncoderOptions): boolean {
  return asv.vocabulary === 6;
}

function ownSettings({
  layers: attentionLayers,
  heads: attentionHeads,
  feedForward,
  dropout = 0.1,
  activation = "gelu",
}: TransformerOptions) {
  return { attentionLayers, attentionHeads, feedForwardDim: feedForward ?? undefined, dropout, activation };
}

function modelConfig(
  encoder: SequenceEncoderOptions,
  others: Readonly<Partial<Record<"count" | "target", TransformerOptions>>>,
): Partial<ModelConfig> {
  const { asv } = encoder;
  const parts = { sample: encoder.sample, encoder: encoder.encoder, ...others };
  const common = ownSettings(asv);
  const different = Object.entries(parts).filter(
    ([, part]) => JSON.stringify(ownSettings(part)) !== JSON.stringify(common),
  );
  // A size that is left out would be that of the ASVs' transformer.
  const ownOf = (part: TransformerOptions) => ({
    ...ownSettings(part),
    feedForwardDim: part.feedForward ?? 4 * part.dim,
  });
  const seed = isSeed(encoder);
  return {
    ...common,
    embeddingDim: asv.dim,
    transformers: Object.fromEntries(different.map(([name, part]) => [name, ownOf(part)])),
    vocabulary: asv.vocabulary,
    maxBp: asv.maxBp,
    tokenLimit: encoder.tokenLimit,
    countEmbeddingMethod: encoder.countEmbedding ?? "none",
    nucMaskRatio: seed ? 0 : asv.maskRatio || 0.15,
    nucMaskStrategy: asv.maskStrategy,
    distanceForm: seed ? "raw" : "tanh",
    tanhScale: referenceTanhScale,
  };
}

function commonFacts(encoder: SequenceEncoderOptions) {
  const maxBp = encoder.asv.maxBp ?? 150;
  return {
    data: {
      rarefyDepth: "none" as const,
      rarefySeed: 0,
      shortestAsv: 0,
      longestAsv: maxBp,
      samples: 0,
      asvs: 0,
    },
    encoderType: encoder.encoderType ?? "unifrac",
    predictNucleotides: encoder.asv.predictNucleotides ?? false,
    baseOutputs: encoder.outputs ?? null,
    baseScaling: null,
    split: { name: "that of the original AAM", train: 0, validation: 0 },
  };
}

function metricOf(encoder: SequenceEncoderOptions): "faith_pd" | "unweighted" {
  return encoder.encoderType === "faith_pd" ? "faith_pd" : "unweighted";
}

function pretrainFacts(encoder: SequenceEncoderOptions): PretrainFacts {
  const config = pretrainSchema.parse({ unifracMetric: metricOf(encoder), model: modelConfig(encoder, {}) });
  return { kind: "pretrain", config, ...commonFacts(encoder) };
}

function fineTuneFacts(
  options: SequencePredictorOptions,
  given: Readonly<Record<string, unknown>>,
  naming: ToRunOptions,
  notes: string[],
): FineTuneFacts {
  const encoder = options.base as SequenceEncoderOptions;
  const { outputs = 1, classifier = false, categories, quantiles } = options;
  if (!classifier) refuseNames(naming, "model", ["classes"]);
  const names = classifier ? naming.classes : naming.targets;
  if (names && names.length !== outputs) {
    throw new UserError(
      `The model has ${outputs} ${classifier ? "classes" : "targets"}, but ${names.length} names are given: ${names.join(", ")}.`,
    );
  }
  if (classifier && naming.targets && naming.targets.length !== 1) {
    throw new UserError(
      `The model predicts the classes of one column, but --targets names ${naming.targets.length}: ${naming.targets.join(", ")}.`,
    );
  }
  const targets = naming.targets ?? targetNames(classifier ? 1 : outputs);
  const levels = quantiles ? Array.from({ length: quantiles }, (_, i) => (i + 1) / (quantiles + 1)) : null;
  if (levels)
    notes.push(`The levels of its ${levels.length} quantiles are unknown; they are taken as evenly spaced.`);
  if (!classifier) {
    notes.push(
      "Predictions are in the units that the model was trained on: the file does not tell how to bring them back.",
    );
  }
  const { count, target } = options;
  const config = fineTuneSchema.parse({
    unifracMetric: metricOf(encoder),
    model: { ...modelConfig(encoder, { ...(count ? { count } : {}), target }), referenceForm: true },
    target: {
      metadataColumn: targets,
      classifier,
      transform: "none",
      ...(levels ? { lossType: "quantile", quantiles: levels } : {}),
      layerNorm: options.targetNorm,
      boundedTargets: options.bounded,
      learnableOutputScale: options.learnedScale,
      outputActivation: options.activation,
      regressorHiddenDims: options.hidden ?? [],
      regressorDropout: options.headDropout,
      residualRegressionHead: options.residualHead,
      countPrediction: count !== null,
      countForm: isSeed(encoder) ? "raw" : "scaled",
    },
    categorical: categories
      ? {
          columns: Object.keys(categories.cardinalities),
          embedDim: categories.columnDim,
          fusion: categories.fusion,
          dropout: categories.dropout,
          crossAttnHeads: categories.heads,
          perceiverNumLatents: categories.latents,
          perceiverNumLayers: categories.layers,
          conditionalOutputScaling: options.scaledColumns ?? [],
        }
      : {},
    freezeBase: options.freezeBase,
  });
  return {
    kind: "fine-tune",
    config,
    ...commonFacts(encoder),
    targets: classifier
      ? { kind: "classes", column: targets[0], classes: [...(names ?? targetNumbers(outputs))] }
      : {
          kind: "numbers",
          columns: targets.map((name) => ({
            name,
            transform: { name: "none", scaling: { shift: 0, scale: 1 } },
          })),
          quantiles: levels,
          normalizeBy: [],
        },
    categories: categories ? categoryNames(categories.cardinalities, given, notes) : null,
    largestCount: 1,
  };
}

function targetNames(count: number): string[] {
  return count === 1 ? ["target"] : Array.from({ length: count }, (_, i) => `target_${i}`);
}

function targetNumbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** The texts of each column's categories in the order of their numbers, from the file where it has them. */
function categoryNames(
  cardinalities: Readonly<Record<string, number>>,
  given: Readonly<Record<string, unknown>>,
  notes: string[],
): { name: string; categories: string[] }[] {
  const encoder = given["categorical_encoder"] as
    | { mappings?: Record<string, Record<string, number>> }
    | undefined;
  if (!encoder?.mappings) {
    notes.push("The file does not tell its categories' names; they are called 1, 2, ...");
  }
  return Object.entries(cardinalities).map(([name, cardinality]) => {
    const numbers = encoder?.mappings?.[name];
    const named = numbers && Object.keys(numbers).sort((a, b) => numbers[a] - numbers[b]);
    const categories = named?.length === cardinality - 1 ? named : targetNumbers(cardinality).slice(1);
    return { name, categories };
  });
}
