import type { Tensor } from "../core/tensor.ts";
import { zeros } from "../functions/creation.ts";
import { stepAdam } from "./adamFormula.ts";
import { type FusedPart, isFusible, laidOutAs, stepFused } from "./fusedAdam.ts";
import { zerosAs } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface AdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
  /** Divide by the largest of the averaged squares so far (Reddi et al. 2018). */
  amsgrad?: boolean;
  /** Go up instead of down. */
  maximize?: boolean;
  /** One operator per formula for all parameters at once. Default: where `fused` does not apply. */
  foreach?: boolean | null;
  /**
   * One kernel for everything, the fastest form. Default (null): for each parameter whose elements fill its
   * memory; those with gaps, such as columns of a larger tensor, get the formulas. false: formulas for all.
   */
  fused?: boolean | null;
}

export type AdamSettings = Required<AdamOptions>;

interface Plan {
  readonly params: readonly Tensor[];
  /** The native tensors behind them: `module.to` gives a parameter another one. */
  readonly handles: readonly number[];
  readonly parts: readonly FusedPart[];
  /** Those that the kernel cannot take, among the parameters with gradients. */
  readonly others: readonly number[];
  readonly amsgrad: boolean;
}

/** What Adam and AdamW have in common. */
abstract class AdamFamily extends Optimizer<AdamSettings> {
  protected abstract readonly decoupled: boolean;
  readonly #plans = new Map<object, Plan>();

  protected stepGroup(group: ParameterGroup<AdamSettings>): void {
    const { params, grads } = this.withGradients(group);
    if (params.length === 0) return;
    const { parts, others } = this.#planOf(group, params);
    for (const part of parts)
      stepFused(this.decoupled ? "_fused_adamw_" : "_fused_adam_", part, grads, group);
    if (others.length > 0) this.#stepByFormula(group, others, params, grads);
  }

  #stepByFormula(
    group: ParameterGroup<AdamSettings>,
    indices: readonly number[],
    params: readonly Tensor[],
    grads: readonly Tensor[],
  ): void {
    // Without `foreach` one parameter after the other: less memory at once.
    const batches = group.foreach === false ? indices.map((i) => [i]) : [indices];
    for (const batch of batches) {
      const chosen = batch.map((i) => params[i]);
      stepAdam(
        {
          params: chosen,
          grads: batch.map((i) => grads[i]),
          averages: this.statesOf(chosen, "exp_avg"),
          squares: this.statesOf(chosen, "exp_avg_sq"),
          maxima: group.amsgrad ? this.statesOf(chosen, "max_exp_avg_sq") : null,
          steps: this.stepsOf(chosen),
        },
        group,
        this.decoupled,
      );
    }
  }

  /**
   * What goes to the kernel, by device and dtype; the same as in the step before while the same
   * parameters have gradients.
   */
  #planOf(group: ParameterGroup<AdamSettings>, params: readonly Tensor[]): Plan {
    const known = this.#plans.get(group);
    const isKnown =
      known?.amsgrad === group.amsgrad &&
      known.params.length === params.length &&
      params.every((param, i) => param === known.params[i] && param.handle === known.handles[i]);
    if (isKnown) return known;
    this.#forget(group);
    if (group.fused && group.foreach)
      throw new TypeError(`${this.constructor.name}: fused and foreach can't both be true`);
    const isFused = group.fused ?? group.foreach === null;
    const kinds = new Map<string, number[]>();
    const others: number[] = [];
    params.forEach((param, i) => {
      const fits = isFused && isFusible(param);
      if (group.fused && !fits)
        throw new TypeError(
          `${this.constructor.name}: the fused form needs floating-point parameters without gaps in memory, one has shape [${param.shape.join(", ")}] with strides [${param.stride().join(", ")}]; leave fused out, or make the parameter contiguous`,
        );
      const kind = `${param.device} ${param.dtype}`;
      if (!fits) others.push(i);
      else if (kinds.has(kind)) kinds.get(kind)!.push(i);
      else kinds.set(kind, [i]);
    });
    const parts = [...kinds.values()].map((indices) =>
      this.#makePart(
        indices,
        indices.map((i) => params[i]),
        group.amsgrad,
      ),
    );
    const handles = params.map((param) => param.handle);
    const plan = { params, handles, parts, others, amsgrad: group.amsgrad };
    this.#plans.set(group, plan);
    return plan;
  }

  #makePart(indices: readonly number[], params: readonly Tensor[], amsgrad: boolean): FusedPart {
    const { device } = params[0];
    const strides = params.map((param) => (param.isContiguous ? null : param.stride()));
    const named = (name: string) =>
      params.map((param, i) => this.#fitting(name, param, param, strides[i], () => zerosAs(param)));
    const isNew = params.every((param) => !this.state.get(param)?.has("step"));
    const counters = isNew ? zeros([params.length], { device }).detachFromScope() : null;
    const count = zeros([], { device });
    return {
      indices,
      params,
      strides,
      averages: named("exp_avg"),
      squares: named("exp_avg_sq"),
      maxima: amsgrad ? named("max_exp_avg_sq") : [],
      steps: params.map((param, i) =>
        this.#fitting("step", param, count, null, () => counters?.select(0, i) ?? zeros([], { device })),
      ),
      counters,
    };
  }

  /**
   * A state with the device, dtype and layout of `like`, which the kernel takes for granted; what
   * was loaded may have others.
   */
  #fitting(
    name: string,
    param: Tensor,
    like: Tensor,
    strides: readonly number[] | null,
    make: () => Tensor,
  ): Tensor {
    const found = this.stateOf(param, name, make);
    const { device, dtype } = like;
    const same = found.device === device && found.dtype === dtype;
    const fitting = laidOutAs(same ? found : found.to({ device, dtype }), like, strides);
    if (fitting === found) return found;
    this.state.get(param)!.set(name, fitting.detachFromScope());
    found.dispose();
    return fitting;
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
  return withDefaults<AdamSettings>(name, options, {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay,
    amsgrad: false,
    maximize: false,
    foreach: null,
    fused: null,
  });
}

const ranges = { atLeastZero: ["lr", "eps", "weightDecay"] } as const;

/**
 * Adam (Kingma and Ba 2015) with L2 regularization in the gradient.
 * @throws RangeError for a negative rate, eps or weight decay, or betas outside [0, 1).
 * @example const optimizer = new torch.optim.Adam(model.parameters(), { lr: 1e-3 });
 */
export class Adam extends AdamFamily {
  protected readonly decoupled = false;
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super(params, settings("Adam", options, 0), ranges);
  }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019).
 * @throws RangeError for a negative rate, eps or weight decay, or betas outside [0, 1).
 * @example const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-3, weightDecay: 0.1 });
 */
export class AdamW extends AdamFamily {
  protected readonly decoupled = true;
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super(params, settings("AdamW", options, 0.01), ranges);
  }
}
