import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { averageSquares, countSteps, usedGradients } from "./lists.ts";

/** Parameters and what Adam keeps of them, side by side. */
export interface AdamLists {
  readonly params: readonly Tensor[];
  readonly grads: readonly Tensor[];
  readonly averages: readonly Tensor[];
  readonly squares: readonly Tensor[];
  readonly maxima: readonly Tensor[] | null;
  readonly steps: readonly Tensor[];
}

export interface AdamNumbers {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly maximize: boolean;
}

/**
 * Adam's formulas (Kingma and Ba 2015, algorithm 1, in PyTorch's order of operations), for
 * tensors with any strides.
 */
export function stepAdam(lists: AdamLists, numbers: AdamNumbers, decoupled: boolean): void {
  const { params, averages, squares, maxima, steps } = lists;
  const { lr, betas, eps, weightDecay, maximize } = numbers;
  const [beta1, beta2] = betas;
  const aten = ops.aten;
  const inGradient = decoupled ? 0 : weightDecay;
  const grads = usedGradients(lists.grads, params, { maximize, weightDecay: inGradient });
  const counts = countSteps(steps);
  if (decoupled && weightDecay !== 0) aten._foreach_mul_(params, 1 - lr * weightDecay);
  aten._foreach_lerp_(averages, grads, 1 - beta1);
  averageSquares(squares, grads, beta2);
  if (maxima) aten._foreach_maximum_(maxima, squares);
  const denominators = aten._foreach_sqrt(maxima ?? squares) as Tensor[];
  aten._foreach_div_(
    denominators,
    counts.map((count) => Math.sqrt(1 - beta2 ** count)),
  );
  aten._foreach_add_(denominators, eps);
  aten._foreach_addcdiv_(
    params,
    averages,
    denominators,
    counts.map((count) => -lr / (1 - beta1 ** count)),
  );
}
