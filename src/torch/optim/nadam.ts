import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { ones } from "../functions/creation.ts";
import { averageSquares, countSteps, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface NAdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** How fast the momentum reaches the first beta. */
  momentumDecay?: number;
  /** Decay the weights apart from the gradient, as AdamW does. */
  decoupledWeightDecay?: boolean;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type NAdamSettings = Required<NAdamOptions>;

/**
 * Adam with Nesterov momentum that grows (Dozat 2016).
 * @throws RangeError for a negative rate, eps, weight or momentum decay, or betas outside [0, 1).
 * @example const optimizer = new torch.optim.NAdam(model.parameters(), { lr: 2e-3 });
 */
export class NAdam extends Optimizer<NAdamSettings> {
  constructor(params: Params<NAdamOptions>, options: NAdamOptions = {}) {
    const defaults = withDefaults<NAdamSettings>("NAdam", options, {
      lr: 2e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      momentumDecay: 4e-3,
      decoupledWeightDecay: false,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps", "weightDecay", "momentumDecay"] });
  }

  protected override stateShape(key: string, param: Tensor): readonly number[] | null {
    return key === "mu_product" ? [] : super.stateShape(key, param);
  }

  protected stepGroup(group: ParameterGroup<NAdamSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, betas, eps, weightDecay, momentumDecay, decoupledWeightDecay, maximize } = group;
    const [beta1, beta2] = betas;
    const aten = ops.aten;
    const counts = countSteps(this.stepsOf(params));
    if (decoupledWeightDecay && weightDecay !== 0) aten._foreach_mul_(params, 1 - lr * weightDecay);
    const grads = usedGradients(given, params, {
      maximize,
      weightDecay: decoupledWeightDecay ? 0 : weightDecay,
    });
    const momentum = (step: number) => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
    const products = params.map((param) => this.stateOf(param, "mu_product", () => ones([])));
    aten._foreach_mul_(products, counts.map(momentum));
    const averages = this.statesOf(params, "exp_avg");
    const squares = this.statesOf(params, "exp_avg_sq");
    aten._foreach_lerp_(averages, grads, 1 - beta1);
    averageSquares(squares, grads, beta2);
    const roots = aten._foreach_div(
      squares,
      counts.map((count) => 1 - beta2 ** count),
    ) as Tensor[];
    aten._foreach_sqrt_(roots);
    aten._foreach_add_(roots, eps);
    const shares = products.map((product) => product.item());
    aten._foreach_addcdiv_(
      params,
      grads,
      roots,
      counts.map((count, i) => (-lr * (1 - momentum(count))) / (1 - shares[i])),
    );
    aten._foreach_addcdiv_(
      params,
      averages,
      roots,
      counts.map((count, i) => (-lr * momentum(count + 1)) / (1 - shares[i] * momentum(count + 1))),
    );
  }
}
