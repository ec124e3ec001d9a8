import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { empty } from "../../functions/creation.ts";
import { kaimingUniform_, uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";

/** y = x W^T + b on the last dimension: [..., inFeatures] -> [..., outFeatures]. */
export class Linear extends Module {
  weight: Tensor;
  bias: Tensor | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LayerOptions & { bias?: boolean } = {},
  ) {
    super();
    const { bias = true, ...creation } = options;
    refuseLayerOptions("Linear", creation, "bias");
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

/** y = x1^T W x2 + b for each output: [..., in1Features], [..., in2Features] -> [..., outFeatures]. */
export class Bilinear extends Module {
  weight: Tensor;
  bias: Tensor | null;

  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    options: LayerOptions & { bias?: boolean } = {},
  ) {
    super();
    const { bias = true, ...creation } = options;
    refuseLayerOptions("Bilinear", creation, "bias");
    if (!(in1Features > 0)) throw new RangeError(`Bilinear: in1Features must be above 0, got ${in1Features}`);
    this.weight = parameter(empty([outFeatures, in1Features, in2Features], creation));
    this.bias = bias ? parameter(empty([outFeatures], creation)) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    for (const value of this.parameters()) uniform_(value, -bound, bound);
  }

  forward(input1: Tensor, input2: Tensor): Tensor {
    return ops.bilinear(input1, input2, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in1Features=${this.in1Features}, in2Features=${this.in2Features}, outFeatures=${this.outFeatures}`;
  }
}
