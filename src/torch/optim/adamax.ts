import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { countSteps, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface AdamaxOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type AdamaxSettings = Required<AdamaxOptions>;

/**
 * Adam with the largest of the decayed gradients in place of their averaged squares (Kingma
 * and Ba 2015, section 7).
 * @throws RangeError for a negative rate, eps or weight decay, or betas outside [0, 1).
 * @example const optimizer = new torch.optim.Adamax(model.parameters(), { lr: 2e-3 });
 */
export class Adamax extends Optimizer<AdamaxSettings> {
  constructor(params: Params<AdamaxOptions>, options: AdamaxOptions = {}) {
    const defaults = withDefaults<AdamaxSettings>("Adamax", options, {
      lr: 2e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps", "weightDecay"] });
  }

  protected stepGroup(group: ParameterGroup<AdamaxSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, betas, eps } = group;
    const [beta1, beta2] = betas;
    const aten = ops.aten;
    const grads = usedGradients(given, params, group);
    const counts = countSteps(this.stepsOf(params));
    const averages = this.statesOf(params, "exp_avg");
    const largest = this.statesOf(params, "exp_inf");
    aten._foreach_lerp_(averages, grads, 1 - beta1);
    aten._foreach_mul_(largest, beta2);
    const sizes = aten._foreach_abs(grads) as Tensor[];
    aten._foreach_add_(sizes, eps);
    aten._foreach_maximum_(largest, sizes);
    aten._foreach_addcdiv_(
      params,
      averages,
      largest,
      counts.map((count) => -lr / (1 - beta1 ** count)),
    );
  }
}
