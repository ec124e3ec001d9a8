/**
 * The encoder written again in the plainest way, to be compared with: dense batches, every slot encoded for
 * itself, attention from matrix products. It shares nothing with src/models but the weights.
 */
import * as torch from "../../src/torch/index.ts";
import { transformerOf } from "../../src/training/config/buildModel.ts";
import type { ModelConfig } from "../../src/training/config/config.ts";
import { naiveAttention, naivePooling } from "./naiveForms.ts";

/** What weights do not tell of a transformer. */
export interface TransformerFacts {
  readonly heads: number;
  readonly activation?: "gelu" | "gelu_tanh" | "relu";
}

export interface DenseOptions {
  readonly transformers: { readonly [name in "asv" | "sample" | "encoder"]: TransformerFacts };
  /**
   * What becomes of empty slots: zeros, as the mended reference has it, or whatever attention over nothing
   * gives, as before. Default zeros.
   */
  readonly emptyRows?: "zeros" | "as they come";
  /** Is told of every step's result by the path of the module that does it: [rows, T, D] or [rows, D]. */
  readonly onValue?: (path: string, value: torch.Tensor) => void;
}

type Weights = ReadonlyMap<string, torch.Tensor>;

/** [B, S, L] tokens -> [B, D] embeddings of a `unifrac` encoder. */
export function denseForward(weights: Weights, tokens: torch.Tensor, options: DenseOptions): torch.Tensor {
  const [samples, slots, length] = tokens.shape;
  const stage = new Stage(weights, options);
  const flat = tokens.reshape([samples * slots, length]);
  const asvs = stage.encodeAsvs(flat).unflatten(0, [samples, slots]);
  const filled = tokens.ne(0).any(-1);
  const kept = options.emptyRows === "as they come" ? asvs : torch.where(filled.unsqueeze(-1), asvs, 0);
  const placed = stage.addPositions("sample_encoder.sample_position_embedding", kept);
  const encoded = stage.transform("sample", "sample_encoder.sample_transformer", placed, filled);
  const sampleEmbeddings =
    options.emptyRows === "as they come" ? encoded : torch.where(filled.unsqueeze(-1), encoded, 0);
  const again = stage.transform("encoder", "encoder_transformer", sampleEmbeddings, filled);
  return stage.pool("attention_pooling", again, filled);
}

class Stage {
  readonly #weights: Weights;
  readonly #options: DenseOptions;

  constructor(weights: Weights, options: DenseOptions) {
    this.#weights = weights;
    this.#options = options;
  }

  encodeAsvs(tokens: torch.Tensor): torch.Tensor {
    const prefix = "sample_encoder.asv_encoder";
    const embedded = torch.embedding(this.#weight(`${prefix}.token_embedding.weight`), tokens);
    const placed = this.addPositions(`${prefix}.position_embedding`, embedded);
    const valid = tokens.ne(0);
    const values = this.transform("asv", `${prefix}.transformer`, placed, valid);
    return this.pool(`${prefix}.attention_pooling`, values, valid);
  }

  addPositions(path: string, input: torch.Tensor): torch.Tensor {
    const table = this.#weight(`${path}.position_embedding.weight`);
    return input.add(table.narrow(0, 0, input.size(-2)));
  }

  transform(
    name: keyof DenseOptions["transformers"],
    path: string,
    input: torch.Tensor,
    valid: torch.Tensor,
  ): torch.Tensor {
    const facts = this.#options.transformers[name];
    let value = input;
    const allowed = valid.unsqueeze(1).unsqueeze(1);
    for (let layer = 0; this.#weights.has(`${path}.encoder.layers.${layer}.norm1.weight`); layer++)
      value = this.#layer(`${path}.encoder.layers.${layer}`, facts, value, allowed);
    return this.#told(path, this.#norm(`${path}.norm`, value, 1e-6));
  }

  #layer(
    path: string,
    { heads, activation = "gelu" }: TransformerFacts,
    input: torch.Tensor,
    allowed: torch.Tensor,
  ): torch.Tensor {
    const { emptyRows } = this.#options;
    const [rows, length, dim] = input.shape;
    const projected = torch.linear(
      this.#norm(`${path}.norm1`, input, 1e-5),
      this.#weight(`${path}.self_attn.in_proj_weight`),
      this.#weight(`${path}.self_attn.in_proj_bias`),
    );
    const [q, k, v] = projected
      .chunk(3, -1)
      .map((part) => part.reshape([rows, length, heads, dim / heads]).transpose(1, 2));
    let mixed: torch.Tensor;
    if (emptyRows === "as they come") {
      mixed = naiveAttention(q, k, v, allowed);
    } else {
      // Where there is nothing to attend to: attend to all, and take zeros. Zeros for NaN
      // would leave a NaN gradient.
      const some = allowed.any(-1, true);
      mixed = torch.where(some, naiveAttention(q, k, v, allowed.logicalOr(some.logicalNot())), 0);
    }
    const joined = mixed.transpose(1, 2).reshape([rows, length, dim]);
    const attended = input.add(this.#linear(`${path}.self_attn.out_proj`, joined));
    const hidden = this.#linear(`${path}.linear1`, this.#norm(`${path}.norm2`, attended, 1e-5));
    const active =
      activation === "relu"
        ? hidden.relu()
        : torch.gelu(hidden, { approximate: activation === "gelu" ? "none" : "tanh" });
    return this.#told(path, attended.add(this.#linear(`${path}.linear2`, active)));
  }

  pool(path: string, input: torch.Tensor, valid: torch.Tensor): torch.Tensor {
    const any = valid.any(-1, true);
    // Nothing to pool: all positions count alike.
    const used = this.#options.emptyRows === "as they come" ? valid : valid.logicalOr(any.logicalNot());
    const pooled = naivePooling(this.#weight(`${path}.query.weight`), input, used);
    return this.#told(path, this.#norm(`${path}.norm`, pooled, 1e-5));
  }

  #linear(path: string, input: torch.Tensor): torch.Tensor {
    return torch.linear(input, this.#weight(`${path}.weight`), this.#weight(`${path}.bias`));
  }

  /** From mean and variance, not by the fused operator. */
  #norm(path: string, input: torch.Tensor, eps: number): torch.Tensor {
    const centred = input.sub(input.mean(-1, true));
    const variance = centred.square().mean(-1, true);
    const scaled = centred.mul(variance.add(eps).rsqrt());
    return scaled.mul(this.#weight(`${path}.weight`)).add(this.#weight(`${path}.bias`));
  }

  #told(path: string, value: torch.Tensor): torch.Tensor {
    this.#options.onValue?.(path, value);
    return value;
  }

  #weight(name: string): torch.Tensor {
    const weight = this.#weights.get(name);
    if (!weight) throw new Error(`internal: the checkpoint has no ${name}`);
    return weight;
  }
}

/** What a run's configuration says of its transformers. */
export function transformersOf(config: ModelConfig): DenseOptions["transformers"] {
  return {
    asv: transformerOf(config, "asv"),
    sample: transformerOf(config, "sample"),
    encoder: transformerOf(config, "encoder"),
  };
}

/**
 * A ragged batch's tokens in dense form [B, slots, L]: padded with all-zero rows to `slots`, as the
 * reference pads to its limit.
 */
export function denseTokens(
  batch: { samples: number; slots: number; tokens: number; asvTokens: Uint8Array; asvIndex: Int32Array },
  slots = batch.slots,
): torch.Tensor {
  const { samples, tokens } = batch;
  const dense = new Uint8Array(samples * slots * tokens);
  for (let sample = 0; sample < samples; sample++) {
    for (let slot = 0; slot < Math.min(slots, batch.slots); slot++) {
      const row = batch.asvIndex[sample * batch.slots + slot] - 1;
      if (row < 0) continue;
      const start = (sample * slots + slot) * tokens;
      dense.set(batch.asvTokens.subarray(row * tokens, (row + 1) * tokens), start);
    }
  }
  return torch.tensor(dense, { shape: [samples, slots, tokens], dtype: "int64" });
}
