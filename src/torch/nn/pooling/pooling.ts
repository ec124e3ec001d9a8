import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { Module } from "../base/module.ts";

type Size = number | readonly number[];

export interface PoolOptions {
  /** The kernel's size unless given. */
  stride?: Size;
  padding?: Size;
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

interface AdaptivePool extends Module {
  readonly outputSize: readonly number[];
  forward(input: Tensor): Tensor;
}

/** Makes a layer that averages to a given size whatever the input's. */
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
