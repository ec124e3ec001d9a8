import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { ones, zeros } from "../../functions/creation.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { groupNorm } from "../functional/index.ts";

/** Divides by the root mean square over the last dimensions (Zhang and Sennrich 2019), then scales. */
export class RMSNorm extends Module {
  weight: Tensor | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number | null;

  /** Without `eps` it is the smallest step of the input's dtype, as in PyTorch. */
  constructor(
    normalizedShape: number | readonly number[],
    options: LayerOptions & { eps?: number; elementwiseAffine?: boolean } = {},
  ) {
    super();
    const { eps, elementwiseAffine = true, ...creation } = options;
    refuseLayerOptions("RMSNorm", creation, "eps, elementwiseAffine");
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = eps ?? null;
    this.weight = elementwiseAffine ? parameter(ones(this.normalizedShape, creation)) : null;
  }

  forward(input: Tensor): Tensor {
    return ops.rmsNorm(input, this.normalizedShape, this.weight, this.eps);
  }

  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}], eps=${this.eps}`;
  }
}

/** Normalizes groups of channels of each example (Wu and He 2018): [N, C, ...]. */
export class GroupNorm extends Module {
  weight: Tensor | null;
  bias: Tensor | null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: LayerOptions & { eps?: number; affine?: boolean } = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, ...creation } = options;
    refuseLayerOptions("GroupNorm", creation, "eps, affine");
    if (numChannels % numGroups !== 0)
      throw new RangeError(`GroupNorm: ${numChannels} channels cannot be split into ${numGroups} groups`);
    this.eps = eps;
    this.weight = affine ? parameter(ones([numChannels], creation)) : null;
    this.bias = affine ? parameter(zeros([numChannels], creation)) : null;
  }

  forward(input: Tensor): Tensor {
    return groupNorm(input, this.numGroups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}`;
  }
}
