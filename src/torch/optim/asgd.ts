import type { Tensor } from "../core/tensor.ts";
import { ones, tensor } from "../functions/creation.ts";
import { countSteps, usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface ASGDOptions {
  lr?: number;
  /** How fast weights and rate decay. */
  lambd?: number;
  /** The power with which the rate decays. */
  alpha?: number;
  /** The step from which weights are averaged. */
  t0?: number;
  weightDecay?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type ASGDSettings = Required<ASGDOptions>;

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky 1992). The mean of the weights since step `t0`
 * is the state `ax` of `stateDict()`.
 * @throws RangeError for a negative rate, decay (lambd, alpha) or weight decay.
 * @example const optimizer = new torch.optim.ASGD(model.parameters(), { t0: 1000 });
 */
export class ASGD extends Optimizer<ASGDSettings> {
  constructor(params: Params<ASGDOptions>, options: ASGDOptions = {}) {
    const defaults = withDefaults<ASGDSettings>("ASGD", options, {
      lr: 0.01,
      lambd: 1e-4,
      alpha: 0.75,
      t0: 1e6,
      weightDecay: 0,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "lambd", "alpha", "weightDecay"] });
  }

  protected override stateShape(key: string, param: Tensor): readonly number[] | null {
    return key === "ax" ? param.shape : [];
  }

  protected stepGroup(group: ParameterGroup<ASGDSettings>): void {
    const { params, grads } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, lambd, alpha, t0 } = group;
    const counts = countSteps(this.stepsOf(params));
    const averages = this.statesOf(params, "ax");
    usedGradients(grads, params, group).forEach((gradient, i) => {
      const [param, average] = [params[i], averages[i]];
      const { device } = param;
      const eta = this.stateOf(param, "eta", () => tensor(lr, { device }));
      const share = this.stateOf(param, "mu", () => ones([], { device }));
      const rate = eta.item();
      param.mul_(1 - lambd * rate).add_(gradient, { alpha: -rate });
      if (share.item() === 1) average.copy_(param);
      else average.add_(param.sub(average).mul_(share));
      eta.fill_(lr / (1 + lambd * lr * counts[i]) ** alpha);
      share.fill_(1 / Math.max(1, counts[i] - t0));
    });
  }
}
