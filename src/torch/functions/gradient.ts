import type { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";

export interface GradientOptions {
  /**
   * The distance of neighbours (default 1), or one for each dimension, or tensors with the coordinates along
   * each dimension.
   */
  readonly spacing?: number | readonly number[] | readonly Tensor[];
  /** The dimensions along which to differentiate; all without it. */
  readonly dim?: number | readonly number[];
  /** 1 or 2: of which order the estimates at the edges are. */
  readonly edgeOrder?: 1 | 2;
}

const forms = [
  "scalarint",
  "array",
  "scalararray",
  "scalarrayint",
  "scalarrayarray",
  "tensorarrayint",
  "tensorarray",
];

/**
 * Estimates the derivatives of a function of which the input holds values at the points of a grid, one tensor
 * of the input's shape per dimension, by central differences: `torch.gradient`.
 * @example const [slope] = torch.gradient(torch.tensor([1, 4, 9, 16])); // 3, 4, 6, 7
 */
export const gradient = operator("aten::gradient", forms, "gradient") as unknown as (
  input: Tensor,
  options?: GradientOptions,
) => Tensor[];
