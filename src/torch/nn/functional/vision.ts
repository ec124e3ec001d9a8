/** Sizes and places of images: what of `torch.nn.functional` resizes, samples, folds and shuffles. */
import type { Tensor } from "../../core/tensor.ts";
import { warn } from "../../core/warn.ts";
import { operator } from "../../dispatch/operators.ts";
import { adaptiveAvgPool1d, adaptiveAvgPool2d } from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { refuse, shown } from "./checks.ts";

type Kernel = (...args: readonly unknown[]) => Tensor;
const kernel = (name: string, overload = ""): Kernel =>
  operator(`aten::${name}`, [overload], name) as unknown as Kernel;

const kernels = {
  affineGrid: kernel("affine_grid_generator"),
  gridSampler: kernel("grid_sampler"),
  col2im: kernel("col2im"),
  im2col: kernel("im2col"),
  pixelUnshuffle: kernel("pixel_unshuffle"),
  adaptiveAvgPool3d: kernel("adaptive_avg_pool3d"),
};

/** The resizing operators by mode, for one, two and three dimensions of positions. */
const resizers: Readonly<Record<string, readonly (Kernel | null)[]>> = {
  nearest: [1, 2, 3].map((n) => kernel(`upsample_nearest${n}d`, "vec")),
  "nearest-exact": [1, 2, 3].map((n) => kernel(`_upsample_nearest_exact${n}d`, "vec")),
  linear: [kernel("upsample_linear1d", "vec"), null, null],
  bilinear: [null, kernel("upsample_bilinear2d", "vec"), null],
  bicubic: [null, kernel("upsample_bicubic2d", "vec"), null],
  trilinear: [null, null, kernel("upsample_trilinear3d", "vec")],
};
const smoothed: Readonly<Record<string, Kernel>> = {
  bilinear: kernel("_upsample_bilinear2d_aa", "vec"),
  bicubic: kernel("_upsample_bicubic2d_aa", "vec"),
};

export type InterpolationMode =
  | "nearest"
  | "nearest-exact"
  | "linear"
  | "bilinear"
  | "bicubic"
  | "trilinear"
  | "area";

export interface InterpolateOptions {
  /** The positions of the result; or `scaleFactor`. */
  readonly size?: number | readonly number[] | null;
  readonly scaleFactor?: number | readonly number[] | null;
  readonly mode?: InterpolationMode;
  /**
   * Whether the corners' centres stay in place rather than their edges; for linear,
   * bilinear, bicubic and trilinear.
   */
  readonly alignCorners?: boolean | null;
  /** Compute the scale from the rounded size again. */
  readonly recomputeScaleFactor?: boolean | null;
  /** Smooth when making smaller; for bilinear and bicubic. */
  readonly antialias?: boolean;
}

/**
 * Resizes [N, C, ...positions] to a size or by a factor.
 * @throws TypeError or TorchError for a mode that does not fit the dimensions, both or none of size and
 * factor, or options that the mode does not have.
 * @example torch.nn.functional.interpolate(image, { scaleFactor: 2, mode: "bilinear" });
 */
export function interpolate(input: Tensor, options: InterpolateOptions = {}): Tensor {
  const {
    size = null,
    scaleFactor = null,
    mode = "nearest",
    alignCorners = null,
    recomputeScaleFactor = null,
    antialias = false,
    ...others
  } = options;
  refuseOthers(
    "interpolate",
    others,
    "size, scaleFactor, mode, alignCorners, recomputeScaleFactor, antialias",
  );
  const dimensions = input.ndim - 2;
  if (dimensions < 1 || dimensions > 3)
    refuse("interpolate", `takes 3 to 5 dimensions, got ${shown(input.shape)}`);
  const aligns = ["linear", "bilinear", "bicubic", "trilinear"].includes(mode);
  if (alignCorners !== null && !aligns)
    throw new TypeError(`interpolate: alignCorners does not go with mode "${mode}"`);
  if ((size === null) === (scaleFactor === null))
    throw new TypeError("interpolate: takes either a size or a scaleFactor");
  const each = (name: string, value: number | readonly number[]): readonly number[] => {
    const list = typeof value === "number" ? Array.from({ length: dimensions }, () => value) : value;
    if (list.length !== dimensions)
      refuse(
        "interpolate",
        `${name} has ${list.length} numbers, the input ${shown(input.shape)} has ${dimensions} dimensions of positions`,
      );
    return list;
  };
  let sizes = size === null ? null : each("size", size);
  let factors = scaleFactor === null ? null : each("scaleFactor", scaleFactor);
  if (recomputeScaleFactor && sizes)
    throw new TypeError("interpolate: recomputeScaleFactor goes with a scaleFactor");
  if (factors && (recomputeScaleFactor || mode === "area")) {
    const given = factors;
    sizes = input.shape.slice(2).map((length, i) => Math.floor(length * given[i]));
    factors = null;
  }
  if (antialias && !(mode in smoothed))
    throw new TypeError('interpolate: antialias goes with "bilinear" and "bicubic"');
  if (mode === "area") {
    const pools = [adaptiveAvgPool1d, adaptiveAvgPool2d, kernels.adaptiveAvgPool3d] as Kernel[];
    return pools[dimensions - 1](input, sizes);
  }
  const resize = antialias && dimensions === 2 ? smoothed[mode] : resizers[mode]?.[dimensions - 1];
  if (!resize)
    throw new TypeError(
      `interpolate: mode ${JSON.stringify(mode)} does not go with an input of shape ${shown(input.shape)}`,
    );
  return aligns ? resize(input, sizes, alignCorners ?? false, factors) : resize(input, sizes, factors);
}

export interface GridSampleOptions {
  readonly mode?: "bilinear" | "nearest" | "bicubic";
  /** What lies outside: zeros, the edge, or the image mirrored. */
  readonly paddingMode?: "zeros" | "border" | "reflection";
  readonly alignCorners?: boolean | null;
}

/**
 * Samples [N, C, H, W] at places [N, H', W', 2] (x, y from -1 to 1), or [N, C, D, H,
 * W] at [N, D', H', W', 3].
 * @throws TypeError for an unknown mode.
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = "bilinear", paddingMode = "zeros", alignCorners = null, ...others } = options;
  refuseOthers("gridSample", others, "mode, paddingMode, alignCorners");
  const modes = ["bilinear", "nearest", "bicubic"];
  const paddings = ["zeros", "border", "reflection"];
  if (!modes.includes(mode))
    throw new TypeError(`gridSample: mode must be one of ${modes.join(", ")}, got ${mode}`);
  if (!paddings.includes(paddingMode))
    throw new TypeError(`gridSample: paddingMode must be one of ${paddings.join(", ")}, got ${paddingMode}`);
  if (alignCorners === null)
    warn("gridSample: alignCorners is false unless given, since PyTorch 1.3; say which is meant");
  return kernels.gridSampler(
    input,
    grid,
    modes.indexOf(mode),
    paddings.indexOf(paddingMode),
    alignCorners ?? false,
  );
}

/**
 * Places to sample for affine maps theta [N, 2, 3] and results [N, C, H, W], or [N, 3, 4] and [N, C, D,
 * H, W]; see `gridSample`.
 * @throws TorchError for other shapes.
 */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  { alignCorners = null }: { alignCorners?: boolean | null } = {},
): Tensor {
  const dimensions = size.length - 2;
  if (
    (dimensions !== 2 && dimensions !== 3) ||
    theta.ndim !== 3 ||
    shown(theta.shape.slice(1)) !== shown([dimensions, dimensions + 1])
  )
    refuse(
      "affineGrid",
      `takes maps [N, 2, 3] with a size of 4 numbers, or [N, 3, 4] with 5, got ${shown(theta.shape)} and ${shown(size)}`,
    );
  if (!size.every((length) => Number.isInteger(length) && length > 0))
    refuse("affineGrid", `the size must be whole numbers above 0, got ${shown(size)}`);
  if (alignCorners === null)
    warn("affineGrid: alignCorners is false unless given, since PyTorch 1.3; say which is meant");
  return kernels.affineGrid(theta, size, alignCorners ?? false);
}

type Pair = number | readonly number[];
const pair = (value: Pair): readonly number[] => (typeof value === "number" ? [value, value] : value);

export interface WindowOptions {
  readonly dilation?: Pair;
  readonly padding?: Pair;
  readonly stride?: Pair;
}

/** Sums windows [N, C h w, L] into images [N, C, H, W] of the size given. */
export function fold(
  input: Tensor,
  outputSize: Pair,
  kernelSize: Pair,
  { dilation = 1, padding = 0, stride = 1, ...others }: WindowOptions = {},
): Tensor {
  refuseOthers("fold", others, "dilation, padding, stride");
  return kernels.col2im(
    input,
    pair(outputSize),
    pair(kernelSize),
    pair(dilation),
    pair(padding),
    pair(stride),
  );
}

/** The windows of images [N, C, H, W] as columns [N, C h w, L]. */
export function unfold(
  input: Tensor,
  kernelSize: Pair,
  { dilation = 1, padding = 0, stride = 1, ...others }: WindowOptions = {},
): Tensor {
  refuseOthers("unfold", others, "dilation, padding, stride");
  return kernels.im2col(input, pair(kernelSize), pair(dilation), pair(padding), pair(stride));
}

/** Squares of pixels become channels: [..., C, H r, W r] -> [..., C r^2, H, W]. */
export function pixelUnshuffle(input: Tensor, downscaleFactor: number): Tensor {
  return kernels.pixelUnshuffle(input, downscaleFactor);
}
