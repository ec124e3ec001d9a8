import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { empty } from "../../functions/creation.ts";
import { fans, kaimingUniform_, uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { listed } from "../functional/pooling.ts";

export interface ConvolutionOptions extends LayerOptions {
  readonly stride?: number | readonly number[];
  /** How much is put around the input; "same" keeps its size (with a stride of 1). */
  readonly padding?: number | readonly number[] | "same" | "valid";
  readonly dilation?: number | readonly number[];
  readonly groups?: number;
  readonly bias?: boolean;
  /** What is put around the input: zeros, the input mirrored, its edge, or its other end. Default "zeros". */
  readonly paddingMode?: PaddingMode;
}

const paddingModes = ["zeros", "reflect", "replicate", "circular"] as const;
export type PaddingMode = (typeof paddingModes)[number];

/** The operators have a form for numbers and one for the words "same" and "valid". */
type Convolve = (
  ...args: [
    ...[input: Tensor, weight: Tensor, bias: Tensor | null, stride: readonly number[]],
    ...[padding: readonly number[] | string, dilation: readonly number[], groups: number],
  ]
) => Tensor;
const operators = [ops.conv1d, ops.conv2d, ops.conv3d] as unknown as readonly Convolve[];

/** Numbers before and after each dimension, the last one first. */
function around(
  kernelSize: readonly number[],
  dilation: readonly number[],
  padding: readonly number[] | "same" | "valid",
): number[] {
  const pairs = kernelSize.map((size, i) => {
    if (typeof padding !== "string") return [padding[i], padding[i]];
    const total = padding === "valid" ? 0 : dilation[i] * (size - 1);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  return pairs.reverse().flat();
}

/** Cross-correlation with learned kernels: what convolutions of any number of dimensions have in common. */
abstract class Convolution extends Module {
  weight: Tensor;
  bias: Tensor | null;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | "same" | "valid";
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: PaddingMode;
  /** What `pad` takes where the operator cannot pad by itself. */
  readonly around: readonly number[] | null;

  protected constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: number | readonly number[],
    dimensions: number,
    options: ConvolutionOptions,
  ) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, ...rest } = options;
    const { paddingMode = "zeros", ...creation } = rest;
    refuseLayerOptions(new.target.name, creation, "stride, padding, dilation, groups, bias, paddingMode");
    if (!paddingModes.includes(paddingMode))
      throw new TypeError(
        `${new.target.name}: paddingMode must be one of ${paddingModes.join(", ")}, got ${JSON.stringify(paddingMode)}`,
      );
    if (!Number.isInteger(groups) || groups < 1)
      throw new RangeError(`${new.target.name}: groups must be a whole number of at least 1, got ${groups}`);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new RangeError(
        `${new.target.name}: ${inChannels} and ${outChannels} channels cannot both be split into ${groups} groups`,
      );
    }
    const each = (name: string, value: number | readonly number[]) => {
      const list = listed(value, dimensions);
      if (list.length !== dimensions)
        throw new RangeError(
          `${new.target.name}: ${name} must be one number or ${dimensions}, got [${list.join(", ")}]`,
        );
      return list;
    };
    this.kernelSize = each("kernelSize", kernelSize);
    this.stride = each("stride", stride);
    this.padding = typeof padding === "string" ? padding : each("padding", padding);
    this.dilation = each("dilation", dilation);
    if (typeof padding === "string" && padding !== "same" && padding !== "valid")
      throw new TypeError(`${new.target.name}: padding must be numbers, "same" or "valid", got "${padding}"`);
    if (padding === "same" && this.stride.some((step) => step !== 1))
      throw new RangeError(
        `${new.target.name}: padding "same" needs a stride of 1, got [${this.stride.join(", ")}]`,
      );
    this.groups = groups;
    this.paddingMode = paddingMode;
    this.around = paddingMode === "zeros" ? null : around(this.kernelSize, this.dilation, this.padding);
    this.weight = parameter(empty([outChannels, inChannels / groups, ...this.kernelSize], creation));
    this.bias = bias ? parameter(empty([outChannels], creation)) : null;
    this.resetParameters();
  }

  forward(input: Tensor): Tensor {
    const { weight, bias, stride, padding, dilation, groups, around } = this;
    const convolve = operators[this.kernelSize.length - 1];
    if (around === null || this.paddingMode === "zeros")
      return convolve(input, weight, bias, stride, padding, dilation, groups);
    const padded = ops.pad(input, around, this.paddingMode);
    const none = this.kernelSize.map(() => 0);
    return convolve(padded, weight, bias, stride, none, dilation, groups);
  }

  resetParameters(): void {
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const { fanIn } = fans(this.weight);
    if (this.bias && fanIn > 0) uniform_(this.bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
  }

  override extraRepr(): string {
    const list = (values: readonly number[] | string) =>
      typeof values === "string" ? values : `[${values.join(", ")}]`;
    const mode = this.paddingMode === "zeros" ? "" : `, paddingMode=${this.paddingMode}`;
    return `${this.inChannels}, ${this.outChannels}, kernelSize=${list(this.kernelSize)}, stride=${list(this.stride)}, padding=${list(this.padding)}${mode}`;
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
}
