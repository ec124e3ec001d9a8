import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { full } from "../../functions/creation.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";
import * as functional from "../functional/index.ts";

interface Elementwise extends Module {
  forward(input: Tensor): Tensor;
}

/** Makes a layer without settings of a function of one tensor. */
function elementwise(apply: (input: Tensor) => Tensor): LayerClass<[], Elementwise> {
  return class extends Module {
    forward(input: Tensor): Tensor {
      return apply(input);
    }
  };
}

/** max(x, 0). */
export class ReLU extends elementwise((input) => ops.relu(input)) {}
/** ReLU cut off at 6. */
export class ReLU6 extends elementwise((input) => ops.relu6(input)) {}
/** 1 / (1 + exp(-x)). */
export class Sigmoid extends elementwise((input) => ops.sigmoid(input)) {}
/** log(sigmoid(x)), without overflow. */
export class LogSigmoid extends elementwise((input) => ops.logSigmoid(input)) {}
/** (exp(x) - exp(-x)) / (exp(x) + exp(-x)), between -1 and 1. */
export class Tanh extends elementwise((input) => ops.tanh(input)) {}
/** x - tanh(x). */
export class Tanhshrink extends elementwise((input) => functional.tanhshrink(input)) {}
/** x sigmoid(x), also called swish. */
export class SiLU extends elementwise((input) => ops.silu(input)) {}
/** x tanh(softplus(x)). */
export class Mish extends elementwise((input) => ops.mish(input)) {}
/** Scaled ELU, which keeps mean and variance (Klambauer et al. 2017). */
export class SELU extends elementwise((input) => ops.selu(input)) {}
/** Piecewise linear approximation of SiLU. */
export class Hardswish extends elementwise((input) => ops.hardswish(input)) {}
/** Piecewise linear approximation of the sigmoid. */
export class Hardsigmoid extends elementwise((input) => ops.hardsigmoid(input)) {}
/** x / (1 + |x|). */
export class Softsign extends elementwise((input) => functional.softsign(input)) {}
/** Gives its input back: a place for a layer that is left out. */
export class Identity extends elementwise((input) => input) {}

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

/** x above 0, `negativeSlope` x below. */
export class LeakyReLU extends Module {
  constructor(readonly negativeSlope = 0.01) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.leakyRelu(input, this.negativeSlope);
  }

  override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** A leaky ReLU whose slope is drawn uniformly for each element in training, and the middle one otherwise. */
export class RReLU extends Module {
  constructor(
    readonly lower = 1 / 8,
    readonly upper = 1 / 3,
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.rrelu(input, this.lower, this.upper, this.training);
  }

  override extraRepr(): string {
    return `lower=${this.lower}, upper=${this.upper}`;
  }
}

/** A leaky ReLU whose slope is learned: one for all, or one per channel (dimension 1). */
export class PReLU extends Module {
  weight: Tensor;

  constructor(
    readonly numParameters = 1,
    options: LayerOptions & { init?: number } = {},
  ) {
    super();
    const { init = 0.25, ...creation } = options;
    refuseLayerOptions("PReLU", creation, "init");
    this.weight = parameter(full([numParameters], init, creation));
  }

  forward(input: Tensor): Tensor {
    return ops.prelu(input, this.weight);
  }

  override extraRepr(): string {
    return `numParameters=${this.numParameters}`;
  }
}

/** x above 0, alpha (exp(x) - 1) below (Clevert et al. 2016). */
export class ELU extends Module {
  constructor(readonly alpha = 1) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.elu(input, this.alpha);
  }

  override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** x above 0, alpha (exp(x / alpha) - 1) below (Barron 2017). */
export class CELU extends Module {
  constructor(readonly alpha = 1) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.celu(input, this.alpha);
  }

  override extraRepr(): string {
    return `alpha=${this.alpha}`;
  }
}

/** x, kept between `minVal` and `maxVal`. */
export class Hardtanh extends Module {
  constructor(
    readonly minVal = -1,
    readonly maxVal = 1,
  ) {
    super();
    if (!(minVal < maxVal)) throw new RangeError(`Hardtanh: ${minVal} is not below ${maxVal}`);
  }

  forward(input: Tensor): Tensor {
    return ops.hardtanh(input, this.minVal, this.maxVal);
  }

  override extraRepr(): string {
    return `minVal=${this.minVal}, maxVal=${this.maxVal}`;
  }
}

/** log(1 + exp(beta x)) / beta; linear where beta x is above `threshold`. */
export class Softplus extends Module {
  constructor(
    readonly beta = 1,
    readonly threshold = 20,
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.softplus(input, this.beta, this.threshold);
  }

  override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

/** Towards zero by `lambd`; zero within. */
export class Softshrink extends Module {
  constructor(readonly lambd = 0.5) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.softshrink(input, this.lambd);
  }

  override extraRepr(): string {
    return `${this.lambd}`;
  }
}

/** Zero within `lambd` of zero, unchanged outside. */
export class Hardshrink extends Module {
  constructor(readonly lambd = 0.5) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.hardshrink(input, this.lambd);
  }

  override extraRepr(): string {
    return `${this.lambd}`;
  }
}

/** x where it is above `threshold`, `value` elsewhere. */
export class Threshold extends Module {
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.threshold(input, this.threshold, this.value);
  }

  override extraRepr(): string {
    return `threshold=${this.threshold}, value=${this.value}`;
  }
}

/** The first half along `dim` times the sigmoid of the second half (Dauphin et al. 2017). */
export class GLU extends Module {
  constructor(readonly dim = -1) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.glu(input, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** Softmax over one dimension. */
export class Softmax extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(input: Tensor): Tensor {
    return ops.softmax(input, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** Softmax of -x over one dimension. */
export class Softmin extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(input: Tensor): Tensor {
    return functional.softmin(input, this.dim);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
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

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * Softmax over the channels of [N, C, H, W] or [C, H, W].
 * @throws TorchError for other numbers of dimensions.
 */
export class Softmax2d extends Module {
  forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4)
      refuse("Softmax2d", `takes 3 or 4 dimensions, got ${shown(input.shape)}`);
    return ops.softmax(input, -3);
  }
}
