import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { ones, zeros } from "../../functions/creation.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";

/** Normalizes over the last dimensions (Ba et al. 2016), then scales and shifts. */
export class LayerNorm extends Module {
  weight: Tensor | null;
  bias: Tensor | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;

  constructor(
    normalizedShape: number | readonly number[],
    options: LayerOptions & { eps?: number; elementwiseAffine?: boolean; bias?: boolean } = {},
  ) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true, ...creation } = options;
    refuseLayerOptions("LayerNorm", creation, "eps, elementwiseAffine, bias");
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = eps;
    this.weight = elementwiseAffine ? parameter(ones(this.normalizedShape, creation)) : null;
    this.bias = elementwiseAffine && bias ? parameter(zeros(this.normalizedShape, creation)) : null;
  }

  forward(input: Tensor): Tensor {
    return ops.layerNorm(input, this.normalizedShape, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}], eps=${this.eps}`;
  }
}
