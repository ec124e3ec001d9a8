import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { operator } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import type { LayerClass } from "../base/layerClass.ts";
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

type Kernel = (input: Tensor, p: number, training: boolean) => Tensor;
const kernel = (name: string): Kernel => operator(`aten::${name}`, [""], name) as unknown as Kernel;

interface DropoutLayer extends Module {
  readonly p: number;
  forward(input: Tensor): Tensor;
}

/**
 * Makes a layer of another kind of dropout; `single` is the number of dimensions of an input
 * without a batch that needs one.
 */
function dropoutOf(drop: Kernel, single: number | null = null): LayerClass<[p?: number], DropoutLayer> {
  return class extends Module {
    readonly p: number;

    constructor(p = 0.5) {
      super();
      needProbability(new.target.name, p);
      this.p = p;
    }

    forward(input: Tensor): Tensor {
      if (input.ndim !== single) return drop(input, this.p, this.training);
      return tidy(() => drop(input.unsqueeze(0), this.p, this.training).squeeze(0));
    }

    override extraRepr(): string {
      return `p=${this.p}`;
    }
  };
}

const featureDropout = kernel("feature_dropout");
/** In training sets whole channels of [N, C, L] or [C, L] to zero. */
export class Dropout1d extends dropoutOf(featureDropout, 2) {}
/** In training sets whole channels of [N, C, H, W] to zero. */
export class Dropout2d extends dropoutOf(featureDropout) {}
/** In training sets whole channels of [N, C, D, H, W] or [C, D, H, W] to zero. */
export class Dropout3d extends dropoutOf(featureDropout, 4) {}
/** Dropout for SELU, which keeps mean and variance (Klambauer et al. 2017). */
export class AlphaDropout extends dropoutOf(kernel("alpha_dropout")) {}
/** `AlphaDropout` of whole channels. */
export class FeatureAlphaDropout extends dropoutOf(kernel("feature_alpha_dropout")) {}
