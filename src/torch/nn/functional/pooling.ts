/**
 * What of `torch.nn.functional` slides windows: pools of any dimensions, with the places of largest values,
 * and their inverse.
 */
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { operator } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { refuse, shown } from "./checks.ts";

type Size = number | readonly number[];
type ValuesAndPlaces<Pool extends (...args: never[]) => unknown> = (
  ...args: Parameters<Pool>
) => [values: Tensor, indices: Tensor];
type AdaptiveWithIndices = (input: Tensor, outputSize: Size) => [values: Tensor, indices: Tensor];

/** One number for each of `dimensions`. */
export const listed = (size: Size, dimensions: number): readonly number[] =>
  typeof size === "number" ? Array.from({ length: dimensions }, () => size) : size;

function kernel<T>(name: string, display = name): T {
  return operator(`aten::${name}`, [""], display) as unknown as T;
}

/** The largest value in each window of [N, C, D, H, W]. */
export const maxPool3d = kernel<typeof ops.maxPool2d>("max_pool3d", "maxPool3d");
/** The mean of each window of [N, C, D, H, W]. */
export const avgPool3d = kernel<typeof ops.avgPool2d>("avg_pool3d", "avgPool3d");
/** The mean over parts of [N, C, D, H, W], as many as wanted. */
export const adaptiveAvgPool3d = kernel<typeof ops.adaptiveAvgPool2d>(
  "adaptive_avg_pool3d",
  "adaptiveAvgPool3d",
);

/** `maxPool1d`, and where in its row [L] each value stands (int64): what `maxUnpool1d` takes. */
export const maxPool1dWithIndices = kernel<ValuesAndPlaces<typeof ops.maxPool1d>>(
  "max_pool1d_with_indices",
  "maxPool1dWithIndices",
);
/** `maxPool2d`, and where in its plane [H * W] each value stands (int64): what `maxUnpool2d` takes. */
export const maxPool2dWithIndices = kernel<ValuesAndPlaces<typeof ops.maxPool2d>>(
  "max_pool2d_with_indices",
  "maxPool2dWithIndices",
);
/** `maxPool3d`, and where in its volume [D * H * W] each value stands (int64): what `maxUnpool3d` takes. */
export const maxPool3dWithIndices = kernel<ValuesAndPlaces<typeof ops.maxPool2d>>(
  "max_pool3d_with_indices",
  "maxPool3dWithIndices",
);

/** `adaptiveMaxPool1d`, and where each value stands. */
export const adaptiveMaxPool1dWithIndices = kernel<AdaptiveWithIndices>(
  "adaptive_max_pool1d",
  "adaptiveMaxPool1d",
);
/** `adaptiveMaxPool2d`, and where each value stands. */
export const adaptiveMaxPool2dWithIndices = kernel<AdaptiveWithIndices>(
  "adaptive_max_pool2d",
  "adaptiveMaxPool2d",
);
/** `adaptiveMaxPool3d`, and where each value stands. */
export const adaptiveMaxPool3dWithIndices = kernel<AdaptiveWithIndices>(
  "adaptive_max_pool3d",
  "adaptiveMaxPool3d",
);

/** The values alone. */
const valuesOf =
  (pool: AdaptiveWithIndices) =>
  (input: Tensor, outputSize: Size): Tensor => {
    const [values, indices] = pool(input, outputSize);
    indices.dispose();
    return values;
  };

/** The largest values of parts of [N, C, L], as many as wanted. */
export const adaptiveMaxPool1d = valuesOf(adaptiveMaxPool1dWithIndices);
/** The largest values of parts of [N, C, H, W], as many as wanted. */
export const adaptiveMaxPool2d = valuesOf(adaptiveMaxPool2dWithIndices);
/** The largest values of parts of [N, C, D, H, W], as many as wanted. */
export const adaptiveMaxPool3d = valuesOf(adaptiveMaxPool3dWithIndices);

export interface UnpoolOptions {
  /** The pool's stride: the kernel's size unless given. */
  readonly stride?: Size | null;
  /** The pool's padding. */
  readonly padding?: Size;
  /** The positions of the result, where several sizes pool to the input's; or its whole shape. */
  readonly outputSize?: readonly number[] | null;
}

const unpool2d = kernel<(input: Tensor, indices: Tensor, size: readonly number[]) => Tensor>("max_unpool2d");
const unpool3d =
  kernel<
    (
      input: Tensor,
      indices: Tensor,
      size: readonly number[],
      stride: readonly number[],
      padding: readonly number[],
    ) => Tensor
  >("max_unpool3d");

function unpool(
  dimensions: number,
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: UnpoolOptions,
): Tensor {
  const name = `maxUnpool${dimensions}d`;
  const { stride: step = null, padding: edge = 0, outputSize = null, ...others } = options;
  refuseOthers(name, others, "stride, padding, outputSize");
  if (input.ndim !== dimensions + 1 && input.ndim !== dimensions + 2)
    refuse(name, `takes ${dimensions + 1} or ${dimensions + 2} dimensions, got ${shown(input.shape)}`);
  const size = listed(kernelSize, dimensions);
  const [stride, padding] = [listed(step ?? kernelSize, dimensions), listed(edge, dimensions)];
  const usual = input.shape
    .slice(-dimensions)
    .map((length, i) => (length - 1) * stride[i] + size[i] - 2 * padding[i]);
  const wanted = outputSize?.length === dimensions + 2 ? outputSize.slice(2) : (outputSize ?? usual);
  const possible = (length: number, i: number) => Math.abs(length - usual[i]) < stride[i];
  if (wanted.length !== dimensions || (outputSize && !wanted.every(possible)))
    refuse(
      name,
      `outputSize ${shown(wanted)} is not possible: it must be within ${shown(stride.map((n) => n - 1))} of ${shown(usual)}`,
    );
  if (dimensions === 3) return unpool3d(input, indices, wanted, stride, padding);
  if (dimensions === 2) return unpool2d(input, indices, wanted);
  using image = input.unsqueeze(-1);
  using places = indices.unsqueeze(-1);
  using wide = unpool2d(image, places, [...wanted, 1]);
  return wide.squeeze(-1);
}

/**
 * The inverse of `maxPool1d`, as far as there is one: values [N, C, L] at their places in a row, zeros
 * elsewhere.
 * @throws TorchError for an `outputSize` that does not pool to the input's.
 */
export function maxUnpool1d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: UnpoolOptions = {},
): Tensor {
  return unpool(1, input, indices, kernelSize, options);
}

/** See `maxUnpool1d`: [N, C, H, W]. */
export function maxUnpool2d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: UnpoolOptions = {},
): Tensor {
  return unpool(2, input, indices, kernelSize, options);
}

/** See `maxUnpool1d`: [N, C, D, H, W]. */
export function maxUnpool3d(
  input: Tensor,
  indices: Tensor,
  kernelSize: Size,
  options: UnpoolOptions = {},
): Tensor {
  return unpool(3, input, indices, kernelSize, options);
}

/** The norm `normType` of each window: the root of the sum of its powers. */
function powerPool(
  input: Tensor,
  normType: number,
  size: readonly number[],
  stride: Size | null,
  ceilMode: boolean,
): Tensor {
  const pool = [ops.avgPool1d, ops.avgPool2d, avgPool3d][size.length - 1];
  const step = stride ?? size;
  return tidy(() => {
    const means = pool(input.pow(normType), size, step, 0, ceilMode);
    const count = size.reduce((all, one) => all * one, 1);
    // Of odd powers a window's sum may be negative; PyTorch takes the sign out and puts it back, too.
    return means
      .sign()
      .mul(means.abs().relu())
      .mul(count)
      .pow(1 / normType);
  });
}

/**
 * The norm `normType` of each window of [N, C, L]; 1 is the sum. `stride` is the
 * kernel's size unless given. Windows that reach over the end (`ceilMode`) count as whole ones.
 */
export function lpPool1d(
  input: Tensor,
  normType: number,
  kernelSize: Size,
  stride: Size | null = null,
  ceilMode = false,
): Tensor {
  return powerPool(input, normType, listed(kernelSize, 1), stride, ceilMode);
}

/** See `lpPool1d`: [N, C, H, W]. */
export function lpPool2d(
  input: Tensor,
  normType: number,
  kernelSize: Size,
  stride: Size | null = null,
  ceilMode = false,
): Tensor {
  return powerPool(input, normType, listed(kernelSize, 2), stride, ceilMode);
}

/** See `lpPool1d`: [N, C, D, H, W]. */
export function lpPool3d(
  input: Tensor,
  normType: number,
  kernelSize: Size,
  stride: Size | null = null,
  ceilMode = false,
): Tensor {
  return powerPool(input, normType, listed(kernelSize, 3), stride, ceilMode);
}
