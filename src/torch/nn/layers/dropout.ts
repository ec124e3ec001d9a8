import type { Tensor } from "../../core/tensor.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { Module } from "../base/module.ts";
import { needProbability } from "../functional/checks.ts";
import * as functional from "../functional/dropout.ts";

interface DropoutLayer extends Module {
  readonly p: number;
  forward(input: Tensor): Tensor;
}

/** Makes the layer of a kind of dropout. */
function dropoutOf(drop: typeof functional.dropout): LayerClass<[p?: number], DropoutLayer> {
  return class extends Module {
    readonly p: number;

    constructor(p = 0.5) {
      super();
      needProbability(new.target.name, p);
      this.p = p;
    }

    forward(input: Tensor): Tensor {
      return this.training && this.p > 0 ? drop(input, this.p, true) : input;
    }

    override extraRepr(): string {
      return `p=${this.p}`;
    }
  };
}

/** In training sets elements to zero with probability `p` and scales the others by 1 / (1 - p). */
export class Dropout extends dropoutOf(functional.dropout) {}
/** In training sets whole channels of [N, C, L] or [C, L] to zero. */
export class Dropout1d extends dropoutOf(functional.dropout1d) {}
/** In training sets whole channels of [N, C, H, W] to zero. */
export class Dropout2d extends dropoutOf(functional.dropout2d) {}
/** In training sets whole channels of [N, C, D, H, W] or [C, D, H, W] to zero. */
export class Dropout3d extends dropoutOf(functional.dropout3d) {}
/** Dropout for SELU, which keeps mean and variance (Klambauer et al. 2017). */
export class AlphaDropout extends dropoutOf(functional.alphaDropout) {}
/** `AlphaDropout` of whole channels. */
export class FeatureAlphaDropout extends dropoutOf(functional.featureAlphaDropout) {}
