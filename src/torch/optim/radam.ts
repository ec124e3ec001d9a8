import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { averageSquares, countSteps, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface RAdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** Decay the weights apart from the gradient, as AdamW does. */
  decoupledWeightDecay?: boolean;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type RAdamSettings = Required<RAdamOptions>;

/**
 * Adam whose first steps, while the variance of its squares is unknown, are those of momentum
 * alone (Liu et al. 2020).
 * @throws RangeError for a negative rate, eps or weight decay, or betas outside [0, 1).
 * @example const optimizer = new torch.optim.RAdam(model.parameters(), { lr: 1e-3 });
 */
export class RAdam extends Optimizer<RAdamSettings> {
  constructor(params: Params<RAdamOptions>, options: RAdamOptions = {}) {
    const defaults = withDefaults<RAdamSettings>("RAdam", options, {
      lr: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      decoupledWeightDecay: false,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps", "weightDecay"] });
  }

  protected stepGroup(group: ParameterGroup<RAdamSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, betas, eps, weightDecay, decoupledWeightDecay, maximize } = group;
    const [beta1, beta2] = betas;
    const aten = ops.aten;
    const counts = countSteps(this.stepsOf(params));
    if (decoupledWeightDecay && weightDecay !== 0) aten._foreach_mul_(params, 1 - lr * weightDecay);
    const grads = usedGradients(given, params, {
      maximize,
      weightDecay: decoupledWeightDecay ? 0 : weightDecay,
    });
    const averages = this.statesOf(params, "exp_avg");
    const squares = this.statesOf(params, "exp_avg_sq");
    aten._foreach_lerp_(averages, grads, 1 - beta1);
    averageSquares(squares, grads, beta2);
    const roots = aten._foreach_sqrt(squares) as Tensor[];
    aten._foreach_add_(roots, eps);
    params.forEach((param, i) => {
      const rectified = rectification(counts[i], beta2);
      const rate = -lr / (1 - beta1 ** counts[i]);
      if (rectified === null) param.add_(averages[i], { alpha: rate });
      else param.addcdiv_(averages[i], roots[i], { value: rate * rectified });
    });
  }
}

/**
 * What the adaptive step of a count is multiplied by, bias correction included; null while
 * the variance is unknown.
 */
function rectification(count: number, beta2: number): number | null {
  const correction = 1 - beta2 ** count;
  const most = 2 / (1 - beta2) - 1;
  const length = most - (2 * count * beta2 ** count) / correction;
  if (length <= 5) return null;
  const share = ((length - 4) * (length - 2) * most) / ((most - 4) * (most - 2) * length);
  return Math.sqrt(share * correction);
}
