import type { Tensor } from "../../core/tensor.ts";
import { operator } from "../../dispatch/operators.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { rand } from "../../functions/creation.ts";
import { refuse, shown } from "./checks.ts";
import { listed } from "./pooling.ts";

type Size = number | readonly number[];
type Kernel = (
  input: Tensor,
  size: readonly number[],
  output: readonly number[],
  samples: Tensor,
) => Tensor[];
const kernels = [2, 3].map((n) => {
  const kernel = operator(`aten::fractional_max_pool${n}d`, [""], `fractionalMaxPool${n}d`);
  return kernel as unknown as Kernel;
});

/** One of the two. */
export interface FractionalSize {
  /** The sizes of the result. */
  readonly outputSize?: Size | null;
  /** They as shares of the input's, in (0, 1). */
  readonly outputRatio?: Size | null;
}

/** @throws TypeError unless one of both sizes is given, RangeError for shares outside (0, 1). */
export function checkFractionalSize(
  name: string,
  { outputSize, outputRatio, ...others }: FractionalSize,
): void {
  refuseOthers(name, others, "outputSize, outputRatio");
  if ((outputSize ?? null) === null ? (outputRatio ?? null) === null : (outputRatio ?? null) !== null)
    throw new TypeError(`${name}: give either outputSize or outputRatio`);
  const shares = typeof outputRatio === "number" ? [outputRatio] : (outputRatio ?? []);
  if (!shares.every((share) => share > 0 && share < 1))
    throw new RangeError(`${name}: outputRatio must lie between 0 and 1, got ${shown(shares)}`);
}

function pool(dimensions: 2 | 3, input: Tensor, kernelSize: Size, options: FractionalSize): Tensor[] {
  const name = `fractionalMaxPool${dimensions}d`;
  checkFractionalSize(name, options);
  const { shape, dtype, device } = input;
  if (shape.length !== dimensions + 1 && shape.length !== dimensions + 2)
    refuse(
      name,
      `the input must have ${dimensions + 1} or ${dimensions + 2} dimensions, got ${shown(shape)}`,
    );
  const sizes = shape.slice(-dimensions);
  const shares = listed(options.outputRatio ?? 1, dimensions);
  const output = options.outputSize ?? sizes.map((size, i) => Math.floor(size * shares[i]));
  const batch = shape.length === dimensions + 1 ? 1 : shape[0];
  using samples = rand([batch, shape[shape.length - dimensions - 1], dimensions], { dtype, device });
  return kernels[dimensions - 2](input, listed(kernelSize, dimensions), listed(output, dimensions), samples);
}

type Pool<Result> = (input: Tensor, kernelSize: Size, options: FractionalSize) => Result;
type Both = [values: Tensor, indices: Tensor];
const valuesOf =
  (both: Pool<Both>): Pool<Tensor> =>
  (input, kernelSize, options) => {
    const [values, indices] = both(input, kernelSize, options);
    indices.dispose();
    return values;
  };

/** `fractionalMaxPool2d`, and where in its plane [H * W] each value stands (int64). */
export const fractionalMaxPool2dWithIndices: Pool<Both> = (...args) => pool(2, ...args) as Both;
/** `fractionalMaxPool3d`, and where in its volume [D * H * W] each value stands (int64). */
export const fractionalMaxPool3dWithIndices: Pool<Both> = (...args) => pool(3, ...args) as Both;
/**
 * The largest values of windows of [N, C, H, W] whose places are drawn (Graham 2014), as many as `outputSize`
 * or `outputRatio` says.
 */
export const fractionalMaxPool2d: Pool<Tensor> = valuesOf(fractionalMaxPool2dWithIndices);
/** See `fractionalMaxPool2d`: [N, C, D, H, W]. */
export const fractionalMaxPool3d: Pool<Tensor> = valuesOf(fractionalMaxPool3dWithIndices);
