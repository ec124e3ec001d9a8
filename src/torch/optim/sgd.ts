import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { usedGradients } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";
import { refuseSparse } from "./sparseGradients.ts";

export interface SGDOptions {
  lr?: number;
  momentum?: number;
  dampening?: number;
  weightDecay?: number;
  nesterov?: boolean;
  maximize?: boolean;
}

export type SGDSettings = Required<SGDOptions>;

/**
 * Stochastic gradient descent with momentum, in PyTorch's form.
 * @throws RangeError for a negative rate, momentum or weight decay, or for Nesterov without
 * momentum or with dampening.
 * @example
 * const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true });
 */
export class SGD extends Optimizer<SGDSettings> {
  protected override readonly takesSparse: boolean = true;

  constructor(params: Params<SGDOptions>, options: SGDOptions = {}) {
    const defaults = withDefaults<SGDSettings>("SGD", options, {
      lr: 1e-3,
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
      maximize: false,
    });
    if (defaults.nesterov && (defaults.momentum <= 0 || defaults.dampening !== 0)) {
      throw new RangeError("SGD: Nesterov momentum needs a momentum and no dampening");
    }
    super(params, defaults, { atLeastZero: ["lr", "momentum", "weightDecay"] });
  }

  protected stepGroup(group: ParameterGroup<SGDSettings>): void {
    const found = this.withGradients(group);
    if (found.params.length === 0) return;
    if (group.weightDecay !== 0) refuseSparse("SGD", "weightDecay", found.grads);
    let grads = usedGradients(found.grads, found.params, group);
    if (group.momentum !== 0) {
      const fresh = new Set<Tensor>();
      const buffers = found.params.map((param, i) =>
        this.stateOf(param, "momentum_buffer", () => {
          fresh.add(param);
          return grads[i].clone();
        }),
      );
      const old = found.params.map((param, i) => ({ param, i })).filter(({ param }) => !fresh.has(param));
      if (old.length > 0) {
        const used = old.map(({ i }) => buffers[i]);
        ops.aten._foreach_mul_(used, group.momentum);
        ops.aten._foreach_add_(
          used,
          old.map(({ i }) => grads[i]),
          { alpha: 1 - group.dampening },
        );
      }
      grads = group.nesterov
        ? (ops.aten._foreach_add(grads, buffers, { alpha: group.momentum }) as Tensor[])
        : buffers;
    }
    ops.aten._foreach_add_(found.params, grads, { alpha: -group.lr });
  }
}
