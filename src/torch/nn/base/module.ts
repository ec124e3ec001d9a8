import type { RemovableHandle } from "../../autograd/hooks.ts";
import { noGrad } from "../../autograd/modes.ts";
import type { Device } from "../../core/device.ts";
import type { DType } from "../../core/dtype.ts";
import { isDtype, isFloatingDtype } from "../../core/dtype.ts";
import { Tensor } from "../../core/tensor.ts";
import { TorchError } from "../../native/errors.ts";
import {
  addBackwardHook,
  addBackwardPreHook,
  addForwardHook,
  addForwardPreHook,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardPreHook,
  type FullBackwardHook,
  type FullBackwardPreHook,
  type HookOptions,
} from "./hooks.ts";
import { refusePlainTensor, rememberParameter } from "./plainTensors.ts";

const parameterMark = new WeakSet<Tensor>();
const bufferMark = new WeakMap<Tensor, boolean>();

/**
 * Makes a tensor a parameter: a leaf that requires a gradient (unless told otherwise), belongs to no scope,
 * and is found by the module that has it as a property.
 */
export function parameter(value: Tensor, requiresGrad = true): Tensor {
  const leaf = value.isLeaf ? value : value.detach();
  parameterMark.add(leaf);
  return leaf.detachFromScope().requiresGrad_(requiresGrad);
}

/** Makes a tensor a buffer: state without gradient, saved with the module unless `persistent` is false. */
export function buffer(value: Tensor, persistent = true): Tensor {
  bufferMark.set(value, persistent);
  return value.detachFromScope();
}

/** The type of a class whose objects are tensors. */
interface TensorClass<Setting> {
  new (value: Tensor, setting?: Setting): Tensor;
  [Symbol.hasInstance](value: unknown): boolean;
}

/**
 * `new nn.Parameter(tensor, requiresGrad)`: `parameter` in PyTorch's writing;
 * `instanceof` knows every parameter.
 */
export const Parameter: TensorClass<boolean> = class {
  constructor(value: Tensor, requiresGrad = true) {
    // biome-ignore lint/correctness/noConstructorReturn: a parameter is a marked tensor, no class of its own
    return parameter(value, requiresGrad);
  }
  static [Symbol.hasInstance](value: unknown): boolean {
    return isParameter(value);
  }
} as unknown as TensorClass<boolean>;

/** `new nn.Buffer(tensor, persistent)`: `buffer` in PyTorch's writing. */
export const Buffer: TensorClass<boolean> = class {
  constructor(value: Tensor, persistent = true) {
    // biome-ignore lint/correctness/noConstructorReturn: a buffer is a marked tensor, not a class of its own
    return buffer(value, persistent);
  }
  static [Symbol.hasInstance](value: unknown): boolean {
    return isBuffer(value);
  }
} as unknown as TensorClass<boolean>;

/** Whether a value is a tensor that `nn.parameter` has marked. */
export function isParameter(value: unknown): value is Tensor {
  return value instanceof Tensor && parameterMark.has(value);
}

/** Whether a value is a tensor that `nn.buffer` has marked. */
export function isBuffer(value: unknown): value is Tensor {
  return value instanceof Tensor && bufferMark.has(value);
}

/** What a strict load found wrong. */
export interface LoadReport {
  readonly missing: string[];
  readonly unexpected: string[];
}

/**
 * The base of all layers and models. Parameters, buffers and other modules that are properties of it are
 * found by the name of the property, in the order in which they were set; names are joined by dots, as in
 * PyTorch. A class maps a property to another name (a PyTorch name in snake_case, say) by `static names`.
 */
export abstract class Module {
  /** Property name -> name in the state dict, where they differ. */
  static readonly names: Readonly<Record<string, string>> = {};

  /** Whether dropout and the like are active. */
  training = true;

  abstract forward(...args: never[]): unknown;

  /** The layers directly below, by name. */
  *namedChildren(): Generator<[string, Module]> {
    for (const [name, value] of this.#members()) if (value instanceof Module) yield [name, value];
  }

  children(): Module[] {
    return [...this.namedChildren()].map(([, child]) => child);
  }

  *#members(): Generator<[string, unknown]> {
    const names = (this.constructor as typeof Module).names;
    for (const key of Object.keys(this)) {
      yield [Object.hasOwn(names, key) ? names[key] : key, (this as unknown as Record<string, unknown>)[key]];
    }
  }

  /** This module and all below it, with their paths. */
  *namedModules(prefix = ""): Generator<[string, Module]> {
    yield [prefix, this];
    for (const [name, child] of this.namedChildren())
      yield* child.namedModules(prefix ? `${prefix}.${name}` : name);
  }

  modules(): Module[] {
    return [...this.namedModules()].map(([, module]) => module);
  }

  /** Of this module and all below. */
  #refusePlainTensors(): void {
    for (const module of this.modules())
      for (const [name, value] of module.#members()) {
        if (!(value instanceof Tensor) || isBuffer(value)) continue;
        if (isParameter(value)) rememberParameter(module, name);
        else refusePlainTensor(module, name);
      }
  }

  *#named(test: (value: unknown) => value is Tensor): Generator<[string, Tensor]> {
    const seen = new Set<Tensor>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, value] of module.#members()) {
        if (!test(value) || seen.has(value)) continue;
        seen.add(value);
        yield [path ? `${path}.${name}` : name, value];
      }
    }
  }

  /**
   * Every parameter once, with its path.
   * @throws TorchError where a plain tensor was assigned to a parameter's property, as `stateDict` does.
   */
  *namedParameters(): Generator<[string, Tensor]> {
    this.#refusePlainTensors();
    yield* this.#named(isParameter);
  }

  parameters(): Tensor[] {
    return [...this.namedParameters()].map(([, value]) => value);
  }

  namedBuffers(): Generator<[string, Tensor]> {
    return this.#named(isBuffer);
  }

  buffers(): Tensor[] {
    return [...this.namedBuffers()].map(([, value]) => value);
  }

  /** Parameters and persistent buffers by path: the tensors themselves, not copies. */
  stateDict(): Map<string, Tensor> {
    this.#refusePlainTensors();
    const state = new Map<string, Tensor>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, value] of module.#members()) {
        if (isParameter(value) || (isBuffer(value) && bufferMark.get(value))) {
          state.set(path ? `${path}.${name}` : name, value);
        }
      }
    }
    return state;
  }

  /**
   * Copies values into the parameters and buffers of the same names. Shapes must agree. With `strict` (the
   * default) so must the names. Nothing is changed unless everything fits.
   * @throws TorchError that lists what does not fit.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, options: { strict?: boolean } = {}): LoadReport {
    if (!(state instanceof Map))
      throw new TypeError(
        "loadStateDict: takes a Map of names to tensors, such as stateDict() gives, or loadSafetensors(path).tensors",
      );
    const own = this.stateDict();
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    const problems: string[] = [];
    for (const [name, target] of own) {
      const source = state.get(name);
      if (source && source.shape.join() !== target.shape.join()) {
        problems.push(
          `${name} has shape [${source.shape.join(", ")}], the model needs [${target.shape.join(", ")}]`,
        );
      }
    }
    if (options.strict ?? true) {
      if (missing.length) problems.push(`missing: ${listed(missing)}`);
      if (unexpected.length) problems.push(`unexpected: ${listed(unexpected)}`);
    }
    if (problems.length) {
      throw new TorchError(
        `The state does not fit ${this.constructor.name}: ${problems.slice(0, 12).join("; ")}.`,
        "value",
      );
    }
    noGrad(() => {
      for (const [name, target] of own) {
        const source = state.get(name);
        if (source) target.copy_(source);
      }
    });
    return { missing, unexpected };
  }

  /** Switches dropout and the like on or off, here and below. */
  train(on = true): this {
    for (const [, module] of this.namedModules()) module.training = on;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  requiresGrad_(on = true): this {
    for (const value of this.parameters()) value.requiresGrad_(on);
    return this;
  }

  /**
   * Moves parameters and buffers to a device and floating-point ones to a dtype. The
   * tensors stay the same objects.
   */
  to(target: { device?: Device; dtype?: DType } | Device | DType): this {
    const options =
      typeof target !== "string" ? target : isDtype(target) ? { dtype: target } : { device: target };
    if (options.dtype !== undefined && !isFloatingDtype(options.dtype))
      throw new TypeError(`to: a module takes floating-point dtypes only, got ${options.dtype}`);
    noGrad(() => {
      for (const value of [...this.parameters(), ...this.buffers()]) {
        const dtype = options.dtype && isFloatingDtype(value.dtype) ? options.dtype : value.dtype;
        value.replaceData({ device: options.device ?? value.device, dtype });
      }
    });
    return this;
  }

  float(): this {
    return this.to("float32");
  }

  double(): this {
    return this.to("float64");
  }

  half(): this {
    return this.to("float16");
  }

  bfloat16(): this {
    return this.to("bfloat16");
  }

  cpu(): this {
    return this.to("cpu");
  }

  /** To the current CUDA device, or to that of a number. */
  cuda(index?: number): this {
    return this.to(index === undefined ? "cuda" : `cuda:${index}`);
  }

  /**
   * A deep copy, as Python's `copy.deepcopy(module)`: parameters, buffers, layers and all other properties,
   * on the same devices; what occurs twice (tied weights) does so in the copy. Draws no random numbers, and
   * copies no gradients. `copied` holds the pairs so far.
   * @throws TypeError for a class with `#private` fields or methods, which cannot be copied from outside: let
   * it override `clone`, or `hollowCopy`; and for a tensor that is computed from others.
   * @example const teacher = student.clone().requiresGrad_(false).eval();
   */
  clone(copied: Map<object, object> = new Map()): this {
    const known = copied.get(this);
    if (known) return known as this;
    refusePrivateNames(this);
    const copy = this.hollowCopy(copied);
    copied.set(this, copy);
    for (const key of Object.keys(this)) {
      const value = deepCopy((this as unknown as Record<string, unknown>)[key], copied);
      Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return copy;
  }

  /**
   * An object of this one's class without its properties; a class with private fields
   * makes one that has them.
   */
  protected hollowCopy(_copied: Map<object, object>): this {
    return Reflect.construct(Module as unknown as new () => Module, [], this.constructor) as this;
  }

  /** Calls `fn` with every module below and then this one, e.g. to initialize the weights in another way. */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /**
   * Calls `hook(module, args)` before each `forward`; what it gives replaces the arguments (a list
   * of them, or the only one).
   * @returns a handle that takes the hook off again
   */
  registerForwardPreHook(hook: ForwardPreHook<this>, options: HookOptions = {}): RemovableHandle {
    return addForwardPreHook(this, hook as ForwardPreHook, options);
  }

  /** Calls `hook(module, args, output)` after each `forward`; what it gives replaces the output. */
  registerForwardHook(hook: ForwardHook<this>, options: ForwardHookOptions = {}): RemovableHandle {
    return addForwardHook(this, hook as ForwardHook, options);
  }

  /**
   * Calls `hook(module, gradInput, gradOutput)` in each backward pass, once the gradients by the
   * tensors among the arguments are known (one entry for each argument, null where none is needed);
   * what it gives replaces them. A module with such hooks gives a tensor or an array with tensors, and
   * is not changed in place.
   */
  registerFullBackwardHook(hook: FullBackwardHook<this>, options: HookOptions = {}): RemovableHandle {
    return addBackwardHook(this, hook as FullBackwardHook, options);
  }

  /**
   * Calls `hook(module, gradOutput)` in each backward pass before this module's own; what it
   * gives replaces the gradients.
   */
  registerFullBackwardPreHook(hook: FullBackwardPreHook<this>, options: HookOptions = {}): RemovableHandle {
    return addBackwardPreHook(this, hook as FullBackwardPreHook, options);
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const value of this.parameters()) value.grad = null;
  }

  /** Frees all parameters and buffers now. */
  dispose(): void {
    for (const [, value] of [...this.#named(isParameter), ...this.#named(isBuffer)]) value.dispose();
  }

  /** One line of settings for the printed tree, e.g. `in=3, out=4`. */
  extraRepr(): string {
    return "";
  }

  /** The tree of layers with their numbers of parameters. */
  toString(): string {
    const render = (module: Module, name: string, indent: string): string => {
      const count = [...module.#named(isParameter)].reduce((sum, [, value]) => sum + value.numel, 0);
      const extra = module.extraRepr();
      const head = `${indent}${name ? `(${name}): ` : ""}${module.constructor.name}(${extra})`;
      const tail = count > 0 ? `  # ${count.toLocaleString("en-US")} parameters` : "";
      const below = [...module.namedChildren()].map(([key, child]) => render(child, key, `${indent}  `));
      return [head + tail, ...below].join("\n");
    };
    return render(this, "", "");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** @throws TypeError for a class whose private names `hollowCopy` does not install. */
function refusePrivateNames(module: Module): void {
  for (
    let at = Object.getPrototypeOf(module);
    !Object.hasOwn(at, "hollowCopy");
    at = Object.getPrototypeOf(at)
  ) {
    const found = /(?<![\w$"'`])#[A-Za-z_$][\w$]*/.exec(String(at.constructor));
    if (found)
      throw new TypeError(
        `${at.constructor.name}: clone can't copy private names such as ${found[0]}; let the class override clone(), or declare them without #`,
      );
  }
}

/**
 * A copy of a property: tensors, modules, lists, Maps, Sets and plain objects anew, everything else as it is.
 */
function deepCopy(value: unknown, copied: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copied.get(value);
  if (known) return known;
  if (value instanceof Module) return value.clone(copied);
  const remember = <T extends object>(copy: T): T => {
    copied.set(value, copy);
    return copy;
  };
  if (value instanceof Tensor) return remember(copyTensor(value));
  const copyOf = (one: unknown) => deepCopy(one, copied);
  if (Array.isArray(value)) return remember(value.map(copyOf));
  if (value instanceof Map)
    return remember(new Map([...value].map(([key, one]) => [copyOf(key), copyOf(one)])));
  if (value instanceof Set) return remember(new Set([...value].map(copyOf)));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return remember(Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyOf(one)])));
}

function copyTensor(value: Tensor): Tensor {
  if (!value.isLeaf)
    throw new TypeError(
      "clone: a property is a tensor that is computed from others; only leaves can be copied",
    );
  const copy = noGrad(() => value.clone());
  if (parameterMark.has(value)) return parameter(copy, value.requiresGrad);
  if (bufferMark.has(value)) return buffer(copy, bufferMark.get(value));
  return value.requiresGrad ? copy.requiresGrad_() : copy;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}
