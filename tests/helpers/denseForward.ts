/**
 * The encoder written once more in the simplest way: dense batches, every occurrence of every ASV and all
 * padding encoded, attention by plain products. Only for comparison.
 */
import * as torch from "../../src/torch/index.ts";

type State = ReadonlyMap<string, torch.Tensor>;

export interface DenseModel {
  readonly state: State;
  readonly heads: number;
  readonly layers: number;
}

export interface DenseResult {
  /** [B, D] */
  readonly embeddings: torch.Tensor;
  /** [B, S, D] */
  readonly sampleEmbeddings: torch.Tensor;
  /** [B, S, L, V] */
  readonly logits: torch.Tensor;
}

function get({ state }: DenseModel, name: string): torch.Tensor {
  const found = state.get(name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

function norm(model: DenseModel, name: string, input: torch.Tensor, eps: number): torch.Tensor {
  const centred = input.sub(input.mean(-1, true));
  const variance = centred.square().mean(-1, true);
  return centred
    .div(variance.add(eps).sqrt())
    .mul(get(model, `${name}.weight`))
    .add(get(model, `${name}.bias`));
}

function linear(model: DenseModel, name: string, input: torch.Tensor): torch.Tensor {
  return input.matmul(get(model, `${name}.weight`).t()).add(get(model, `${name}.bias`));
}

function transformer(
  model: DenseModel,
  name: string,
  input: torch.Tensor,
  valid: torch.Tensor,
): torch.Tensor {
  let x = input;
  const [rows, length, dim] = input.shape;
  const size = dim / model.heads;
  for (let i = 0; i < model.layers; i++) {
    const layer = `${name}.encoder.layers.${i}`;
    const packed = norm(model, `${layer}.norm1`, x, 1e-5)
      .matmul(get(model, `${layer}.self_attn.in_proj_weight`).t())
      .add(get(model, `${layer}.self_attn.in_proj_bias`));
    const [q, k, v] = packed
      .chunk(3, -1)
      .map((part) => part.reshape([rows, length, model.heads, size]).transpose(1, 2));
    const scores = q.matmul(k.transpose(2, 3)).div(Math.sqrt(size));
    const mask = valid.view([rows, 1, 1, length]);
    // Rows without anything valid get zeros.
    const weights = scores.maskedFill(mask.logicalNot(), -1e30).softmax(-1).mul(mask);
    const mixed = weights.matmul(v).transpose(1, 2).reshape([rows, length, dim]);
    x = x.add(linear(model, `${layer}.self_attn.out_proj`, mixed));
    const hidden = linear(model, `${layer}.linear1`, norm(model, `${layer}.norm2`, x, 1e-5));
    const activated = hidden.mul(hidden.div(Math.SQRT2).erf().add(1)).mul(0.5);
    x = x.add(linear(model, `${layer}.linear2`, activated));
  }
  return norm(model, `${name}.norm`, x, 1e-6);
}

function pool(model: DenseModel, name: string, input: torch.Tensor, valid: torch.Tensor): torch.Tensor {
  const dim = input.size(-1);
  const scores = input
    .mul(get(model, `${name}.query.weight`))
    .sum(-1)
    .div(Math.sqrt(dim));
  const empty = valid.any(1, true).logicalNot();
  const weights = torch.where(
    empty,
    1 / input.size(1),
    scores.maskedFill(valid.logicalNot(), -1e30).softmax(-1).mul(valid),
  );
  return norm(model, `${name}.norm`, input.mul(weights.unsqueeze(-1)).sum(1), 1e-5);
}

/** Tokens [B, S, L] int64 -> everything the encoder gives. `shown`: the tokens after masking. */
export function denseForward(model: DenseModel, tokens: torch.Tensor, shown = tokens): DenseResult {
  const [samples, slots, length] = tokens.shape;
  const flat = shown.flatten(0, 1);
  const valid = flat.gt(0);
  const filledRows = valid.any(1).view([-1, 1, 1]);
  const asv = "sample_encoder.asv_encoder";
  const embedded = torch
    .embedding(get(model, `${asv}.token_embedding.weight`), flat)
    .add(get(model, `${asv}.position_embedding.position_embedding.weight`).narrow(0, 0, length));
  const encoded = transformer(model, `${asv}.transformer`, embedded, valid).mul(filledRows);
  const logits = linear(model, `${asv}.nucleotide_head`, encoded).view([samples, slots, length, -1]);
  const filled = tokens.gt(0).any(-1);
  const asvs = pool(model, `${asv}.attention_pooling`, encoded, valid)
    .view([samples, slots, -1])
    .mul(filled.unsqueeze(-1));
  const placed = asvs.add(
    get(model, "sample_encoder.sample_position_embedding.position_embedding.weight").narrow(0, 0, slots),
  );
  const sampleEmbeddings = transformer(model, "sample_encoder.sample_transformer", placed, filled).mul(
    filled.unsqueeze(-1),
  );
  const top = transformer(model, "encoder_transformer", sampleEmbeddings, filled);
  return { embeddings: pool(model, "attention_pooling", top, filled), sampleEmbeddings, logits };
}
