import type { Tensor } from "../../core/tensor.ts";
import { operator } from "../../dispatch/operators.ts";
import { empty } from "../../functions/creation.ts";
import { fans, kaimingUniform_, uniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";

export interface ConvTransposeOptions extends LayerOptions {
  readonly stride?: number | readonly number[];
  readonly padding?: number | readonly number[];
  /** Added to the size at one side: several sizes shrink to the same in a convolution with a stride. */
  readonly outputPadding?: number | readonly number[];
  readonly groups?: number;
  readonly bias?: boolean;
  readonly dilation?: number | readonly number[];
}

const kernels = [1, 2, 3].map(
  (n) =>
    operator(`aten::conv_transpose${n}d`, [n === 1 ? "" : "input"], `convTranspose${n}d`) as unknown as (
      ...args: readonly unknown[]
    ) => Tensor,
);

/**
 * The gradient of a convolution as a layer of its own: what those of any number of dimensions have in common.
 */
abstract class ConvTranspose extends Module {
  weight: Tensor;
  bias: Tensor | null;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;

  protected constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: number | readonly number[],
    readonly dimensions: number,
    options: ConvTransposeOptions,
  ) {
    super();
    const {
      stride = 1,
      padding = 0,
      outputPadding = 0,
      groups = 1,
      bias = true,
      dilation = 1,
      ...creation
    } = options;
    const { name } = new.target;
    refuseLayerOptions(name, creation, "stride, padding, outputPadding, groups, bias, dilation");
    if (!Number.isInteger(groups) || groups < 1)
      throw new RangeError(`${name}: groups must be a whole number of at least 1, got ${groups}`);
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new RangeError(
        `${name}: ${inChannels} and ${outChannels} channels cannot both be split into ${groups} groups`,
      );
    const each = (value: number | readonly number[]) =>
      typeof value === "number" ? Array.from({ length: dimensions }, () => value) : value;
    this.kernelSize = each(kernelSize);
    this.stride = each(stride);
    this.padding = each(padding);
    this.outputPadding = each(outputPadding);
    this.dilation = each(dilation);
    this.groups = groups;
    this.weight = parameter(empty([inChannels, outChannels / groups, ...this.kernelSize], creation));
    this.bias = bias ? parameter(empty([outChannels], creation)) : null;
    this.resetParameters();
  }

  resetParameters(): void {
    kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const { fanIn } = fans(this.weight);
    if (this.bias && fanIn > 0) uniform_(this.bias, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
  }

  /**
   * With `outputSize` the positions of the result are those.
   * @throws TorchError for a size that no padding gives.
   */
  forward(input: Tensor, outputSize: readonly number[] | null = null): Tensor {
    const { weight, bias, stride, padding, dilation, groups } = this;
    const more = outputSize ? this.outputPaddingFor(input, outputSize) : this.outputPadding;
    return kernels[this.dimensions - 1](input, weight, bias, stride, padding, more, groups, dilation);
  }

  protected outputPaddingFor(input: Tensor, outputSize: readonly number[]): number[] {
    const wanted = outputSize.slice(-this.dimensions);
    const lengths = input.shape.slice(-this.dimensions);
    return wanted.map((size, i) => {
      const least =
        (lengths[i] - 1) * this.stride[i] -
        2 * this.padding[i] +
        this.dilation[i] * (this.kernelSize[i] - 1) +
        1;
      if (!(size >= least && size < least + this.stride[i]))
        refuse(
          this.constructor.name,
          `outputSize ${shown(outputSize)} is not possible for an input of shape ${shown(input.shape)}: dimension ${i} has from ${least} to ${least + this.stride[i] - 1}`,
        );
      return size - least;
    });
  }

  override extraRepr(): string {
    return `${this.inChannels}, ${this.outChannels}, kernelSize=${shown(this.kernelSize)}, stride=${shown(this.stride)}`;
  }
}

/** [N, Cin, L] -> [N, Cout, L']. */
export class ConvTranspose1d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 1, options);
  }
}

/** [N, Cin, H, W] -> [N, Cout, H', W']. */
export class ConvTranspose2d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 2, options);
  }
}

/** [N, Cin, D, H, W] -> [N, Cout, D', H', W']. */
export class ConvTranspose3d extends ConvTranspose {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvTransposeOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, 3, options);
  }
}
