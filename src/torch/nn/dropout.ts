import * as ops from "../ops.gen.ts";
import type { Tensor } from "../tensor.ts";
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
