import type { Tensor } from "../../core/tensor.ts";
import { Module } from "../base/module.ts";
import { shown } from "../functional/checks.ts";
import * as pools from "../functional/fractionalPooling.ts";

type Size = number | readonly number[];

export interface FractionalMaxPoolOptions<Indices extends boolean = boolean> extends pools.FractionalSize {
  /** Give [values, indices]. */
  readonly returnIndices?: Indices;
}

type Pooled<Indices extends boolean> = Indices extends true ? [values: Tensor, indices: Tensor] : Tensor;

abstract class FractionalMaxPool<Indices extends boolean> extends Module {
  readonly returnIndices: boolean;
  readonly #size: pools.FractionalSize;

  protected constructor(
    readonly dimensions: 2 | 3,
    readonly kernelSize: Size,
    { returnIndices, ...size }: FractionalMaxPoolOptions<Indices>,
  ) {
    super();
    pools.checkFractionalSize(new.target.name, size);
    this.returnIndices = returnIndices ?? false;
    this.#size = size;
  }

  forward(input: Tensor): Pooled<Indices> {
    const isPlane = this.dimensions === 2;
    const both = isPlane ? pools.fractionalMaxPool2dWithIndices : pools.fractionalMaxPool3dWithIndices;
    const values = isPlane ? pools.fractionalMaxPool2d : pools.fractionalMaxPool3d;
    return (this.returnIndices ? both : values)(input, this.kernelSize, this.#size) as Pooled<Indices>;
  }

  override extraRepr(): string {
    const { outputSize, outputRatio } = this.#size;
    const list = (size: Size) => (typeof size === "number" ? String(size) : shown(size));
    const size = outputSize ? `outputSize=${list(outputSize)}` : `outputRatio=${list(outputRatio ?? [])}`;
    return `kernelSize=${list(this.kernelSize)}, ${size}`;
  }
}

/**
 * The largest values of windows whose places are drawn anew at each call (Graham 2014), as many as wanted:
 * [N, C, H, W] -> [N, C, ...outputSize].
 */
export class FractionalMaxPool2d<Indices extends boolean = false> extends FractionalMaxPool<Indices> {
  constructor(kernelSize: Size, options: FractionalMaxPoolOptions<Indices>) {
    super(2, kernelSize, options);
  }
}

/** See `FractionalMaxPool2d`: [N, C, D, H, W]. */
export class FractionalMaxPool3d<Indices extends boolean = false> extends FractionalMaxPool<Indices> {
  constructor(kernelSize: Size, options: FractionalMaxPoolOptions<Indices>) {
    super(3, kernelSize, options);
  }
}
