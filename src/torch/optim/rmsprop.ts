import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { averageSquares, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface RMSpropOptions {
  lr?: number;
  /** The share of the past in the averages. */
  alpha?: number;
  eps?: number;
  weightDecay?: number;
  momentum?: number;
  centered?: boolean;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type RMSpropSettings = Required<RMSpropOptions>;

/**
 * Gradients divided by the root of their averaged squares (Hinton 2012); `centered` subtracts the square of
 * their average, an estimate of the variance (Graves 2013).
 * @throws RangeError for a negative rate, eps, momentum, alpha or weight decay.
 * @example const optimizer = new torch.optim.RMSprop(model.parameters(), { lr: 1e-3, momentum: 0.9 });
 */
export class RMSprop extends Optimizer<RMSpropSettings> {
  constructor(params: Params<RMSpropOptions>, options: RMSpropOptions = {}) {
    const defaults = withDefaults<RMSpropSettings>("RMSprop", options, {
      lr: 0.01,
      alpha: 0.99,
      eps: 1e-8,
      weightDecay: 0,
      momentum: 0,
      centered: false,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps", "momentum", "weightDecay", "alpha"] });
  }

  protected stepGroup(group: ParameterGroup<RMSpropSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, alpha, eps, momentum, centered } = group;
    const aten = ops.aten;
    const grads = usedGradients(given, params, group);
    aten._foreach_add_(this.stepsOf(params), 1);
    const squares = this.statesOf(params, "square_avg");
    averageSquares(squares, grads, alpha);
    let roots: Tensor[];
    if (centered) {
      const averages = this.statesOf(params, "grad_avg");
      aten._foreach_lerp_(averages, grads, 1 - alpha);
      roots = aten._foreach_addcmul(squares, averages, averages, -1) as Tensor[];
      aten._foreach_sqrt_(roots);
    } else roots = aten._foreach_sqrt(squares) as Tensor[];
    aten._foreach_add_(roots, eps);
    if (momentum === 0) {
      aten._foreach_addcdiv_(params, grads, roots, -lr);
      return;
    }
    const buffers = this.statesOf(params, "momentum_buffer");
    aten._foreach_mul_(buffers, momentum);
    aten._foreach_addcdiv_(buffers, grads, roots);
    aten._foreach_add_(params, buffers, { alpha: -lr });
  }
}
