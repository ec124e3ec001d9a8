/**
 * What the formulas of optimizers have in common: lists of tensors side by side, one
 * operator for all of them.
 */
import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";

/** Gradients turned round where a step goes up. */
export const turned = (grads: readonly Tensor[], { maximize }: { maximize: boolean }): readonly Tensor[] =>
  maximize ? (ops.aten._foreach_neg(grads) as Tensor[]) : grads;

/**
 * Gradients as a step uses them: turned round to go up, the share of the weights added (L2 regularization).
 */
export function usedGradients(
  grads: readonly Tensor[],
  params: readonly Tensor[],
  settings: { maximize: boolean; weightDecay: number },
): readonly Tensor[] {
  const used = turned(grads, settings);
  return settings.weightDecay === 0
    ? used
    : (ops.aten._foreach_add(used, params, { alpha: settings.weightDecay }) as Tensor[]);
}

/** Zeros with the shape, dtype, device and order in memory of a parameter. */
export const zerosAs = (param: Tensor): Tensor => ops.aten.zeros_like(param) as Tensor;

/** Counts one more step each and tells the counts. */
export function countSteps(steps: readonly Tensor[]): number[] {
  ops.aten._foreach_add_(steps, 1);
  return steps.map((step) => step.item());
}

/** averages = share * averages + (1 - share) * values^2 */
export function averageSquares(averages: readonly Tensor[], values: readonly Tensor[], share: number): void {
  ops.aten._foreach_mul_(averages, share);
  ops.aten._foreach_addcmul_(averages, values, values, 1 - share);
}
