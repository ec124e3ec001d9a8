import { UserError } from "../common/userError.ts";
import type { AsvEncoderOptions } from "../models/asvEncoder.ts";
import type { CountEmbeddingMethod } from "../models/embeddings/countEmbedding.ts";
import { type Fusion, fusions } from "../models/fusion.ts";
import type { MaskStrategy } from "../models/masking.ts";
import type { SampleEncoderOptions } from "../models/sampleSequenceEncoder.ts";
import type { EncoderType, SequenceEncoderOptions } from "../models/sequenceEncoder.ts";
import type { SequencePredictorOptions } from "../models/sequencePredictor.ts";
import { type OutputActivation, outputActivations } from "../models/targetOutput.ts";
import type { TransformerOptions } from "../models/transformer.ts";
import type { Activation } from "../torch/nn/index.ts";

/** Constructor arguments of a class of the reference, under its names. */
export type ReferenceConfig = Readonly<Record<string, unknown>>;

/**
 * Reads the arguments one by one, with the reference's defaults where they are absent, and knows in the
 * end which nobody asked for.
 * @throws UserError for a value of the wrong kind.
 */
export class ConfigReader {
  readonly #config: ReferenceConfig;
  readonly #place: string;
  readonly #asked = new Set<string>();

  /** `place` names the config in messages. */
  constructor(config: ReferenceConfig, place: string) {
    this.#config = config;
    this.#place = place;
  }

  number(name: string, fallback: number): number {
    return this.#read(name, fallback, "a number", (value) => typeof value === "number");
  }

  optionalNumber(name: string): number | null {
    return this.#read<number | null>(name, null, "a number or null", (value) => typeof value === "number");
  }

  boolean(name: string, fallback: boolean): boolean {
    return this.#read(name, fallback, "true or false", (value) => typeof value === "boolean");
  }

  text<T extends string>(name: string, fallback: T, choices: readonly T[]): T {
    return this.#read(name, fallback, `one of ${choices.join(", ")}`, (value) =>
      choices.includes(value as T),
    );
  }

  /** Like `text`, but it may be null and is not used. */
  choice(name: string, choices: readonly string[]): void {
    const fits = (value: unknown) => choices.includes(value as string);
    this.#read<string | null>(name, null, `one of ${choices.join(", ")}`, fits);
  }

  list(name: string, kind: "number" | "string"): (number | string)[] | null {
    const fits = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === kind);
    return this.#read<(number | string)[] | null>(name, null, `a list of ${kind}s`, fits);
  }

  record(name: string, kind: "number" | "string"): Record<string, number | string> | null {
    const fits = (value: unknown) =>
      typeof value === "object" &&
      value !== null &&
      Object.values(value).every((item) => typeof item === kind);
    return this.#read<Record<string, number | string> | null>(name, null, `an object of ${kind}s`, fits);
  }

  /** The arguments of a part that is given as an object of its own; null if it is absent or null. */
  part(name: string): ConfigReader | null {
    const fits = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
    const config = this.#read<ReferenceConfig | null>(name, null, "an object of arguments or null", fits);
    return config && new ConfigReader(config, `${this.#place}, ${name}`);
  }

  /** @throws UserError if the config has a name that was not read. */
  finish(): void {
    const unknown = Object.keys(this.#config).filter((name) => !this.#asked.has(name));
    if (unknown.length > 0) {
      throw new UserError(
        `${this.#place} has unknown settings: ${unknown.join(", ")}; expected only ${[...this.#asked].sort().join(", ")}.`,
      );
    }
  }

  #read<T>(name: string, fallback: T, expected: string, fits: (value: unknown) => boolean): T {
    this.#asked.add(name);
    const value = this.#config[name];
    if (value === undefined || (value === null && fallback === null)) return fallback;
    if (!fits(value)) {
      throw new UserError(`${this.#place}: ${name} is ${JSON.stringify(value)}, expected ${expected}.`);
    }
    return value as T;
  }
}

const activations = ["gelu", "gelu_tanh", "relu"] as const;
/** The reference's choice of CUDA kernels: all give the same numbers, and LibTorch chooses by itself. */
const attentionKernels = ["sdpa", "flash", "mem_efficient", "math"] as const;

/** Settings of one transformer, which the reference prefixes (`asv_num_layers`). */
export function readTransformer(reader: ConfigReader, prefix: string, dim: number): TransformerOptions {
  return {
    dim,
    layers: reader.number(`${prefix}num_layers`, 2),
    heads: reader.number(`${prefix}num_heads`, 4),
    feedForward: reader.optionalNumber(`${prefix}intermediate_size`),
    dropout: reader.number(`${prefix}dropout`, 0.1),
    activation: reader.text<Activation>(`${prefix}activation`, "gelu", activations),
    gradientCheckpointing: reader.boolean("gradient_checkpointing", false),
  };
}

function readAsvEncoder(reader: ConfigReader, prefix: string): AsvEncoderOptions {
  reader.choice("attn_implementation", attentionKernels);
  return {
    ...readTransformer(reader, prefix, reader.number("embedding_dim", 128)),
    vocabulary: reader.number("vocab_size", 7),
    maxBp: reader.number("max_bp", 150),
    predictNucleotides: reader.boolean("predict_nucleotides", false),
    chunkSize: reader.optionalNumber("asv_chunk_size"),
    maskRatio: reader.number("mask_ratio", 0),
    maskStrategy: reader.text<MaskStrategy>("mask_strategy", "random", ["random", "span"]),
  };
}

export function readSampleEncoder(reader: ConfigReader): SampleEncoderOptions {
  const asv = readAsvEncoder(reader, "asv_");
  const enabled = reader.boolean("count_embedding", false);
  const method = reader.text<CountEmbeddingMethod>("count_embedding_method", "add", [
    "add",
    "concat",
    "film",
  ]);
  return {
    asv,
    sample: readTransformer(reader, "sample_", asv.dim),
    tokenLimit: reader.number("token_limit", 1024),
    countEmbedding: enabled ? method : null,
  };
}

export function readSequenceEncoder(reader: ConfigReader): SequenceEncoderOptions {
  const sample = readSampleEncoder(reader);
  const types: readonly EncoderType[] = ["unifrac", "faith_pd", "taxonomy", "combined"];
  return {
    ...sample,
    encoder: readTransformer(reader, "encoder_", sample.asv.dim),
    encoderType: reader.text<EncoderType>("encoder_type", "unifrac", types),
    outputs: reader.optionalNumber("base_output_dim"),
  };
}

/** The target head and what follows it, but for scaling by category. */
export function readTargetHead(reader: ConfigReader) {
  return {
    targetNorm: reader.boolean("target_layer_norm", true),
    hidden: reader.list("regressor_hidden_dims", "number") as number[] | null,
    headDropout: reader.number("regressor_dropout", 0),
    residualHead: reader.boolean("residual_regression_head", false),
    outputs: reader.number("out_dim", 1),
    classifier: reader.boolean("is_classifier", false),
    bounded: reader.boolean("bounded_targets", false),
    activation: reader.text<OutputActivation>("output_activation", "none", outputActivations),
    learnedScale: reader.boolean("learnable_output_scale", false),
    quantiles: reader.optionalNumber("num_quantiles"),
  };
}

/**
 * The encoder of a predictor: `base_model`, the arguments of an encoder that was made before, or the
 * predictor's own. Where the first is given the reference takes the others and leaves them aside.
 */
function readBase(reader: ConfigReader): SequenceEncoderOptions {
  const own = readSequenceEncoder(reader);
  const given = reader.part("base_model");
  if (!given) return own;
  const base = readSequenceEncoder(given);
  given.finish();
  return base;
}

export function readSequencePredictor(reader: ConfigReader): SequencePredictorOptions {
  const base = readBase(reader);
  const { dim } = base.encoder;
  const count = readTransformer(reader, "count_", dim);
  const cardinalities = reader.record("categorical_cardinalities", "number") as Record<string, number> | null;
  const categories = {
    columnDim: reader.number("categorical_embed_dim", 16),
    fusion: reader.text<Fusion>("categorical_fusion", "concat", fusions),
    dropout: reader.number("categorical_dropout", 0.1),
    heads: reader.number("cross_attn_heads", 8),
    latents: reader.number("perceiver_num_latents", 64),
    layers: reader.number("perceiver_num_layers", 2),
  };
  const someCategories = cardinalities !== null && Object.keys(cardinalities).length > 0;
  return {
    base,
    freezeBase: reader.boolean("freeze_base", false),
    count: reader.boolean("count_prediction", true) ? count : null,
    target: readTransformer(reader, "target_", dim),
    ...readTargetHead(reader),
    categories: someCategories ? { cardinalities, ...categories } : null,
    scaledColumns: reader.list("conditional_scaling_columns", "string") as string[] | null,
  };
}

function readAll<T>(config: ReferenceConfig, place: string, read: (reader: ConfigReader) => T): T {
  const reader = new ConfigReader(config, place);
  const options = read(reader);
  reader.finish();
  return options;
}

/**
 * The options of `new AsvEncoder` for the arguments of the reference's class.
 * @throws UserError for unknown ones.
 */
export function asvEncoderOptions(config: ReferenceConfig, place = "config"): AsvEncoderOptions {
  return readAll(config, place, (reader) => readAsvEncoder(reader, ""));
}

/** The options of `new SampleSequenceEncoder`. @throws UserError for unknown arguments. */
export function sampleEncoderOptions(config: ReferenceConfig, place = "config"): SampleEncoderOptions {
  return readAll(config, place, readSampleEncoder);
}

/** The options of `new SequenceEncoder`. @throws UserError for unknown arguments. */
export function sequenceEncoderOptions(config: ReferenceConfig, place = "config"): SequenceEncoderOptions {
  return readAll(config, place, readSequenceEncoder);
}

/** The options of `new ReferencePredictor`. @throws UserError for unknown arguments. */
export function sequencePredictorOptions(
  config: ReferenceConfig,
  place = "config",
): SequencePredictorOptions {
  return readAll(config, place, readSequencePredictor);
}
