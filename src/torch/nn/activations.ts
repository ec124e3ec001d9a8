import * as ops from "../ops.gen.ts";
import type { Tensor } from "../tensor.ts";
import { Module } from "./module.ts";

/** Gaussian error linear unit: exact (erf), or its tanh approximation. */
export class GELU extends Module {
  constructor(readonly approximate: "none" | "tanh" = "none") {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.gelu(input, { approximate: this.approximate });
  }

  override extraRepr(): string {
    return this.approximate === "none" ? "" : `approximate=${this.approximate}`;
  }
}

/** Makes a layer without settings of a function of one tensor. */
function elementwise(apply: (input: Tensor) => Tensor) {
  return class extends Module {
    forward(input: Tensor): Tensor {
      return apply(input);
    }
  };
}

export class ReLU extends elementwise((input) => ops.relu(input)) {}
export class Sigmoid extends elementwise((input) => ops.sigmoid(input)) {}
export class Tanh extends elementwise((input) => ops.tanh(input)) {}
export class SiLU extends elementwise((input) => ops.silu(input)) {}
export class Softplus extends elementwise((input) => ops.softplus(input)) {}
export class Identity extends elementwise((input) => input) {}

/** Softmax over one dimension. */
export class Softmax extends Module {
  constructor(readonly dim: number) {
    super();
  }
  forward(input: Tensor): Tensor {
    return ops.softmax(input, this.dim);
  }
}

/** Logarithm of softmax over one dimension. */
export class LogSoftmax extends Module {
  constructor(readonly dim: number) {
    super();
  }
  forward(input: Tensor): Tensor {
    return ops.logSoftmax(input, this.dim);
  }
}
