import { noGrad } from "../autograd/modes.ts";
import { scope } from "../core/scope.ts";
import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { refuseUnknownSettings } from "../dispatch/optionNames.ts";
import { Optimizer } from "./optimizer.ts";

export interface SGDOptions {
  lr?: number;
  momentum?: number;
  dampening?: number;
  weightDecay?: number;
  nesterov?: boolean;
  maximize?: boolean;
}

type Params = Iterable<Tensor> | Iterable<{ params: Iterable<Tensor>; name?: string } & SGDOptions>;

/** Stochastic gradient descent with momentum, in PyTorch's form. */
export class SGD extends Optimizer<Required<SGDOptions>> {
  constructor(params: Params, options: SGDOptions = {}) {
    const standard: Required<SGDOptions> = {
      lr: 1e-3,
      momentum: 0,
      dampening: 0,
      weightDecay: 0,
      nesterov: false,
      maximize: false,
    };
    refuseUnknownSettings("SGD", options, standard);
    const defaults = { ...standard, ...options };
    if (!(defaults.lr >= 0))
      throw new RangeError(`SGD: the learning rate must not be negative, got ${defaults.lr}`);
    if (defaults.nesterov && (defaults.momentum <= 0 || defaults.dampening !== 0)) {
      throw new RangeError("SGD: Nesterov momentum needs a momentum and no dampening");
    }
    super(params as Iterable<Tensor>, defaults);
  }

  step(): void {
    const own = scope();
    try {
      noGrad(() => {
        for (const group of this.paramGroups) this.#stepGroup(group);
      });
    } finally {
      own[Symbol.dispose]();
    }
  }

  #stepGroup(group: { params: Tensor[] } & Required<SGDOptions>): void {
    const found = this.withGradients(group);
    if (found.params.length === 0) return;
    let grads = found.grads;
    if (group.maximize) grads = ops.aten._foreach_neg(grads) as Tensor[];
    if (group.weightDecay !== 0)
      grads = ops.aten._foreach_add(grads, found.params, { alpha: group.weightDecay }) as Tensor[];
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
