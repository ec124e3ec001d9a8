import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { empty } from "../../functions/creation.ts";
import { fans, kaimingUniform_, uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";

export interface ConvolutionOptions extends LayerOptions {
  readonly stride?: number | readonly number[];
  /** Zeros around the input; "same" keeps its size (with a stride of 1). */
  readonly padding?: number | readonly number[] | "same" | "valid";
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
  readonly bias?: boolean;
}

/** Cross-correlation with learned kernels: what convolutions of any number of dimensions have in common. */
abstract class Convolution extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | "same" | "valid";
  readonly dilation: readonly number[];
  readonly groups: number;

  protected constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: number | readonly number[],
    dimensions: number,
    options: ConvolutionOptions,
  ) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, ...creation } = options;
    refuseLayerOptions(new.target.name, creation, "stride, padding, dilation, groups, bias");
    if (!Number.isInteger(groups) || groups < 1)
      throw new RangeError(`${new.target.name}: groups must be a whole number of at least 1, got ${groups}`);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new RangeError(
        `${new.target.name}: ${inChannels} and ${outChannels} channels cannot both be split into ${groups} groups`,
      );
    }
    const each = (value: number | readonly number[]) =>
      typeof value === "number" ? Array.from({ length: dimensions }, () => value) : value;
    this.kernelSize = each(kernelSize);
    this.stride = each(stride);
    this.padding = typeof padding === "string" ? padding : each(padding);
    this.dilation = each(dilation);
    if (typeof padding === "string" && padding !== "same" && padding !== "valid")
      throw new TypeError(`${new.target.name}: padding must be numbers, "same" or "valid", got "${padding}"`);
    if (padding === "same" && this.stride.some((step) => step !== 1))
      throw new RangeError(
        `${new.target.name}: padding "same" needs a stride of 1, got [${this.stride.join(", ")}]`,
      );
    this.groups = groups;
    this.weight = parameter(empty([outChannels, inChannels / groups, ...this.kernelSize], creation));
    this.bias = bias ? parameter(empty([outChannels], creation)) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const { fanIn } = fans(this.weight);
    if (this.bias && fanIn > 0) uniform_(this.bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
  }

  override extraRepr(): string {
    const list = (values: readonly number[] | string) =>
      typeof values === "string" ? values : `[${values.join(", ")}]`;
    return `${this.inChannels}, ${this.outChannels}, kernelSize=${list(this.kernelSize)}, stride=${list(this.stride)}, padding=${list(this.padding)}`;
  }
}

/** [N, Cin, L] -> [N, Cout, L']. */
export class Conv1d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvolutionOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 1, options);
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    // The operator has a form for each kind of padding.
    return typeof padding === "string"
      ? ops.conv1d(input, weight, bias, stride, padding, dilation, groups)
      : ops.conv1d(input, weight, bias, stride, padding, dilation, groups);
  }
}

/** [N, Cin, H, W] -> [N, Cout, H', W']. */
export class Conv2d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvolutionOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 2, options);
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    // The operator has a form for each kind of padding.
    return typeof padding === "string"
      ? ops.conv2d(input, weight, bias, stride, padding, dilation, groups)
      : ops.conv2d(input, weight, bias, stride, padding, dilation, groups);
  }
}

/** [N, Cin, D, H, W] -> [N, Cout, D', H', W']. */
export class Conv3d extends Convolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvolutionOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 3, options);
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    // The operator has a form for each kind of padding.
    return typeof padding === "string"
      ? ops.conv3d(input, weight, bias, stride, padding, dilation, groups)
      : ops.conv3d(input, weight, bias, stride, padding, dilation, groups);
  }
}
