import { isFloatingDtype } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";

/** Parameters of one device and dtype with their state, as the fused operator takes them. */
export interface FusedPart {
  /** Among the parameters with gradients. */
  readonly indices: readonly number[];
  readonly params: readonly Tensor[];
  /** How each parameter lies in memory; null where its elements follow each other row by row. */
  readonly strides: readonly (readonly number[] | null)[];
  readonly averages: readonly Tensor[];
  readonly squares: readonly Tensor[];
  readonly maxima: readonly Tensor[];
  readonly steps: readonly Tensor[];
  /** [n] of which `steps` are views; null where they are tensors of their own, as those that were loaded. */
  readonly counters: Tensor | null;
}

export interface FusedSettings {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly amsgrad: boolean;
  readonly maximize: boolean;
}

/**
 * Whether the fused kernel can update a tensor: it runs through the memory from the first element on, so the
 * elements must fill it without gaps or overlaps, in any order of dimensions.
 */
export function isFusible(tensor: Tensor): boolean {
  if (!isFloatingDtype(tensor.dtype)) return false;
  if (tensor.isContiguous) return true;
  const strides = tensor.stride();
  const dimensions = tensor.shape
    .map((size, i) => ({ size, stride: strides[i] }))
    .filter(({ size }) => size !== 1)
    .sort((a, b) => a.stride - b.stride);
  let expected = 1;
  for (const { size, stride } of dimensions) {
    if (stride !== expected) return false;
    expected *= size;
  }
  return true;
}

/**
 * The tensor itself if it lies in memory as `reference` does, else a copy that does.
 * `strides` as in `FusedPart`.
 */
export function laidOutAs(tensor: Tensor, reference: Tensor, strides: readonly number[] | null): Tensor {
  if (strides === null ? tensor.isContiguous : tensor.stride().join() === strides.join()) return tensor;
  const copy = ops.aten.empty_like(reference) as Tensor;
  return copy.copy_(tensor);
}

/**
 * One call of the fused operator. The kernel knows nothing of strides: each gradient is brought to its
 * parameter's layout first.
 */
export function stepFused(
  kernel: "_fused_adam_" | "_fused_adamw_",
  part: FusedPart,
  grads: readonly Tensor[],
  group: FusedSettings,
): void {
  // One addition for all where their counters lie side by side.
  if (part.counters) part.counters.add_(1);
  else ops.aten._foreach_add_(part.steps, 1);
  ops.unsafe.aten[kernel](
    part.params,
    part.indices.map((i, k) => laidOutAs(grads[i], part.params[k], part.strides[k])),
    part.averages,
    part.squares,
    part.maxima,
    part.steps,
    {
      lr: group.lr,
      beta1: group.betas[0],
      beta2: group.betas[1],
      weightDecay: group.weightDecay,
      eps: group.eps,
      amsgrad: group.amsgrad,
      maximize: group.maximize,
    },
  );
}
