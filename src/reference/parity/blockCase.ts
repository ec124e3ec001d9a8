import { UserError } from "../../common/userError.ts";
import { AttentionPooling } from "../../models/attentionPooling.ts";
import { CategoricalEmbedder } from "../../models/categoricalEmbedder.ts";
import {
  type CountEmbeddingMethod,
  embedCounts,
  makeCountLayers,
} from "../../models/embeddings/countEmbedding.ts";
import { PositionEmbedding } from "../../models/embeddings/positionEmbedding.ts";
import { CrossAttentionFusion, GatedUnit, PerceiverFusion } from "../../models/fusion.ts";
import { pairwiseDistances } from "../../models/pairwiseDistances.ts";
import { denseToRagged } from "../../models/raggedBatch.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import { setPoolings } from "../../models/setPooling.ts";
import { makeTargetHead } from "../../models/targetHead.ts";
import { TargetOutput } from "../../models/targetOutput.ts";
import { keyMask, PreNormEncoder } from "../../models/transformer.ts";
import { readWordKinds } from "../../models/words/wordKinds.ts";
import * as torch from "../../torch/index.ts";
import { ConfigReader, readTargetHead, readTransformer } from "../config.ts";
import { type BlockCase, type LoadedCase, withPrefix } from "./caseFile.ts";
import { distanceForm } from "./caseLosses.ts";
import { type Comparison, compareAll, compareGradients, compareTensor } from "./compare.ts";
import { loadCaseWeights } from "./modelCase.ts";

const { nn } = torch;
type Inputs = ReadonlyMap<string, torch.Tensor>;
type Outputs = Record<string, torch.Tensor>;

/** Some layers under the names of a whole model, and one formula. */
class Block extends nn.Module {
  readonly #children: ReadonlyMap<string, torch.nn.Module>;
  readonly outputScale: torch.Tensor | null;
  readonly outputBias: torch.Tensor | null;
  static override readonly names = { outputScale: "output_scale", outputBias: "output_bias" };

  constructor(
    children: Readonly<Record<string, torch.nn.Module | null>>,
    readonly formula: (inputs: Inputs) => Outputs,
    scale: { scale: torch.Tensor | null; bias: torch.Tensor | null } = { scale: null, bias: null },
  ) {
    super();
    const there = Object.entries(children).filter(
      (entry): entry is [string, torch.nn.Module] => entry[1] !== null,
    );
    this.#children = new Map(there);
    this.outputScale = scale.scale;
    this.outputBias = scale.bias;
  }

  override *namedChildren(): Generator<[string, torch.nn.Module]> {
    yield* this.#children;
  }

  forward(inputs: Inputs): Outputs {
    return this.formula(inputs);
  }
}

/** A module whose parameters have no prefix in the block's weights. */
class Bare extends Block {
  readonly #inner: torch.nn.Module;

  constructor(inner: torch.nn.Module, formula: (inputs: Inputs) => Outputs) {
    super({}, formula);
    this.#inner = inner;
  }

  override *namedModules(prefix = ""): Generator<[string, torch.nn.Module]> {
    yield* this.#inner.namedModules(prefix);
  }
}

function need(inputs: Inputs, name: string): torch.Tensor {
  const found = inputs.get(name);
  if (!found) throw new UserError(`The parity case has no inputs/${name}.`);
  return found;
}

/** [n, T] bool of a mask that is 1 where there is something; null where none is given. */
function validOf(inputs: Inputs): torch.Tensor | null {
  return inputs.get("mask")?.gt(0) ?? null;
}

function caseCategories(inputs: Inputs): Record<string, torch.Tensor> {
  return Object.fromEntries([...inputs].filter(([name]) => name !== "x"));
}

function sizes(reader: ConfigReader): { dim: number; columns: number; columnDim: number } {
  return { dim: reader.number("seq_dim", 0), columns: 1, columnDim: reader.number("cat_dim", 0) };
}

/** The norm, the head and all that follows it: [B, D] -> predictions. */
function headParts(reader: ConfigReader, dim: number) {
  const options = readTargetHead(reader);
  const transform = new TargetOutput(options, []);
  const norm = options.targetNorm ? new nn.LayerNorm(dim) : null;
  const { hidden, headDropout, residualHead } = options;
  const outputs = transform.headOutputs;
  const head = makeTargetHead({ dim, outputs, hidden, dropout: headDropout, residual: residualHead });
  const scale = transform.makeScale();
  const parameters = {
    outputScale: scale.scale,
    outputBias: scale.bias,
    outputScales: null,
    outputBiases: null,
  };
  const run = (pooled: torch.Tensor) =>
    transform.apply(head.forward(norm ? norm.forward(pooled) : pooled), {}, parameters);
  return { children: { target_norm: norm, target_head: head }, scale, run };
}

/** Blocks by the names of lab/python/parity/blocks.py. */
const makers: Record<string, (reader: ConfigReader) => Block> = {
  TransformerEncoder: (reader) => {
    const inner = new PreNormEncoder(readTransformer(reader, "", reader.number("hidden_dim", 0)));
    return new Bare(inner, (inputs) => ({
      output: inner.forward(need(inputs, "x"), keyMask(validOf(inputs))),
    }));
  },
  AttentionPooling: (reader) => {
    const inner = new AttentionPooling(reader.number("hidden_dim", 0));
    return new Bare(inner, (inputs) => ({ output: inner.forward(need(inputs, "x"), validOf(inputs)) }));
  },
  PositionEmbedding: (reader) => {
    const inner = new PositionEmbedding(reader.number("max_length", 0), reader.number("hidden_dim", 0));
    return new Bare(inner, (inputs) => ({ output: inner.forward(need(inputs, "x")) }));
  },
  CountEmbedding: (reader) => {
    const method = reader.text<CountEmbeddingMethod>("method", "add", ["add", "concat", "film"]);
    const layers = makeCountLayers(method, reader.number("hidden_dim", 0));
    const { embed, project, film } = layers;
    return new Block({ count_embed: embed, count_proj: project, count_film: film }, (inputs) => ({
      output: embedCounts(layers, need(inputs, "x"), need(inputs, "counts").squeeze(-1)),
    }));
  },
  CountBranch: (reader) => {
    const dim = reader.number("embedding_dim", 128);
    const encoder = new PreNormEncoder(readTransformer(reader, "count_", dim));
    const head = new nn.Linear(dim, 1);
    return new Block({ count_encoder: encoder, count_head: head }, (inputs) => ({
      output: head.forward(encoder.forward(need(inputs, "x"), keyMask(validOf(inputs)))).sigmoid(),
    }));
  },
  TargetBranch: (reader) => {
    const dim = reader.number("embedding_dim", 128);
    const encoder = new PreNormEncoder(readTransformer(reader, "target_", dim));
    const pooling = new AttentionPooling(dim);
    const { children, scale, run } = headParts(reader, dim);
    const all = { target_encoder: encoder, target_pooling: pooling, ...children };
    return new Block(
      all,
      (inputs) => {
        const valid = validOf(inputs);
        return { output: run(pooling.forward(encoder.forward(need(inputs, "x"), keyMask(valid)), valid)) };
      },
      scale,
    );
  },
  TargetHead: (reader) => {
    const { children, scale, run } = headParts(reader, reader.number("embedding_dim", 128));
    return new Block(children, (inputs) => ({ output: run(need(inputs, "x")) }), scale);
  },
  NucleotideHead: (reader) => {
    const head = new nn.Linear(reader.number("embedding_dim", 128), reader.number("vocab_size", 7));
    return new Block({ nucleotide_head: head }, (inputs) => ({ output: head.forward(need(inputs, "x")) }));
  },
  CategoricalEmbedder: (reader) => {
    const cardinalities = reader.record("column_cardinalities", "number") as Record<string, number>;
    const inner = new CategoricalEmbedder(cardinalities, reader.number("embed_dim", 16), 0);
    return new Bare(inner, (inputs) => {
      const ids = caseCategories(inputs);
      return { output: inner.forward(ids, Object.values(ids)[0].size(0)) };
    });
  },
  ConcatFusion: (reader) => {
    const { dim, columnDim } = sizes(reader);
    const projection = new nn.Linear(dim + columnDim, dim);
    return new Block({ categorical_projection: projection }, (inputs) => {
      const slots = need(inputs, "x");
      const spread = need(inputs, "categories")
        .unsqueeze(1)
        .expand([-1, slots.size(1), -1]);
      return { output: projection.forward(torch.cat([slots, spread], -1)) };
    });
  },
  AddFusion: (reader) => {
    const { dim, columnDim } = sizes(reader);
    const projection = new nn.Linear(columnDim, dim);
    return new Block({ categorical_projection: projection }, (inputs) => ({
      output: need(inputs, "x").add(projection.forward(need(inputs, "categories").unsqueeze(1))),
    }));
  },
  GMU: (reader) => {
    const { dim, columnDim } = sizes(reader);
    const inner = new GatedUnit(dim, columnDim);
    return new Bare(inner, (inputs) => ({ ...inner.forward(need(inputs, "x"), need(inputs, "categories")) }));
  },
  CrossAttentionFusion: (reader) => {
    const heads = reader.number("num_heads", 8);
    const zeroKey = reader.boolean("zero_key", false);
    const inner = new CrossAttentionFusion({ ...sizes(reader), heads, dropout: 0 });
    return new Bare(inner, (inputs) => {
      const categories = need(inputs, "categories");
      const keys = categories.ndim === 2 ? categories.unsqueeze(1) : categories;
      return { ...inner.attend(need(inputs, "x"), keys, zeroKey) };
    });
  },
  PerceiverFusion: (reader) => {
    const inner = new PerceiverFusion({
      ...sizes(reader),
      heads: reader.number("num_heads", 8),
      latents: reader.number("num_latents", 64),
      layers: reader.number("num_layers", 2),
      dropout: 0,
    });
    return new Bare(inner, (inputs) => ({
      ...inner.forward(need(inputs, "x"), need(inputs, "categories"), validOf(inputs)),
    }));
  },
  ConditionalScaling: (reader) => {
    const cardinalities = reader.record("columns", "number") as Record<string, number>;
    const columns = Object.keys(cardinalities);
    const transform = new TargetOutput(
      { outputs: reader.number("out_dim", 1), scaledColumns: columns },
      columns,
    );
    const { scales, biases } = transform.makeConditionalScale(cardinalities);
    const parameters = { outputScale: null, outputBias: null, outputScales: scales, outputBiases: biases };
    return new Block({ output_scales: scales, output_biases: biases }, (inputs) => ({
      output: transform.apply(need(inputs, "x"), caseCategories(inputs), parameters),
    }));
  },
  SetEncoder: (reader) => {
    const maxBp = reader.number("max_bp", 0);
    const codes = reader.number("codes", 0);
    const inner = new SetEncoder({
      source: "kmer",
      codes,
      words: {
        kinds: readWordKinds((reader.list("words", "string") ?? ["6"]).join()),
        maxBp,
        dim: reader.number("word_dim", 0),
        buckets: reader.number("buckets", 0),
      },
      // Codes from words alone have no transformer.
      asv: { layers: 1, heads: 1, dim: 1, dropout: 0, maxBp },
      longWords: reader.number("long_words", 0),
      pooling: reader.text("pooling", "union", setPoolings),
      distance: {
        kind: reader.text("distance", "tanimoto", ["tanimoto", "l1"]),
        normalized: reader.boolean("normalized", true),
      },
    });
    return new Bare(inner, (inputs) => {
      const { dtype } = inner.pooling.length;
      const batch = denseToRagged(need(inputs, "tokens"), need(inputs, "counts"));
      const embeddings = inner.forward({ ...batch, counts: batch.counts.to(dtype) }).embeddings!;
      // Own branches stand behind the rest, in an order that is the batch's.
      const shared = inner.sets.reduce((sum, { length }) => sum + length.numel, codes);
      return {
        codes: embeddings.narrow(1, 0, shared),
        sizes: embeddings.square().sum([1]),
        distances: pairwiseDistances(embeddings, inner.distance!),
      };
    });
  },
  PairwiseDistances: (reader) => {
    const normalization = reader.text<"none" | "tanh10">("normalization", "tanh10", ["none", "tanh10"]);
    return new Block({}, (inputs) => ({
      output: pairwiseDistances(need(inputs, "x"), distanceForm(normalization)),
    }));
  },
};

/** Runs one block on its inputs; gradients are those of sum(output * cotangent) over all outputs. */
export function runBlockCase({ name, description, tensors, device }: LoadedCase<BlockCase>): Comparison[] {
  const { module, config, dtype = "float32" } = description;
  const make = makers[module];
  if (!make) {
    throw new UserError(
      `Case ${name} is of the unknown block ${module}; there are ${Object.keys(makers).join(", ")}.`,
    );
  }
  const reader = new ConfigReader(config, `case ${name}`);
  const block = make(reader);
  reader.finish();
  block.to({ dtype, device });
  loadCaseWeights(block, withPrefix(tensors, "weights/"), name);
  block.eval();
  const inputs = new Map<string, torch.Tensor>();
  for (const [key, value] of withPrefix(tensors, "inputs/")) {
    const isFloating = value.isFloatingPoint();
    inputs.set(key, isFloating ? value.to({ dtype, copy: true }).requiresGrad_() : value);
  }
  const results = block.forward(inputs);
  const cotangents = withPrefix(tensors, "cotangents/");
  const named = Object.entries(results).filter(([key]) => tensors.has(`outputs/${key}`));
  const terms = named.map(([key, value]) => {
    const cotangent = cotangents.get(key);
    return cotangent ? value.mul(cotangent.to(value.dtype)).sum() : value.sum();
  });
  const total = terms.reduce((sum, term) => sum.add(term));
  if (total.requiresGrad) total.backward();
  return [
    ...compareAll("outputs/", new Map(named), withPrefix(tensors, "outputs/"), description),
    ...compareGradients(block, withPrefix(tensors, "grads/"), description),
    ...[...withPrefix(tensors, "input_grads/")].map(([key, expected]) => {
      const input = inputs.get(key);
      return compareTensor(
        `input_grads/${key}`,
        input && (input.grad ?? torch.zerosLike(input)),
        expected,
        description,
      );
    }),
  ];
}
