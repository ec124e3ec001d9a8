import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { Module } from "../base/module.ts";
import { shown } from "../functional/checks.ts";
import * as pools from "../functional/pooling.ts";

type Size = number | readonly number[];

interface WindowOptions {
  /** The kernel's size unless given. */
  readonly stride?: Size | null;
  readonly padding?: Size;
  /** Let a last window reach over the end rather than leave the rest out. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions<Indices extends boolean = boolean> extends WindowOptions {
  readonly dilation?: Size;
  /** Give [values, indices]; the indices are the places that `MaxUnpool1d` and its sisters take. */
  readonly returnIndices?: Indices;
}

export interface AvgPool1dOptions extends WindowOptions {
  /** Whether the padding's zeros count among a window's values. Default true. */
  readonly countIncludePad?: boolean;
}

export interface AvgPoolOptions extends AvgPool1dOptions {
  /** What to divide each window's sum by, instead of its size. */
  readonly divisorOverride?: number | null;
}

/** Values, with their places where these are wanted. */
type Pooled<Indices extends boolean> = Indices extends true ? [values: Tensor, indices: Tensor] : Tensor;

/** What windows that slide over the last `dimensions` dimensions have in common. */
abstract class SlidingPool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceilMode: boolean;

  protected constructor(
    readonly dimensions: number,
    kernelSize: Size,
    { stride, padding = 0, ceilMode = false, ...others }: WindowOptions,
    known: string,
  ) {
    super();
    refuseOthers(new.target.name, others, `stride, padding, ceilMode, ${known}`);
    this.kernelSize = pools.listed(kernelSize, dimensions);
    this.stride = pools.listed(stride ?? kernelSize, dimensions);
    this.padding = pools.listed(padding, dimensions);
    this.ceilMode = ceilMode;
  }

  override extraRepr(): string {
    const { kernelSize, stride, padding, ceilMode } = this;
    return `kernelSize=${shown(kernelSize)}, stride=${shown(stride)}, padding=${shown(padding)}, ceilMode=${ceilMode}`;
  }
}

type LargestOf = (input: Tensor, ...settings: (readonly number[] | boolean)[]) => unknown;
const largest = [
  { values: ops.maxPool1d, both: pools.maxPool1dWithIndices },
  { values: ops.maxPool2d, both: pools.maxPool2dWithIndices },
  { values: pools.maxPool3d, both: pools.maxPool3dWithIndices },
] as unknown as readonly { values: LargestOf; both: LargestOf }[];

abstract class MaxPool<Indices extends boolean> extends SlidingPool {
  readonly dilation: readonly number[];
  readonly returnIndices: boolean;

  protected constructor(dimensions: number, kernelSize: Size, options: MaxPoolOptions<Indices>) {
    const { dilation = 1, returnIndices = false, ...window } = options;
    super(dimensions, kernelSize, window, "dilation, returnIndices");
    this.dilation = pools.listed(dilation, dimensions);
    this.returnIndices = returnIndices;
  }

  forward(input: Tensor): Pooled<Indices> {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    const { values, both } = largest[this.dimensions - 1];
    const pool = this.returnIndices ? both : values;
    return pool(input, kernelSize, stride, padding, dilation, ceilMode) as Pooled<Indices>;
  }
}

/** The largest value in each window of [N, C, L]. */
export class MaxPool1d<Indices extends boolean = false> extends MaxPool<Indices> {
  constructor(kernelSize: Size, options: MaxPoolOptions<Indices> = {}) {
    super(1, kernelSize, options);
  }
}

/** The largest value in each window of [N, C, H, W]. */
export class MaxPool2d<Indices extends boolean = false> extends MaxPool<Indices> {
  constructor(kernelSize: Size, options: MaxPoolOptions<Indices> = {}) {
    super(2, kernelSize, options);
  }
}

/** The largest value in each window of [N, C, D, H, W]. */
export class MaxPool3d<Indices extends boolean = false> extends MaxPool<Indices> {
  constructor(kernelSize: Size, options: MaxPoolOptions<Indices> = {}) {
    super(3, kernelSize, options);
  }
}

abstract class AvgPool extends SlidingPool {
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;

  protected constructor(dimensions: number, kernelSize: Size, options: AvgPoolOptions) {
    const { countIncludePad = true, divisorOverride = null, ...window } = options;
    super(
      dimensions,
      kernelSize,
      window,
      dimensions === 1 ? "countIncludePad" : "countIncludePad, divisorOverride",
    );
    if (dimensions === 1)
      refuseOthers(new.target.name, { divisorOverride: options.divisorOverride }, "countIncludePad");
    this.countIncludePad = countIncludePad;
    this.divisorOverride = divisorOverride;
  }

  forward(input: Tensor): Tensor {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    if (this.dimensions === 1)
      return ops.avgPool1d(input, kernelSize, stride, padding, ceilMode, countIncludePad);
    const pool = this.dimensions === 2 ? ops.avgPool2d : pools.avgPool3d;
    return pool(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride);
  }
}

/** The mean of each window of [N, C, L]. */
export class AvgPool1d extends AvgPool {
  constructor(kernelSize: Size, options: AvgPool1dOptions = {}) {
    super(1, kernelSize, options);
  }
}

/** The mean of each window of [N, C, H, W]. */
export class AvgPool2d extends AvgPool {
  constructor(kernelSize: Size, options: AvgPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}

/** The mean of each window of [N, C, D, H, W]. */
export class AvgPool3d extends AvgPool {
  constructor(kernelSize: Size, options: AvgPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

interface UnpoolLayer extends Module {
  readonly kernelSize: readonly number[];
  forward(input: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor;
}

function unpooling(
  dimensions: number,
  unpool: typeof pools.maxUnpool1d,
): LayerClass<[kernelSize: Size, options?: Omit<pools.UnpoolOptions, "outputSize">], UnpoolLayer> {
  return class extends Module {
    readonly kernelSize: readonly number[];
    readonly stride: readonly number[];
    readonly padding: readonly number[];

    constructor(kernelSize: Size, options: Omit<pools.UnpoolOptions, "outputSize"> = {}) {
      super();
      const { stride, padding = 0, ...others } = options;
      refuseOthers(new.target.name, others, "stride, padding");
      this.kernelSize = pools.listed(kernelSize, dimensions);
      this.stride = pools.listed(stride ?? kernelSize, dimensions);
      this.padding = pools.listed(padding, dimensions);
    }

    forward(input: Tensor, indices: Tensor, outputSize: readonly number[] | null = null): Tensor {
      return unpool(input, indices, this.kernelSize, {
        stride: this.stride,
        padding: this.padding,
        outputSize,
      });
    }

    override extraRepr(): string {
      return `kernelSize=${shown(this.kernelSize)}, stride=${shown(this.stride)}, padding=${shown(this.padding)}`;
    }
  };
}

/** See `functional.maxUnpool1d`: values and places [N, C, L] -> [N, C, L']. */
export class MaxUnpool1d extends unpooling(1, pools.maxUnpool1d) {}
/** See `functional.maxUnpool1d`: values and places [N, C, H, W] -> [N, C, H', W']. */
export class MaxUnpool2d extends unpooling(2, pools.maxUnpool2d) {}
/** See `functional.maxUnpool1d`: values and places [N, C, D, H, W] -> [N, C, D', H', W']. */
export class MaxUnpool3d extends unpooling(3, pools.maxUnpool3d) {}

interface AdaptivePool extends Module {
  readonly outputSize: readonly number[];
  forward(input: Tensor): Tensor;
}

/** Makes a layer that takes means of parts, so many whatever the input's size. */
function adaptiveMean(
  dimensions: number,
  pool: (input: Tensor, size: readonly number[]) => Tensor,
): LayerClass<[outputSize: Size], AdaptivePool> {
  return class extends Module {
    readonly outputSize: readonly number[];

    constructor(outputSize: Size) {
      super();
      this.outputSize = pools.listed(outputSize, dimensions);
    }

    forward(input: Tensor): Tensor {
      return pool(input, this.outputSize);
    }

    override extraRepr(): string {
      return `outputSize=${shown(this.outputSize)}`;
    }
  };
}

/** [N, C, L] -> [N, C, size]. */
export class AdaptiveAvgPool1d extends adaptiveMean(1, (input, size) => ops.adaptiveAvgPool1d(input, size)) {}
/** [N, C, H, W] -> [N, C, ...size]. */
export class AdaptiveAvgPool2d extends adaptiveMean(2, (input, size) => ops.adaptiveAvgPool2d(input, size)) {}
/** [N, C, D, H, W] -> [N, C, ...size]. */
export class AdaptiveAvgPool3d extends adaptiveMean(3, pools.adaptiveAvgPool3d) {}

const adaptiveLargest = [
  { values: pools.adaptiveMaxPool1d, both: pools.adaptiveMaxPool1dWithIndices },
  { values: pools.adaptiveMaxPool2d, both: pools.adaptiveMaxPool2dWithIndices },
  { values: pools.adaptiveMaxPool3d, both: pools.adaptiveMaxPool3dWithIndices },
];

export interface AdaptiveMaxPoolOptions<Indices extends boolean = boolean> {
  /** Give [values, indices]. */
  readonly returnIndices?: Indices;
}

abstract class AdaptiveMaxPool<Indices extends boolean> extends Module {
  readonly outputSize: readonly number[];
  readonly returnIndices: boolean;

  protected constructor(
    readonly dimensions: number,
    outputSize: Size,
    { returnIndices, ...others }: AdaptiveMaxPoolOptions<Indices>,
  ) {
    super();
    refuseOthers(new.target.name, others, "returnIndices");
    this.outputSize = pools.listed(outputSize, dimensions);
    this.returnIndices = returnIndices ?? false;
  }

  forward(input: Tensor): Pooled<Indices> {
    const { values, both } = adaptiveLargest[this.dimensions - 1];
    const pool = this.returnIndices ? both : values;
    return pool(input, this.outputSize) as Pooled<Indices>;
  }

  override extraRepr(): string {
    return `outputSize=${shown(this.outputSize)}`;
  }
}

/** The largest values: [N, C, L] -> [N, C, size]. */
export class AdaptiveMaxPool1d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  constructor(outputSize: Size, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    super(1, outputSize, options);
  }
}

/** The largest values: [N, C, H, W] -> [N, C, ...size]. */
export class AdaptiveMaxPool2d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  constructor(outputSize: Size, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    super(2, outputSize, options);
  }
}

/** The largest values: [N, C, D, H, W] -> [N, C, ...size]. */
export class AdaptiveMaxPool3d<Indices extends boolean = false> extends AdaptiveMaxPool<Indices> {
  constructor(outputSize: Size, options: AdaptiveMaxPoolOptions<Indices> = {}) {
    super(3, outputSize, options);
  }
}

interface PowerPoolOptions {
  /** The kernel's size unless given. */
  readonly stride?: Size | null;
  readonly ceilMode?: boolean;
}

interface PowerPoolLayer extends Module {
  readonly normType: number;
  forward(input: Tensor): Tensor;
}

/** Makes a layer that takes norms of windows. */
function powerPool(
  pool: typeof pools.lpPool1d,
): LayerClass<[normType: number, kernelSize: Size, options?: PowerPoolOptions], PowerPoolLayer> {
  return class extends Module {
    readonly stride: Size | null;
    readonly ceilMode: boolean;

    constructor(
      readonly normType: number,
      readonly kernelSize: Size,
      { stride = null, ceilMode = false, ...others }: PowerPoolOptions = {},
    ) {
      super();
      refuseOthers(new.target.name, others, "stride, ceilMode");
      this.stride = stride;
      this.ceilMode = ceilMode;
    }

    forward(input: Tensor): Tensor {
      return pool(input, this.normType, this.kernelSize, this.stride, this.ceilMode);
    }

    override extraRepr(): string {
      const { normType, kernelSize, stride, ceilMode } = this;
      return `normType=${normType}, kernelSize=${kernelSize}, stride=${stride}, ceilMode=${ceilMode}`;
    }
  };
}

/** The norm `normType` of each window of [N, C, L]. */
export class LPPool1d extends powerPool(pools.lpPool1d) {}
/** The norm `normType` of each window of [N, C, H, W]. */
export class LPPool2d extends powerPool(pools.lpPool2d) {}
/** The norm `normType` of each window of [N, C, D, H, W]. */
export class LPPool3d extends powerPool(pools.lpPool3d) {}
