import { UserError } from "../common/userError.ts";
import type * as torch from "../torch/index.ts";

/**
 * What a state dict tells of the model it belongs to: the reference's class and arguments,
 * without what leaves no trace.
 */
export interface InferredModel {
  readonly module: "SequenceEncoder" | "SequencePredictor";
  readonly config: Record<string, unknown>;
}

type State = ReadonlyMap<string, torch.Tensor>;

/** Wrappers that PyTorch puts around models, whose names come before the model's own. */
const wrappers = /^(?:_orig_mod\.|module\.)+/;

/** The state without the prefixes of compiled or data-parallel models. */
export function withoutWrappers(state: State): Map<string, torch.Tensor> {
  return new Map([...state].map(([name, value]) => [name.replace(wrappers, ""), value]));
}

/** Reads sizes from a state dict's shapes. */
class Shapes {
  readonly #shapes: ReadonlyMap<string, readonly number[]>;

  constructor(state: State) {
    this.#shapes = new Map([...state].map(([name, value]) => [name, value.shape]));
  }

  has(name: string): boolean {
    return this.#shapes.has(name);
  }

  /** @throws UserError if there is no such tensor. */
  of(name: string): readonly number[] {
    const shape = this.#shapes.get(name);
    if (!shape) throw new UserError(`This is no state of a model of the original AAM: it lacks ${name}.`);
    return shape;
  }

  /** What follows `prefix` up to the next dot, each once, in the state's order. */
  below(prefix: string): string[] {
    const names = [...this.#shapes.keys()].filter((name) => name.startsWith(prefix));
    return [...new Set(names.map((name) => name.slice(prefix.length).split(".")[0]))];
  }

  transformer(path: string, prefix: string): Record<string, number> {
    return {
      [`${prefix}num_layers`]: this.below(`${path}.encoder.layers.`).length,
      [`${prefix}intermediate_size`]: this.of(`${path}.encoder.layers.0.linear1.weight`)[0],
    };
  }
}

/** @throws UserError for a state dict that is no SequenceEncoder's or SequencePredictor's. */
export function inferModel(state: State): InferredModel {
  const shapes = new Shapes(state);
  const isPredictor = shapes.below("base_model.").length > 0;
  const encoder = inferEncoder(shapes, isPredictor ? "base_model." : "");
  if (!isPredictor) return { module: "SequenceEncoder", config: encoder };
  return { module: "SequencePredictor", config: { ...encoder, ...inferPredictor(shapes, encoder) } };
}

function inferEncoder(shapes: Shapes, base: string): Record<string, unknown> {
  const sample = `${base}sample_encoder`;
  const [vocabulary, dim] = shapes.of(`${sample}.asv_encoder.token_embedding.weight`);
  const combined = shapes.has(`${base}uni_ff.weight`);
  const outputs = shapes.has(`${base}output_head.weight`) ? shapes.of(`${base}output_head.weight`)[0] : null;
  const film = shapes.has(`${sample}.count_film.weight`);
  const concat = shapes.has(`${sample}.count_proj.weight`);
  return {
    vocab_size: vocabulary,
    embedding_dim: dim,
    max_bp: shapes.of(`${sample}.asv_encoder.position_embedding.position_embedding.weight`)[0] - 1,
    token_limit: shapes.of(`${sample}.sample_position_embedding.position_embedding.weight`)[0] - 5,
    ...shapes.transformer(`${sample}.asv_encoder.transformer`, "asv_"),
    ...shapes.transformer(`${sample}.sample_transformer`, "sample_"),
    ...shapes.transformer(`${base}encoder_transformer`, "encoder_"),
    predict_nucleotides: shapes.has(`${sample}.asv_encoder.nucleotide_head.weight`),
    // Heads for Faith PD and for taxonomy differ in nothing but their width.
    encoder_type: combined
      ? "combined"
      : outputs === null
        ? "unifrac"
        : outputs === 1
          ? "faith_pd"
          : "taxonomy",
    ...(outputs === null ? {} : { base_output_dim: outputs }),
    count_embedding: film || shapes.has(`${sample}.count_embed.weight`),
    count_embedding_method: film ? "film" : concat ? "concat" : "add",
  };
}

function inferPredictor(shapes: Shapes, encoder: Record<string, unknown>): Record<string, unknown> {
  const counts = shapes.has("count_head.weight");
  const hasTarget = shapes.has("target_encoder.norm.weight");
  const { outputs, ...head } = inferHead(shapes);
  const scaled = shapes.below("output_scales.");
  const scale = shapes.has("output_scale");
  const known = scale
    ? shapes.of("output_scale")[0]
    : scaled.length > 0
      ? shapes.of(`output_scales.${scaled[0]}.weight`)[1]
      : outputs;
  return {
    count_prediction: counts,
    ...(counts ? shapes.transformer("count_encoder", "count_") : {}),
    ...(hasTarget ? shapes.transformer("target_encoder", "target_") : {}),
    target_layer_norm: shapes.has("target_norm.weight"),
    ...head,
    out_dim: known,
    ...(known < outputs ? { num_quantiles: outputs / known } : {}),
    learnable_output_scale: scale,
    ...(scaled.length > 0 ? { conditional_scaling_columns: scaled } : {}),
    ...inferCategories(shapes, encoder["embedding_dim"] as number),
  };
}

function inferHead(shapes: Shapes): { outputs: number } & Record<string, unknown> {
  const residual = shapes.has("target_head.skip.weight");
  if (!residual && shapes.has("target_head.weight")) return { outputs: shapes.of("target_head.weight")[0] };
  const path = residual ? "target_head.mlp" : "target_head";
  const layers = shapes.below(`${path}.`).map(Number);
  const widths = layers.map((layer) => shapes.of(`${path}.${layer}.weight`)[0]);
  return {
    outputs: widths[widths.length - 1],
    regressor_hidden_dims: widths.slice(0, -1),
    residual_regression_head: residual,
    // A dropout layer moves the next layer from the second to the third place; how much is
    // dropped leaves no trace.
    regressor_dropout: layers[1] === 3 ? 0.1 : 0,
  };
}

function inferCategories(shapes: Shapes, dim: number): Record<string, unknown> {
  const columns = shapes.below("categorical_embedder.embeddings.");
  if (columns.length === 0) return {};
  const table = (column: string) => shapes.of(`categorical_embedder.embeddings.${column}.weight`);
  const shared = {
    categorical_cardinalities: Object.fromEntries(columns.map((column) => [column, table(column)[0]])),
    categorical_embed_dim: table(columns[0])[1],
  };
  if (shapes.has("gmu.gate.weight")) return { ...shared, categorical_fusion: "gmu" };
  if (shapes.has("cross_attn_fusion.norm.weight"))
    return { ...shared, categorical_fusion: "cross-attention" };
  if (shapes.has("perceiver_fusion.latents")) {
    return {
      ...shared,
      categorical_fusion: "perceiver",
      perceiver_num_latents: shapes.of("perceiver_fusion.latents")[0],
      perceiver_num_layers: shapes.below("perceiver_fusion.self_attn_layers.").length,
    };
  }
  const width = shapes.of("categorical_projection.weight")[1];
  const all = columns.reduce((sum, column) => sum + table(column)[1], 0);
  return { ...shared, categorical_fusion: width === dim + all ? "concat" : "add" };
}
