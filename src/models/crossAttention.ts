import * as torch from "../torch/index.ts";

export interface CrossAttentionOptions {
  /** [B, K] bool: which keys may be attended to. */
  readonly valid?: torch.Tensor | null;
  /** Another key and value of zeros: with it a query can choose how much it takes from the others. */
  readonly zeroKey?: boolean;
  readonly dropout: number;
}

/**
 * Multi-head attention of queries [B, T, D] over other vectors [B, K, D], with the parameters of
 * `MultiheadAttention`: the result [B, T, D] and each head's weights [B, H, T, K] (before
 * dropout, the zero key last).
 */
export function crossAttention(
  attention: torch.nn.MultiheadAttention,
  queries: torch.Tensor,
  keys: torch.Tensor,
  { valid = null, zeroKey = false, dropout }: CrossAttentionOptions,
): { output: torch.Tensor; weights: torch.Tensor } {
  const { embedDim: dim, numHeads: heads, headDim, inProjWeight, inProjBias, outProj } = attention;
  const split = (input: torch.Tensor) => input.unflatten(-1, [heads, headDim]).transpose(1, 2);
  const part = (input: torch.Tensor, index: number) =>
    torch.linear(
      input,
      inProjWeight!.narrow(0, index * dim, dim),
      inProjBias?.narrow(0, index * dim, dim) ?? null,
    );
  const q = split(part(queries, 0));
  const extra = (input: torch.Tensor) => (zeroKey ? torch.constantPadNd(input, [0, 0, 0, 1]) : input);
  const k = split(extra(part(keys, 1)));
  const v = split(extra(part(keys, 2)));
  let scores = q.matmul(k.transpose(-2, -1)).div(Math.sqrt(headDim));
  if (valid) {
    const allowed = zeroKey ? torch.constantPadNd(valid, [0, 1], true) : valid;
    scores = scores.maskedFill(allowed.logicalNot().unsqueeze(1).unsqueeze(1), -Infinity);
  }
  const weights = scores.softmax(-1);
  const kept = attention.training && dropout > 0 ? torch.dropout(weights, dropout, true) : weights;
  const mixed = kept.to(v.dtype).matmul(v).transpose(1, 2).flatten(2);
  return { output: outProj.forward(mixed), weights };
}
