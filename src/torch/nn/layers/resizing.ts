/** Layers that resize, fold and shuffle images, and that pad them. */
import type { Tensor } from "../../core/tensor.ts";
import { pad, pixelShuffle } from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { Module } from "../base/module.ts";
import {
  fold,
  type InterpolateOptions,
  interpolate,
  pixelUnshuffle,
  unfold,
  type WindowOptions,
} from "../functional/vision.ts";

/** Channels become squares of pixels (Shi et al. 2016): [..., C r^2, H, W] -> [..., C, H r, W r]. */
export class PixelShuffle extends Module {
  constructor(readonly upscaleFactor: number) {
    super();
  }

  forward(input: Tensor): Tensor {
    return pixelShuffle(input, this.upscaleFactor);
  }

  override extraRepr(): string {
    return `upscaleFactor=${this.upscaleFactor}`;
  }
}

/** Squares of pixels become channels: [..., C, H r, W r] -> [..., C r^2, H, W]. */
export class PixelUnshuffle extends Module {
  constructor(readonly downscaleFactor: number) {
    super();
  }

  forward(input: Tensor): Tensor {
    return pixelUnshuffle(input, this.downscaleFactor);
  }

  override extraRepr(): string {
    return `downscaleFactor=${this.downscaleFactor}`;
  }
}

/** `functional.interpolate` as a layer. */
export class Upsample extends Module {
  constructor(readonly options: Omit<InterpolateOptions, "antialias"> = {}) {
    super();
    const {
      size: _,
      scaleFactor: __,
      mode: ___,
      alignCorners: ____,
      recomputeScaleFactor: _____,
      ...others
    } = options;
    refuseOthers("Upsample", others, "size, scaleFactor, mode, alignCorners, recomputeScaleFactor");
  }

  forward(input: Tensor): Tensor {
    return interpolate(input, this.options);
  }

  override extraRepr(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(", ");
  }
}

/** `functional.fold` as a layer. */
export class Fold extends Module {
  constructor(
    readonly outputSize: number | readonly number[],
    readonly kernelSize: number | readonly number[],
    readonly options: WindowOptions = {},
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return fold(input, this.outputSize, this.kernelSize, this.options);
  }
}

/** `functional.unfold` as a layer. */
export class Unfold extends Module {
  constructor(
    readonly kernelSize: number | readonly number[],
    readonly options: WindowOptions = {},
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return unfold(input, this.kernelSize, this.options);
  }
}

type Padding = number | readonly number[];

interface PaddingLayer extends Module {
  readonly padding: readonly number[];
  forward(input: Tensor): Tensor;
}

/**
 * Makes a layer that pads the last `dimensions` dimensions: one number, or before and after for
 * each, from the last one on.
 */
function padding(
  dimensions: number,
  mode: "reflect" | "replicate" | "circular" | "constant",
): LayerClass<[padding: Padding, value?: number], PaddingLayer> {
  return class extends Module {
    readonly padding: readonly number[];
    readonly value: number;

    constructor(size: Padding, value = 0) {
      super();
      this.padding = typeof size === "number" ? Array.from({ length: 2 * dimensions }, () => size) : size;
      this.value = value;
      if (this.padding.length !== 2 * dimensions)
        throw new RangeError(
          `${new.target.name}: takes one number or ${2 * dimensions}, got ${this.padding.length}`,
        );
    }

    forward(input: Tensor): Tensor {
      return mode === "constant"
        ? pad(input, this.padding, "constant", this.value)
        : pad(input, this.padding, mode);
    }

    override extraRepr(): string {
      return `[${this.padding.join(", ")}]`;
    }
  };
}

/** A value around [N, C, L]. */
export class ConstantPad1d extends padding(1, "constant") {}
/** A value around [N, C, H, W]. */
export class ConstantPad2d extends padding(2, "constant") {}
/** A value around [N, C, D, H, W]. */
export class ConstantPad3d extends padding(3, "constant") {}
/** Zeros around [N, C, L]. */
export class ZeroPad1d extends padding(1, "constant") {}
/** Zeros around [N, C, H, W]. */
export class ZeroPad2d extends padding(2, "constant") {}
/** Zeros around [N, C, D, H, W]. */
export class ZeroPad3d extends padding(3, "constant") {}
/** [N, C, L], mirrored at its edges. */
export class ReflectionPad1d extends padding(1, "reflect") {}
/** [N, C, H, W], mirrored at its edges. */
export class ReflectionPad2d extends padding(2, "reflect") {}
/** [N, C, D, H, W], mirrored at its edges. */
export class ReflectionPad3d extends padding(3, "reflect") {}
/** The edge of [N, C, L], repeated. */
export class ReplicationPad1d extends padding(1, "replicate") {}
/** The edge of [N, C, H, W], repeated. */
export class ReplicationPad2d extends padding(2, "replicate") {}
/** The edge of [N, C, D, H, W], repeated. */
export class ReplicationPad3d extends padding(3, "replicate") {}
/** [N, C, L], going on at its other end. */
export class CircularPad1d extends padding(1, "circular") {}
/** [N, C, H, W], going on at its other end. */
export class CircularPad2d extends padding(2, "circular") {}
/** [N, C, D, H, W], going on at its other end. */
export class CircularPad3d extends padding(3, "circular") {}
