import type { Tensor } from "../../core/tensor.ts";
import { operator } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { Module } from "../base/module.ts";

type Size = number | readonly number[];

export interface PoolOptions {
  /** The kernel's size unless given. */
  readonly stride?: Size;
  readonly padding?: Size;
}

const listed = (size: Size, dimensions: number): readonly number[] =>
  typeof size === "number" ? Array.from({ length: dimensions }, () => size) : size;

type Apply = (
  input: Tensor,
  kernel: readonly number[],
  stride: readonly number[],
  padding: readonly number[],
) => Tensor;

interface SlidingPool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  forward(input: Tensor): Tensor;
}

/** Makes a layer that slides a window over the last `dimensions` dimensions. */
function slidingPool(
  dimensions: number,
  apply: Apply,
): LayerClass<[kernelSize: Size, options?: PoolOptions], SlidingPool> {
  return class extends Module {
    readonly kernelSize: readonly number[];
    readonly stride: readonly number[];
    readonly padding: readonly number[];

    constructor(kernelSize: Size, options: PoolOptions = {}) {
      super();
      this.kernelSize = listed(kernelSize, dimensions);
      this.stride = listed(options.stride ?? kernelSize, dimensions);
      this.padding = listed(options.padding ?? 0, dimensions);
    }

    forward(input: Tensor): Tensor {
      return apply(input, this.kernelSize, this.stride, this.padding);
    }

    override extraRepr(): string {
      return `kernelSize=[${this.kernelSize.join(", ")}], stride=[${this.stride.join(", ")}]`;
    }
  };
}

/** The largest value in each window of [N, C, L]. */
export class MaxPool1d extends slidingPool(1, (...args) => ops.maxPool1d(...args)) {}
/** The largest value in each window of [N, C, H, W]. */
export class MaxPool2d extends slidingPool(2, (...args) => ops.maxPool2d(...args)) {}
/** The mean of each window of [N, C, L]. */
export class AvgPool1d extends slidingPool(1, (...args) => ops.avgPool1d(...args)) {}
/** The mean of each window of [N, C, H, W]. */
export class AvgPool2d extends slidingPool(2, (...args) => ops.avgPool2d(...args)) {}

const kernel = (name: string) =>
  operator(`aten::${name}`, [""], name) as unknown as (...args: readonly unknown[]) => unknown;
const maxPool3d = kernel("max_pool3d") as Apply;
const avgPool3d = kernel("avg_pool3d") as Apply;
/** The largest value in each window of [N, C, D, H, W]. */
export class MaxPool3d extends slidingPool(3, (...args) => maxPool3d(...args)) {}
/** The mean of each window of [N, C, D, H, W]. */
export class AvgPool3d extends slidingPool(3, (...args) => avgPool3d(...args)) {}

interface AdaptivePool extends Module {
  readonly outputSize: readonly number[];
  forward(input: Tensor): Tensor;
}

/** Makes a layer that pools to a given size whatever the input's. */
function adaptivePool(
  dimensions: number,
  apply: (input: Tensor, size: readonly number[]) => Tensor,
): LayerClass<[outputSize: Size], AdaptivePool> {
  return class extends Module {
    readonly outputSize: readonly number[];

    constructor(outputSize: Size) {
      super();
      this.outputSize = listed(outputSize, dimensions);
    }

    forward(input: Tensor): Tensor {
      return apply(input, this.outputSize);
    }

    override extraRepr(): string {
      return `outputSize=[${this.outputSize.join(", ")}]`;
    }
  };
}

/** [N, C, L] -> [N, C, size]. */
export class AdaptiveAvgPool1d extends adaptivePool(1, (input, size) => ops.adaptiveAvgPool1d(input, size)) {}
/** [N, C, H, W] -> [N, C, ...size]. */
export class AdaptiveAvgPool2d extends adaptivePool(2, (input, size) => ops.adaptiveAvgPool2d(input, size)) {}
const adaptiveAvgPool3d = kernel("adaptive_avg_pool3d") as (input: Tensor, size: readonly number[]) => Tensor;
const largestOf = (n: number) => {
  const pool = kernel(`adaptive_max_pool${n}d`) as (
    input: Tensor,
    size: readonly number[],
  ) => [Tensor, Tensor];
  return (input: Tensor, size: readonly number[]): Tensor => {
    const [values, indices] = pool(input, size);
    indices.dispose();
    return values;
  };
};
/** [N, C, D, H, W] -> [N, C, ...size]. */
export class AdaptiveAvgPool3d extends adaptivePool(3, (input, size) => adaptiveAvgPool3d(input, size)) {}
/** The largest values: [N, C, L] -> [N, C, size]. */
export class AdaptiveMaxPool1d extends adaptivePool(1, largestOf(1)) {}
/** The largest values: [N, C, H, W] -> [N, C, ...size]. */
export class AdaptiveMaxPool2d extends adaptivePool(2, largestOf(2)) {}
/** The largest values: [N, C, D, H, W] -> [N, C, ...size]. */
export class AdaptiveMaxPool3d extends adaptivePool(3, largestOf(3)) {}
