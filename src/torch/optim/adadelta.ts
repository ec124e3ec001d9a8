import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { averageSquares, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface AdadeltaOptions {
  lr?: number;
  /** The share of the past in the averages. */
  rho?: number;
  eps?: number;
  weightDecay?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type AdadeltaSettings = Required<AdadeltaOptions>;

/**
 * Steps in the unit of the parameters: gradients times the root of averaged squared steps over that of
 * averaged squared gradients (Zeiler 2012).
 * @throws RangeError for a negative rate, eps or weight decay, or rho outside [0, 1].
 * @example const optimizer = new torch.optim.Adadelta(model.parameters(), { rho: 0.95 });
 */
export class Adadelta extends Optimizer<AdadeltaSettings> {
  constructor(params: Params<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    const defaults = withDefaults<AdadeltaSettings>("Adadelta", options, {
      lr: 1,
      rho: 0.9,
      eps: 1e-6,
      weightDecay: 0,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps", "weightDecay"], atMostOne: ["rho"] });
  }

  protected stepGroup(group: ParameterGroup<AdadeltaSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, rho, eps } = group;
    const aten = ops.aten;
    const grads = usedGradients(given, params, group);
    aten._foreach_add_(this.stepsOf(params), 1);
    const squares = this.statesOf(params, "square_avg");
    const squaredSteps = this.statesOf(params, "acc_delta");
    averageSquares(squares, grads, rho);
    const roots = aten._foreach_add(squares, eps) as Tensor[];
    aten._foreach_sqrt_(roots);
    const moves = aten._foreach_add(squaredSteps, eps) as Tensor[];
    aten._foreach_sqrt_(moves);
    aten._foreach_div_(moves, roots);
    aten._foreach_mul_(moves, grads);
    averageSquares(squaredSteps, moves, rho);
    aten._foreach_add_(params, moves, { alpha: -lr });
  }
}
