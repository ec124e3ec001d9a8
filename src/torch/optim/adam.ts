import { zeros, zerosLike } from "../creation.ts";
import { noGrad } from "../modes.ts";
import { ops } from "../operators.ts";
import { refuseUnknownSettings } from "../optionNames.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { Optimizer } from "./optimizer.ts";

export interface AdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  amsgrad?: boolean;
  maximize?: boolean;
}

export type AdamSettings = Required<AdamOptions>;

type Params = Iterable<Tensor> | Iterable<{ params: Iterable<Tensor>; name?: string } & AdamOptions>;

/** One call of the fused operator for all parameters of a device and dtype. */
abstract class FusedAdam extends Optimizer<AdamSettings> {
  protected abstract readonly fused: "_fused_adam_" | "_fused_adamw_";

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

  #stepGroup(group: { params: Tensor[] } & AdamSettings): void {
    const { params, grads } = this.withGradients(group);
    const kinds = new Map<string, number[]>();
    params.forEach((param, i) => {
      const kind = `${param.device} ${param.dtype}`;
      const list = kinds.get(kind);
      if (list) list.push(i);
      else kinds.set(kind, [i]);
    });
    for (const indices of kinds.values()) {
      const pick = indices.map((i) => params[i]);
      const averages = pick.map((param) => this.stateOf(param, "exp_avg", () => zerosLike(param)));
      const squares = pick.map((param) => this.stateOf(param, "exp_avg_sq", () => zerosLike(param)));
      const maxima = group.amsgrad
        ? pick.map((param) => this.stateOf(param, "max_exp_avg_sq", () => zerosLike(param)))
        : [];
      const steps = pick.map((param) =>
        this.stateOf(param, "step", () => zeros([], { device: param.device })),
      );
      ops.aten._foreach_add_(steps, 1);
      ops.unsafe.aten[this.fused](
        pick,
        indices.map((i) => grads[i]),
        averages,
        squares,
        maxima,
        steps,
        {
          lr: group.lr,
          beta1: group.betas[0],
          beta2: group.betas[1],
          weightDecay: group.weightDecay,
          eps: group.eps,
          amsgrad: group.amsgrad,
          maximize: group.maximize,
        },
      );
    }
  }
}

function settings(name: string, options: AdamOptions, weightDecay: number): AdamSettings {
  const defaults: AdamSettings = {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay,
    amsgrad: false,
    maximize: false,
  };
  refuseUnknownSettings(name, options, defaults);
  const all = { ...defaults, ...options };
  if (!(all.lr >= 0)) throw new RangeError(`${name}: the learning rate must not be negative, got ${all.lr}`);
  if (!(all.eps >= 0)) throw new RangeError(`${name}: eps must not be negative, got ${all.eps}`);
  if (!all.betas.every((beta) => beta >= 0 && beta < 1))
    throw new RangeError(`${name}: betas must lie in [0, 1), got ${all.betas}`);
  return all;
}

/** Adam (Kingma and Ba 2015) with L2 regularization in the gradient. */
export class Adam extends FusedAdam {
  protected readonly fused = "_fused_adam_";
  constructor(params: Params, options: AdamOptions = {}) {
    super(params as Iterable<Tensor>, settings("Adam", options, 0));
  }
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019). */
export class AdamW extends FusedAdam {
  protected readonly fused = "_fused_adamw_";
  constructor(params: Params, options: AdamOptions = {}) {
    super(params as Iterable<Tensor>, settings("AdamW", options, 0.01));
  }
}
