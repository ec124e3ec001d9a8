/** The forms that gave NaN in the history, beside which the product's are put. They exist only here. */
import * as torch from "../../src/torch/index.ts";

/**
 * Attention pooling [n, T, D] -> [n, D] whose excluded scores are -infinity: softmax of a
 * row of them alone is NaN.
 */
export function naivePooling(
  query: torch.Tensor,
  input: torch.Tensor,
  valid: torch.Tensor | null,
): torch.Tensor {
  let scores = torch
    .linear(input, query)
    .squeeze(-1)
    .div(Math.sqrt(input.size(-1)));
  if (valid) scores = scores.maskedFill(valid.logicalNot(), Number.NEGATIVE_INFINITY);
  return scores.softmax(-1).unsqueeze(1).matmul(input).squeeze(1);
}

/** Attention of q, k, v [n, H, T, d] whose forbidden scores are -infinity; `allowed` is [n, 1, 1, T]. */
export function naiveAttention(
  q: torch.Tensor,
  k: torch.Tensor,
  v: torch.Tensor,
  allowed: torch.Tensor | null,
): torch.Tensor {
  let scores = q.matmul(k.transpose(-2, -1)).div(Math.sqrt(q.size(-1)));
  if (allowed) scores = scores.maskedFill(allowed.logicalNot(), Number.NEGATIVE_INFINITY);
  return scores.softmax(-1).matmul(v);
}

/**
 * Distances of embeddings [B, D]: the root's slope is infinite where two samples coincide,
 * and always on the diagonal.
 */
export function naiveDistances(embeddings: torch.Tensor): torch.Tensor {
  return embeddings.unsqueeze(0).sub(embeddings.unsqueeze(1)).square().sum(-1).sqrt();
}

/** A mean over what is counted: 0 / 0 where nothing is. */
export function naiveMean(values: torch.Tensor, counted: torch.Tensor): torch.Tensor {
  return values.mul(counted).sum().div(counted.sum());
}
