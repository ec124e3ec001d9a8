import { Tensor } from "../core/tensor.ts";
import { refuseUnknownSettings } from "../dispatch/optionNames.ts";
import type { PickleValue } from "../io/pickle.ts";
import type { PickleInput } from "../io/savePickle.ts";

/** Parameters that share settings. */
export type ParameterGroup<Settings> = { params: Tensor[]; name?: string } & Settings;

/** What an optimizer keeps, to be saved and loaded again: settings per group, tensors per parameter in their order. */
export type OptimizerState = {
  groups: Record<string, PickleInput>[];
  /** By parameter number, then by name, e.g. `exp_avg`. */
  state: Map<number, Map<string, Tensor>>;
};

/** The base of the optimizers: groups of parameters, each with the settings `Settings`, and a state per parameter. */
export abstract class Optimizer<Settings extends { lr: number }> {
  readonly paramGroups: ParameterGroup<Settings>[] = [];
  protected readonly state = new Map<Tensor, Map<string, Tensor>>();

  constructor(
    params: Iterable<Tensor> | Iterable<{ params: Iterable<Tensor>; name?: string } & Partial<Settings>>,
    readonly defaults: Settings,
  ) {
    const list = [...params] as (
      | Tensor
      | ({ params: Iterable<Tensor>; name?: string } & Partial<Settings>)
    )[];
    if (list.length === 0)
      throw new TypeError(`${this.constructor.name}: there are no parameters to optimize`);
    const isGroups = typeof (list[0] as { params?: unknown }).params === "object";
    const groups = isGroups ? (list as { params: Iterable<Tensor> }[]) : [{ params: list as Tensor[] }];
    for (const group of groups) this.addParamGroup(group as { params: Iterable<Tensor> } & Partial<Settings>);
  }

  /** Adds parameters with settings of their own. @throws TypeError for one that is in another group already. */
  addParamGroup(group: { params: Iterable<Tensor>; name?: string } & Partial<Settings>): void {
    const known = new Set(this.paramGroups.flatMap((other) => other.params));
    const params = [...group.params];
    for (const param of params) {
      if (known.has(param))
        throw new TypeError(`${this.constructor.name}: a parameter is in more than one group`);
      known.add(param);
    }
    refuseUnknownSettings(this.constructor.name, group, { params: [], name: "", ...this.defaults });
    this.paramGroups.push({ ...this.defaults, ...group, params });
  }

  /** Changes the parameters by their gradients. Those without one are left alone. */
  abstract step(): void;

  /** Drops the gradients of all its parameters. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const param of group.params) param.grad = null;
  }

  stateDict(): OptimizerState {
    const state = new Map<number, Map<string, Tensor>>();
    this.#parameters().forEach((param, i) => {
      const own = this.state.get(param);
      if (own) state.set(i, own);
    });
    const groups = this.paramGroups.map(({ params, ...settings }) => ({
      ...(settings as Record<string, PickleInput>),
      params: params.length,
    }));
    return { groups, state };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of a file that `torch.save` made of it. @throws TypeError if it is
   * something else, or if the groups or the shapes of parameters and states do not agree.
   */
  loadStateDict(given: OptimizerState | PickleValue): void {
    const saved = asOptimizerState(this.constructor.name, given);
    if (saved.groups.length !== this.paramGroups.length) {
      throw new TypeError(
        `${this.constructor.name}: the state has ${saved.groups.length} groups, the optimizer ${this.paramGroups.length}`,
      );
    }
    saved.groups.forEach(({ params }, i) => {
      const group = this.paramGroups[i];
      if (params !== group.params.length) {
        throw new TypeError(
          `${this.constructor.name}: group ${i} of the state has ${params} parameters, the optimizer ${group.params.length}`,
        );
      }
    });
    const parameters = this.#parameters();
    for (const [i, own] of saved.state) this.#checkState(i, parameters[i], own);
    saved.groups.forEach(({ params: _, ...settings }, i) => {
      Object.assign(this.paramGroups[i], settings);
    });
    // What is loaded may be this optimizer's own state: nothing is freed before everything is copied.
    const before = new Map(this.state);
    this.state.clear();
    for (const [i, own] of saved.state) {
      const param = parameters[i];
      const copies = new Map<string, Tensor>();
      for (const [name, value] of own) {
        const device = name === "step" ? value.device : param.device;
        using detached = value.detach();
        copies.set(name, detached.to({ device, copy: true }).detachFromScope());
      }
      this.state.set(param, copies);
    }
    const theirs = new Set([...saved.state.values()].flatMap((own) => [...own.values()]));
    for (const own of before.values())
      for (const value of own.values()) if (!theirs.has(value)) value.dispose();
  }

  /** The kernels that update parameters trust the sizes of states. */
  #checkState(i: number, param: Tensor | undefined, own: ReadonlyMap<string, Tensor>): void {
    const name = this.constructor.name;
    if (!param) throw new TypeError(`${name}: the state is of a parameter ${i}, which is not there`);
    for (const [key, value] of own) {
      const expected = key === "step" ? "" : param.shape.join(", ");
      const found = value.shape.join(", ");
      if (found !== expected)
        throw new TypeError(`${name}: ${key} of parameter ${i} has shape [${found}], expected [${expected}]`);
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

  /** The parameters of a group that have a gradient, their gradients beside them. */
  protected withGradients(group: ParameterGroup<Settings>): { params: Tensor[]; grads: Tensor[] } {
    const params: Tensor[] = [];
    const grads: Tensor[] = [];
    for (const param of group.params) {
      const gradient = param.grad;
      if (!gradient) continue;
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
    let value = own.get(name);
    if (!value) {
      value = make().detachFromScope();
      own.set(name, value);
    }
    return value;
  }

  /** Frees the state tensors now. */
  dispose(): void {
    for (const own of this.state.values()) for (const value of own.values()) value.dispose();
    this.state.clear();
  }
}

/** What was saved, with the Maps that a file's dictionaries come as made objects again where they were. */
function asOptimizerState(name: string, given: OptimizerState | PickleValue): OptimizerState {
  const read: Partial<OptimizerState> = given instanceof Map ? Object.fromEntries(given) : Object(given);
  const groups = Array.isArray(read.groups)
    ? read.groups.map((group) => (group instanceof Map ? Object.fromEntries(group) : group))
    : null;
  const { state } = read;
  const isState =
    state instanceof Map &&
    [...state].every(
      ([number, own]) =>
        typeof number === "number" &&
        own instanceof Map &&
        [...own.values()].every((value) => value instanceof Tensor),
    );
  if (!groups || !isState)
    throw new TypeError(`${name}: expected the state of an optimizer, with groups and a state by parameter`);
  return { groups, state };
}
