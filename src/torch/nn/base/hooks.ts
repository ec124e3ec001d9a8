import { AutogradFunction, type FunctionContext } from "../../autograd/function.ts";
import { RemovableHandle } from "../../autograd/hooks.ts";
import { isGradEnabled } from "../../autograd/modes.ts";
import { Tensor } from "../../core/tensor.ts";

/** Gradients by input or output; null for what is no tensor, or has none. */
export type HookGradients = readonly (Tensor | null)[];
type ReplacedGradients = Tensor | HookGradients | null | undefined;

/** What hooks need of a module. */
export interface Hooked {
  forward(...args: never[]): unknown;
  namedModules(): Iterable<[string, Hooked]>;
}

/** Before `forward`: what it gives replaces the arguments (a list, or the only argument). */
export type ForwardPreHook<M = Hooked> = (module: M, args: readonly unknown[]) => unknown;
/** After `forward`: what it gives replaces the output. */
export type ForwardHook<M = Hooked> = (module: M, args: readonly unknown[], output: unknown) => unknown;
/** When the gradients by the inputs are known: what it gives replaces them. */
export type FullBackwardHook<M = Hooked> = (
  module: M,
  gradInput: HookGradients,
  gradOutput: HookGradients,
) => ReplacedGradients;
/** When the gradients by the outputs are known: what it gives replaces them. */
export type FullBackwardPreHook<M = Hooked> = (module: M, gradOutput: HookGradients) => ReplacedGradients;

export interface HookOptions {
  /** Call this hook before those that are there already. */
  readonly prepend?: boolean;
}

export interface ForwardHookOptions extends HookOptions {
  /** Call the hook also when `forward` throws, with output undefined. */
  readonly alwaysCall?: boolean;
}

interface Hooks {
  readonly forwardPre: ForwardPreHook[];
  readonly forward: { readonly hook: ForwardHook; readonly always: boolean }[];
  readonly backward: FullBackwardHook[];
  readonly backwardPre: FullBackwardPreHook[];
}

const hooksOf = new WeakMap<Hooked, Hooks>();
let everUsed = false;

/** Whether a module, or one below it, has hooks: then it must be called itself, part by part. */
export function hasHooks(module: Hooked): boolean {
  if (!everUsed) return false;
  for (const [, one] of module.namedModules()) {
    const hooks = hooksOf.get(one);
    if (hooks && Object.values(hooks).some((list: unknown[]) => list.length > 0)) return true;
  }
  return false;
}

type Forward = (...args: unknown[]) => unknown;

/** The hooks of a module; from the first on, its `forward` is the one that calls them. */
function hooksFor(module: Hooked): Hooks {
  let hooks = hooksOf.get(module);
  if (hooks) return hooks;
  hooks = { forwardPre: [], forward: [], backward: [], backwardPre: [] };
  hooksOf.set(module, hooks);
  everUsed = true;
  const own = hooks;
  const forward = module.forward as Forward;
  // Not enumerable: properties that are stand for members.
  Object.defineProperty(module, "forward", {
    value: (...args: unknown[]) => callWithHooks(module, own, forward, args),
    configurable: true,
    writable: true,
  });
  return hooks;
}

function add<T>(list: T[], hook: T, prepend = false): RemovableHandle {
  // An entry of its own, so that a function registered twice is called twice.
  if (prepend) list.unshift(hook);
  else list.push(hook);
  let there = true;
  return new RemovableHandle(() => {
    if (there) list.splice(list.indexOf(hook), 1);
    there = false;
  });
}

export const addForwardPreHook = (
  module: Hooked,
  hook: ForwardPreHook,
  options: HookOptions = {},
): RemovableHandle => add(hooksFor(module).forwardPre, hook, options.prepend);

export const addForwardHook = (
  module: Hooked,
  hook: ForwardHook,
  options: ForwardHookOptions = {},
): RemovableHandle =>
  add(hooksFor(module).forward, { hook, always: options.alwaysCall === true }, options.prepend);

export const addBackwardHook = (
  module: Hooked,
  hook: FullBackwardHook,
  options: HookOptions = {},
): RemovableHandle => add(hooksFor(module).backward, hook, options.prepend);

export const addBackwardPreHook = (
  module: Hooked,
  hook: FullBackwardPreHook,
  options: HookOptions = {},
): RemovableHandle => add(hooksFor(module).backwardPre, hook, options.prepend);

function callWithHooks(module: Hooked, hooks: Hooks, forward: Forward, args: unknown[]): unknown {
  let given = args;
  for (const hook of [...hooks.forwardPre]) {
    const result = hook(module, given);
    if (result !== undefined && result !== null) given = Array.isArray(result) ? result : [result];
  }
  const backward =
    hooks.backward.length + hooks.backwardPre.length > 0 ? new BackwardHooks(module, hooks) : null;
  if (backward) given = backward.onInputs(given);
  let output: unknown;
  try {
    output = forward.apply(module, given);
  } catch (error) {
    for (const { hook, always } of [...hooks.forward]) if (always) hook(module, given, undefined);
    throw error;
  }
  for (const { hook } of [...hooks.forward]) {
    const result = hook(module, given, output);
    if (result !== undefined && result !== null) output = result;
  }
  return backward ? backward.onOutputs(output) : output;
}

/** What a hook gives, as a list as long as what it was given. */
function replaced(result: ReplacedGradients, before: HookGradients, what: string): HookGradients {
  if (result === undefined || result === null) return before;
  const list = result instanceof Tensor ? [result] : (result as HookGradients);
  if (!Array.isArray(list) || list.length !== before.length)
    throw new TypeError(
      `${what}: the hook must give ${before.length} gradients, as it was given, or nothing`,
    );
  return list;
}

/** Tensors as they are, with a backward that `seen` may change. */
class Passing extends AutogradFunction {
  static forward(
    context: FunctionContext & { seen: (gradients: HookGradients) => HookGradients },
    seen: (gradients: HookGradients) => HookGradients,
    ...tensors: Tensor[]
  ): Tensor[] {
    context.seen = seen;
    context.setMaterializeGrads(false);
    context.markNonDifferentiable(...tensors.filter((tensor) => !tensor.requiresGrad));
    return tensors;
  }

  static backward(
    context: FunctionContext & { seen: (gradients: HookGradients) => HookGradients },
    ...gradients: (Tensor | null)[]
  ): (Tensor | null)[] {
    return [null, ...context.seen(gradients)];
  }
}

/**
 * The backward hooks of one call: the outputs' gradients come first, the inputs' when
 * autograd has reached them.
 */
class BackwardHooks {
  readonly #module: Hooked;
  readonly #hooks: Hooks;
  #inputs: readonly number[] | null = null;
  #count = 0;
  #gradOutput: HookGradients | null = null;

  constructor(module: Hooked, hooks: Hooks) {
    this.#module = module;
    this.#hooks = hooks;
  }

  onInputs(args: unknown[]): unknown[] {
    this.#count = args.length;
    const at = args.flatMap((value, i) => (value instanceof Tensor ? [i] : []));
    if (!isGradEnabled() || !at.some((i) => (args[i] as Tensor).requiresGrad)) return args;
    this.#inputs = at;
    const passed = Passing.apply(
      (gradients) => this.#seenInputs(gradients),
      ...at.map((i) => args[i] as Tensor),
    );
    const given = [...args];
    at.forEach((i, k) => {
      given[i] = passed[k];
    });
    return given;
  }

  onOutputs(output: unknown): unknown {
    const list = Array.isArray(output) ? output : [output];
    const at = list.flatMap((value: unknown, i) => (value instanceof Tensor ? [i] : []));
    if (at.length === 0)
      throw new TypeError(
        `registerFullBackwardHook: ${this.#module.constructor.name} must give a tensor or an array with tensors`,
      );
    if (!isGradEnabled() || !at.some((i) => list[i].requiresGrad)) return output;
    const seen = (gradients: HookGradients) => this.#seenOutputs(gradients, at, list.length);
    const passed = Passing.apply(seen, ...at.map((i) => list[i] as Tensor));
    const given = [...list];
    at.forEach((i, k) => {
      given[i] = passed[k];
    });
    return Array.isArray(output) ? given : given[0];
  }

  #seenOutputs(gradients: HookGradients, at: readonly number[], count: number): HookGradients {
    let all: HookGradients = spreadOut(gradients, at, count);
    for (const hook of [...this.#hooks.backwardPre])
      all = replaced(hook(this.#module, all), all, "registerFullBackwardPreHook");
    // They are read again when the inputs are reached, perhaps after this call's own scope.
    this.#gradOutput = all.map((tensor) => (tensor ? tensor.detachFromScope() : null));
    // No input needs a gradient: there is nothing more to wait for.
    if (this.#inputs === null) this.#call(spreadOut([], [], this.#count));
    return at.map((i) => all[i]);
  }

  #seenInputs(gradients: HookGradients): HookGradients {
    const at = this.#inputs as readonly number[];
    if (this.#gradOutput === null) return gradients;
    const all = this.#call(spreadOut(gradients, at, this.#count));
    return at.map((i) => all[i]);
  }

  #call(gradInput: HookGradients): HookGradients {
    let all = gradInput;
    const gradOutput = this.#gradOutput as HookGradients;
    this.#gradOutput = null;
    for (const hook of [...this.#hooks.backward])
      all = replaced(hook(this.#module, all, gradOutput), all, "registerFullBackwardHook");
    return all;
  }
}

function spreadOut(gradients: HookGradients, at: readonly number[], count: number): (Tensor | null)[] {
  const all: (Tensor | null)[] = new Array(count).fill(null);
  at.forEach((i, k) => {
    all[i] = gradients[k];
  });
  return all;
}
