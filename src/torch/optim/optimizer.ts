import { enableGrad, noGrad } from "../autograd/modes.ts";
import { scope } from "../core/scope.ts";
import { Tensor } from "../core/tensor.ts";
import { refuseUnknownSettings } from "../dispatch/optionNames.ts";
import { zeros } from "../functions/creation.ts";
import type { PickleValue } from "../io/pickle.ts";
import { TorchError } from "../native/errors.ts";
import { zerosAs } from "./lists.ts";
import { groupToState, type OptimizerState, readOptimizerState, type StateValue } from "./optimizerState.ts";
import { initialRateOf, rememberInitialRate } from "./schedules/scheduler.ts";
import { checkRanges, type SettingRanges } from "./settings.ts";

/** Parameters that share settings. */
export type ParameterGroup<Settings> = { params: Tensor[]; name?: string } & Settings;

/** What an optimizer is made of: parameters, or groups of them with settings of their own. */
export type Params<Options> =
  | Iterable<Tensor>
  | Iterable<{ readonly params: Iterable<Tensor>; readonly name?: string } & Partial<Options>>;

/** Computes the loss anew, gradients included, and returns it. */
export type Closure = () => Tensor;

/** The parameters of an optimizer that it steps and keeps states of, where these are not all. */
const parts = new WeakMap<object, (param: Tensor) => boolean>();

/** Lets an optimizer step, and keep the states of, those of its parameters alone that are its `own`. */
export function stepOnly(optimizer: object, isOwn: (param: Tensor) => boolean): void {
  parts.set(optimizer, isOwn);
}

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : typeof value === "object"
      ? `a ${value.constructor?.name ?? "object"}`
      : `a ${typeof value}`;

/**
 * The base of the optimizers: groups of parameters, each with the settings `Settings`,
 * and a state per parameter.
 */
export abstract class Optimizer<Settings extends { lr: number }> {
  /** At least one; a tuple, so that the first is known to be there. */
  readonly paramGroups = [] as unknown as [ParameterGroup<Settings>, ...ParameterGroup<Settings>[]];
  protected readonly state = new Map<Tensor, Map<string, StateValue>>();
  /** Whether its formulas hold for sparse gradients. */
  protected readonly takesSparse: boolean = false;
  readonly #ranges: SettingRanges;

  /** @throws TypeError or RangeError for what `addParamGroup` refuses. */
  constructor(
    params: Params<Settings>,
    readonly defaults: Settings,
    ranges: SettingRanges = { atLeastZero: ["lr"] },
  ) {
    const { name } = this.constructor;
    this.#ranges = ranges;
    checkRanges(name, defaults, ranges);
    if (
      params instanceof Tensor ||
      typeof (params as Partial<Iterable<unknown>>)?.[Symbol.iterator] !== "function"
    )
      throw new TypeError(
        `${name}: expected a list of tensors or of groups such as { params, lr }, got ${describe(params)}`,
      );
    const list = [...params] as (Tensor | ({ params: Iterable<Tensor> } & Partial<Settings>))[];
    if (list.length === 0) throw new TypeError(`${name}: there are no parameters to optimize`);
    const isGroup = (one: unknown) => !(one instanceof Tensor) && Object(one).params !== undefined;
    const groups = isGroup(list[0]) ? list : [{ params: list as Tensor[] }];
    for (const group of groups) this.addParamGroup(group as { params: Iterable<Tensor> } & Partial<Settings>);
  }

  /**
   * Adds parameters with settings of their own.
   * @throws TypeError for what is no tensor, is computed from other tensors (no leaf), or is there already;
   * RangeError for settings outside their ranges.
   */
  addParamGroup(group: { params: Iterable<Tensor>; name?: string } & Partial<Settings>): void {
    const { name } = this.constructor;
    const known = new Set(this.#parameters());
    const params = group.params instanceof Tensor ? [group.params] : [...group.params];
    for (const param of params) {
      if (!(param instanceof Tensor))
        throw new TypeError(
          `${name}: only tensors can be optimized, one of the parameters is ${describe(param)}`,
        );
      if (!param.isLeaf)
        throw new TypeError(
          `${name}: can't optimize a tensor that is computed from others ([${param.shape.join(", ")}], ${param.gradFn}): it would never change; give the tensor that it is computed from, or x.detach().requiresGrad_()`,
        );
      if (known.has(param))
        throw new TypeError(`${name}: a parameter is there twice, in one group or in more than one group`);
      known.add(param);
    }
    refuseUnknownSettings(name, group, { params: [], name: "", ...this.defaults });
    const settings = { ...this.defaults, ...group, params };
    checkRanges(name, settings, this.#ranges);
    this.paramGroups.push(settings);
  }

  /**
   * Changes the parameters by their gradients; those without one are left alone. With a `closure`, which
   * computes the loss and its gradients, that is called first and its loss returned.
   */
  step(closure?: Closure): Tensor | null {
    const loss = closure ? enableGrad(closure) : null;
    const own = scope();
    try {
      noGrad(() => {
        for (const group of this.paramGroups) this.stepGroup(group);
      });
    } finally {
      own[Symbol.dispose]();
    }
    return loss;
  }

  /** One step of the parameters of a group; in a scope of its own, without gradients. */
  protected abstract stepGroup(group: ParameterGroup<Settings>): void;

  /** Drops the gradients of all its parameters. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const param of group.params) param.grad = null;
  }

  /**
   * Settings and states, the tensors themselves. `torch.save` makes a file of them that
   * Python's optimizer loads.
   */
  stateDict(): OptimizerState {
    const state: OptimizerState["state"] = new Map();
    this.#parameters().forEach((param, i) => {
      const own = this.state.get(param);
      if (own && own.size > 0) state.set(i, own);
    });
    let count = 0;
    const param_groups = this.paramGroups.map((group) => {
      const { params, ...settings } = group;
      const initial = initialRateOf(group);
      const saved = initial === undefined ? settings : { ...settings, initialLr: initial };
      return groupToState(
        saved,
        params.map(() => count++),
      );
    });
    return { state, param_groups };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of a file that `torch.save` made of it, here
   * or in Python. States come to their parameters' devices and dtypes.
   * @throws TypeError if it is something else, or if the groups or the shapes of parameters and states do not
   * agree; then nothing has changed.
   */
  loadStateDict(given: OptimizerState | PickleValue): void {
    const { name } = this.constructor;
    const saved = readOptimizerState(name, given);
    if (saved.groups.length !== this.paramGroups.length) {
      throw new TypeError(
        `${name}: the state has ${saved.groups.length} groups, the optimizer ${this.paramGroups.length}`,
      );
    }
    const byNumber = new Map<number, Tensor>();
    const settings = saved.groups.map(({ params, settings }, i) => {
      const group = this.paramGroups[i];
      if (params.length !== group.params.length)
        throw new TypeError(
          `${name}: group ${i} of the state has ${params.length} parameters, the optimizer ${group.params.length}`,
        );
      params.forEach((number, k) => {
        byNumber.set(number, group.params[k]);
      });
      const known = Object.entries(settings).filter(
        ([key]) => key === "name" || Object.hasOwn(this.defaults, key),
      );
      checkRanges(name, { ...group, ...Object.fromEntries(known) }, this.#ranges);
      return Object.fromEntries(known);
    });
    for (const [number, own] of saved.state) this.#checkState(number, byNumber.get(number), own);
    settings.forEach((own, i) => {
      Object.assign(this.paramGroups[i], own);
      const { initialLr } = saved.groups[i].settings;
      if (typeof initialLr === "number") rememberInitialRate(this.paramGroups[i], initialLr);
    });
    // What is loaded may be this optimizer's own state: nothing is freed before everything is copied.
    const before = new Map(this.state);
    this.state.clear();
    for (const [number, own] of saved.state) {
      const param = byNumber.get(number)!;
      if (parts.get(this)?.(param) === false) continue;
      const copies = [...own].map(([key, value]): [string, StateValue] => [key, copyOf(value, param, key)]);
      this.state.set(param, new Map(copies.filter(([, value]) => value !== null)));
    }
    const theirs = new Set([...saved.state.values()].flatMap((own) => [...own.values()].flatMap(tensorsOf)));
    for (const own of before.values())
      for (const value of own.values())
        for (const one of tensorsOf(value)) if (!theirs.has(one)) one.dispose();
  }

  /** The shape of a state, or null where it can be any; kernels trust it. */
  protected stateShape(key: string, param: Tensor): readonly number[] | null {
    return key === "step" ? [] : param.shape;
  }

  #checkState(number: number, param: Tensor | undefined, own: ReadonlyMap<string, StateValue>): void {
    const { name } = this.constructor;
    if (!param) throw new TypeError(`${name}: the state is of a parameter ${number}, which is not there`);
    for (const [key, value] of own) {
      const expected = this.stateShape(key, param);
      if (expected === null || value === null) continue;
      const found = value instanceof Tensor ? `shape [${value.shape.join(", ")}]` : "no shape";
      if (found !== `shape [${expected.join(", ")}]`)
        throw new TypeError(
          `${name}: ${key} of parameter ${number} has ${found}, expected [${expected.join(", ")}]`,
        );
    }
  }

  /** Its groups, each with its settings, as printing shows it. */
  toString(): string {
    const groups = this.paramGroups.map(({ params, name, ...settings }, i) => {
      const elements = params.reduce((sum, param) => sum + param.numel, 0).toLocaleString("en-US");
      const shown = Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return `  (${name ?? i}): ${shown.join(", ")}  # ${params.length} tensors, ${elements} elements`;
    });
    return [`${this.constructor.name}()`, ...groups].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  #parameters(): Tensor[] {
    return this.paramGroups.flatMap((group) => group.params);
  }

  /**
   * The parameters of a group that it steps and that have a gradient, their gradients beside them.
   * @throws TorchError for sparse gradients that it cannot take.
   */
  protected withGradients(group: ParameterGroup<Settings>): { params: Tensor[]; grads: Tensor[] } {
    const params: Tensor[] = [];
    const grads: Tensor[] = [];
    for (const param of group.params) {
      const gradient = param.grad;
      if (!gradient || parts.get(this)?.(param) === false) continue;
      if (!this.takesSparse && gradient.layout !== "strided")
        throw new TorchError(
          `${this.constructor.name} does not take sparse gradients; use SparseAdam, SGD or Adagrad for such parameters`,
          "type",
        );
      params.push(param);
      grads.push(gradient);
    }
    return { params, grads };
  }

  /** The state tensor of a parameter, made at its first use; it belongs to the optimizer, not to a scope. */
  protected stateOf(param: Tensor, name: string, make: () => Tensor): Tensor {
    let own = this.state.get(param);
    if (!own) {
      own = new Map();
      this.state.set(param, own);
    }
    const value = own.get(name);
    if (value instanceof Tensor) return value;
    const fresh = make().detachFromScope();
    own.set(name, fresh);
    return fresh;
  }

  /** The states of one name of several parameters, zeros at first. */
  protected statesOf(params: readonly Tensor[], name: string): Tensor[] {
    return params.map((param) => this.stateOf(param, name, () => zerosAs(param)));
  }

  /** The counts of steps of several parameters. */
  protected stepsOf(params: readonly Tensor[]): Tensor[] {
    return params.map((param) => this.stateOf(param, "step", () => zeros([])));
  }

  /** Frees the state tensors now. */
  dispose(): void {
    for (const own of this.state.values())
      for (const value of own.values()) for (const one of tensorsOf(value)) one.dispose();
    this.state.clear();
  }
}

function tensorsOf(value: StateValue): Tensor[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((one) => one instanceof Tensor);
}

/** A copy of a saved value for a parameter: on its device, and of its dtype except for counters of steps. */
function copyOf(value: StateValue, param: Tensor, key: string): StateValue {
  if (Array.isArray(value)) return value.map((one) => copyOf(one, param, key) as Tensor | number | null);
  if (!(value instanceof Tensor)) return value;
  using detached = value.detach();
  const { device, dtype } = key === "step" ? value : param;
  return detached.to({ device, dtype, copy: true }).detachFromScope();
}
