import { noGrad } from "../autograd/modes.ts";
import { scope } from "../core/scope.ts";
import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { refuseUnknownSettings } from "../dispatch/optionNames.ts";
import { zeros, zerosLike } from "../functions/creation.ts";
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

/** Parameters of one device and dtype with their state, as the fused operator takes them. */
interface Part {
  /** Among the parameters with gradients. */
  readonly indices: readonly number[];
  readonly params: readonly Tensor[];
  readonly averages: readonly Tensor[];
  readonly squares: readonly Tensor[];
  readonly maxima: readonly Tensor[];
  readonly steps: readonly Tensor[];
  /** [n] of which `steps` are views; null where they are tensors of their own, as those that were loaded. */
  readonly counters: Tensor | null;
}

interface Plan {
  readonly params: readonly Tensor[];
  readonly parts: readonly Part[];
  readonly amsgrad: boolean;
}

/** One call of the fused operator for all parameters of a device and dtype. */
abstract class FusedAdam extends Optimizer<AdamSettings> {
  protected abstract readonly fused: "_fused_adam_" | "_fused_adamw_";
  readonly #plans = new Map<object, Plan>();

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
    if (params.length === 0) return;
    for (const part of this.#partsOf(group, params)) {
      // One addition for all where their counters lie side by side.
      if (part.counters) part.counters.add_(1);
      else ops.aten._foreach_add_(part.steps, 1);
      ops.unsafe.aten[this.fused](
        part.params,
        part.indices.map((i) => grads[i]),
        part.averages,
        part.squares,
        part.maxima,
        part.steps,
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

  /** What the operator takes, by device and dtype; the same as in the step before while the same parameters have gradients. */
  #partsOf(group: { params: Tensor[] } & AdamSettings, params: readonly Tensor[]): readonly Part[] {
    const known = this.#plans.get(group);
    const isKnown =
      known?.amsgrad === group.amsgrad &&
      known.params.length === params.length &&
      params.every((param, i) => param === known.params[i]);
    if (isKnown) return known.parts;
    this.#forget(group);
    const kinds = new Map<string, number[]>();
    params.forEach((param, i) => {
      const kind = `${param.device} ${param.dtype}`;
      const list = kinds.get(kind);
      if (list) list.push(i);
      else kinds.set(kind, [i]);
    });
    const parts = [...kinds.values()].map((indices) =>
      this.#makePart(
        indices,
        indices.map((i) => params[i]),
        group.amsgrad,
      ),
    );
    this.#plans.set(group, { params, parts, amsgrad: group.amsgrad });
    return parts;
  }

  #makePart(indices: readonly number[], params: readonly Tensor[], amsgrad: boolean): Part {
    const { device } = params[0];
    const isNew = params.every((param) => !this.state.get(param)?.has("step"));
    const counters = isNew ? zeros([params.length], { device }).detachFromScope() : null;
    return {
      indices,
      params,
      averages: params.map((param) => this.stateOf(param, "exp_avg", () => zerosLike(param))),
      squares: params.map((param) => this.stateOf(param, "exp_avg_sq", () => zerosLike(param))),
      maxima: amsgrad
        ? params.map((param) => this.stateOf(param, "max_exp_avg_sq", () => zerosLike(param)))
        : [],
      steps: params.map((param, i) =>
        this.stateOf(param, "step", () => counters?.select(0, i) ?? zeros([], { device })),
      ),
      counters,
    };
  }

  #forget(group: object): void {
    for (const { counters } of this.#plans.get(group)?.parts ?? []) counters?.dispose();
    this.#plans.delete(group);
  }

  override loadStateDict(given: Parameters<Optimizer<AdamSettings>["loadStateDict"]>[0]): void {
    super.loadStateDict(given);
    for (const group of this.paramGroups) this.#forget(group);
  }

  override dispose(): void {
    for (const group of this.paramGroups) this.#forget(group);
    super.dispose();
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
