import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { Module } from "../base/module.ts";
import { needProbability } from "../functional/checks.ts";

/** In training sets elements to zero with probability `p` and scales the others by 1 / (1 - p). */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super();
    needProbability("Dropout", p);
  }

  forward(input: Tensor): Tensor {
    return this.training && this.p > 0 ? ops.dropout(input, this.p, true) : input;
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
