import { empty } from "../creation.ts";
import type { Device } from "../device.ts";
import type { DType } from "../dtype.ts";
import * as ops from "../ops.gen.ts";
import type { Tensor } from "../tensor.ts";
import { kaimingUniform_, uniform_ } from "./init.ts";
import { Module, parameter } from "./module.ts";

export interface LayerOptions {
  device?: Device;
  dtype?: DType;
}

/** y = x W^T + b on the last dimension: [..., inFeatures] -> [..., outFeatures]. */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LayerOptions & { bias?: boolean } = {},
  ) {
    super();
    const { bias = true, ...creation } = options;
    this.weight = parameter(empty([outFeatures, inFeatures], creation));
    this.bias = bias ? parameter(empty([outFeatures], creation)) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const bound = this.inFeatures > 0 ? 1 / Math.sqrt(this.inFeatures) : 0;
    if (this.bias) uniform_(this.bias, -bound, bound);
  }

  forward(input: Tensor): Tensor {
    return ops.linear(input, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}
