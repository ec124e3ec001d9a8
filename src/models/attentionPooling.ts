import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";

/**
 * Low enough that the softmax gives exactly 0 beside any real score, and finite, so that nothing becomes NaN.
 */
const excluded = -1e30;

/**
 * Pools positions by learned weights: softmax of the scores q.x / sqrt(D) over the valid positions, then a
 * layer norm. Where no position is valid, all have the same weight.
 */
export class AttentionPooling extends torch.nn.Module {
  readonly query: torch.nn.Linear;
  readonly norm: torch.nn.LayerNorm;
  /** Is told the weights [n, T] of every pooling; they are freed when it ends. */
  observer: ((weights: torch.Tensor) => void) | null = null;

  constructor(readonly dim: number) {
    super();
    this.query = new torch.nn.Linear(dim, 1, { bias: false });
    this.norm = new torch.nn.LayerNorm(dim);
  }

  /** [n, T, D] -> [n, D]. `valid` is [n, T] bool, or null where all positions are valid. */
  forward(input: torch.Tensor, valid: torch.Tensor | null): torch.Tensor {
    let scores = atLeastFloat32(this.query.forward(input).squeeze(-1).div(Math.sqrt(this.dim)));
    if (valid) scores = scores.maskedFill(valid.logicalNot(), excluded);
    const shares = scores.softmax(-1);
    this.observer?.(shares);
    const weights = shares.to(input.dtype).unsqueeze(1);
    return this.norm.forward(weights.matmul(input).squeeze(1));
  }
}
