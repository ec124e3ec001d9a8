import type { Tensor } from "../core/tensor.ts";
import * as ops from "../dispatch/ops.gen.ts";
import { Module } from "./module.ts";

/** In training sets elements to zero with probability `p` and scales the others by 1 / (1 - p). */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1))
      throw new RangeError(`Dropout: the probability must lie between 0 and 1, got ${p}`);
  }

  forward(input: Tensor): Tensor {
    return this.training && this.p > 0 ? ops.dropout(input, this.p, true) : input;
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
