/** `torch.nn.utils.parametrize`: parameters and buffers that are computed from others. */
import { noGrad } from "../../autograd/modes.ts";
import { synchronous } from "../../autograd/synchronous.ts";
import { currentScope, moveTo, type Scope } from "../../core/scope.ts";
import { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { TorchError } from "../../native/errors.ts";
import { ModuleDict } from "../base/containers.ts";
import { buffer, isBuffer, isParameter, Module, parameter } from "../base/module.ts";

/**
 * Computes a tensor of a module from what is stored in its place, one tensor or several. `rightInverse` tells
 * what to store for a value; without it that is the value itself.
 */
export type Parametrization = Module & {
  forward(...originals: Tensor[]): Tensor;
  rightInverse?(value: Tensor): Tensor | readonly Tensor[];
};

/** What `registerParametrization` adds to a module. */
export interface Parametrized {
  /** By the tensors' names in the state dict. */
  readonly parametrizations: ModuleDict<ParametrizationList>;
}

const membersOf = (module: Module) => module as unknown as Record<string, unknown>;

const listOf = (value: Tensor | readonly Tensor[]) => (value instanceof Tensor ? [value] : value);

/** @throws TorchError unless two tensors have the same dtype and shape. */
function needSame(what: string, found: Tensor, expected: Tensor): void {
  const describe = (tensor: Tensor) => `${tensor.dtype} [${tensor.shape.join(", ")}]`;
  if (!(found instanceof Tensor)) throw new TypeError(`registerParametrization: ${what} must be a tensor`);
  if (describe(found) !== describe(expected))
    throw new TorchError(
      `registerParametrization: ${what} is ${describe(found)}, but the tensor is ${describe(expected)}; { unsafe: true } allows this`,
      "value",
    );
}

/** What to store for a value; undefined of one that cannot tell (an error of the kind "not-implemented"). */
function inverse(parametrization: Parametrization, value: Tensor): Tensor | readonly Tensor[] | undefined {
  if (!parametrization.rightInverse) return value;
  try {
    return parametrization.rightInverse(value);
  } catch (cause) {
    if (cause instanceof TorchError && cause.kind === "not-implemented") return undefined;
    throw cause;
  }
}

/** What is stored for one tensor of a module, and the parametrizations that compute the tensor from it. */
export class ParametrizationList extends Module implements Iterable<Parametrization> {
  /** What is stored, where that is one tensor. */
  declare readonly original: Tensor;
  /** What is stored, where those are several; `originals()` has all. */
  declare readonly original0: Tensor;
  declare readonly original1: Tensor;

  /** @internal use `registerParametrization`. */
  constructor(first: Parametrization, value: Tensor, unsafe: boolean) {
    super();
    const stored = noGrad(() => tidy(() => inverse(first, value) ?? value));
    const { name } = first.constructor;
    if (!unsafe) tidy(() => needSame(`what ${name} gives`, first.forward(...listOf(stored)), value));
    const own = membersOf(this);
    if (stored instanceof Tensor) {
      if (stored.dtype !== value.dtype || stored.device !== value.device)
        throw new TorchError(
          `registerParametrization: what the rightInverse of ${name} gives is ${stored.dtype} on ${stored.device}, but the tensor is ${value.dtype} on ${value.device}`,
          "value",
        );
      // The same object: an optimizer that has it goes on with it.
      if (stored !== value) noGrad(() => value.set_(stored));
      own["original"] = value;
    } else
      stored.forEach((one, i) => {
        const part = one.detach();
        own[`original${i}`] = isParameter(value) ? parameter(part, value.requiresGrad) : buffer(part);
      });
    own["0"] = first;
  }

  /** What is stored: one tensor, or several. */
  originals(): Tensor[] {
    return Object.entries(this)
      .filter(([key]) => key.startsWith("original"))
      .map(([, value]) => value as Tensor);
  }

  [Symbol.iterator](): Iterator<Parametrization> {
    return (this.children() as Parametrization[])[Symbol.iterator]();
  }

  get length(): number {
    return this.children().length;
  }

  /** The parametrization at a position. @throws RangeError where there is none. */
  at(index: number): Parametrization {
    const found = this.children().at(index);
    if (!found) throw new RangeError(`ParametrizationList: no parametrization ${index} among ${this.length}`);
    return found as Parametrization;
  }

  /** Adds one that computes the tensor from what the others give. */
  append(parametrization: Parametrization): this {
    membersOf(this)[String(this.length)] = parametrization;
    return this;
  }

  /** The tensor. */
  forward(): Tensor {
    const [first, ...others] = this;
    return tidy(() =>
      others.reduce(
        (value, parametrization) => parametrization.forward(value),
        (first as Parametrization).forward(...this.originals()),
      ),
    );
  }

  /**
   * Stores what gives a value.
   * @throws TypeError where a parametrization has no `rightInverse`, TorchError for another dtype.
   */
  rightInverse(value: Tensor): void {
    noGrad(() =>
      tidy(() => {
        let stored: Tensor | readonly Tensor[] = value;
        for (const parametrization of [...this].reverse()) {
          if (!parametrization.rightInverse)
            throw new TypeError(
              `the tensor cannot be assigned: ${parametrization.constructor.name} has no rightInverse`,
            );
          stored = parametrization.rightInverse(stored as Tensor);
        }
        const found = listOf(stored);
        const originals = this.originals();
        if (found.length !== originals.length || found.some((one, i) => one.dtype !== originals[i].dtype))
          throw new TorchError(
            `rightInverse gives ${found.map((one) => one.dtype).join(", ")}, but ${originals.map((one) => one.dtype).join(", ")} is stored`,
            "value",
          );
        originals.forEach((original, i) => {
          original.set_(found[i]);
        });
      }),
    );
  }
}

/** The values of modules, by the name of the property, while `cached` runs. */
const cache = new Map<Module, Map<string, Tensor>>();
let cacheDepth = 0;
let cacheScope: Scope | null = null;

/**
 * Runs `fn` with each parametrized tensor computed only once, when it is first asked for: for modules that
 * are called several times, such as cells of recurrent networks.
 * @example const outputs = nn.utils.parametrize.cached(() => steps.map((x) => cell.forward(x)));
 */
export function cached<T>(fn: () => T): T {
  if (cacheDepth++ === 0) cacheScope = currentScope();
  try {
    return synchronous("cached", fn());
  } finally {
    if (--cacheDepth === 0) cache.clear();
  }
}

function currentValue(module: Module, list: ParametrizationList, key: string): Tensor {
  if (cacheDepth === 0) return list.forward();
  const own = cache.get(module) ?? new Map<string, Tensor>();
  cache.set(module, own);
  let value = own.get(key);
  if (!value) {
    value = list.forward();
    // It outlives the scopes within.
    moveTo(cacheScope, value);
    own.set(key, value);
  }
  return value;
}

/** The property that a name stands for, and its name in the state dict. */
function placeOf(module: Module, tensorName: string): { key: string; name: string } {
  const { names } = module.constructor as typeof Module;
  const key = Object.keys(names).find((one) => names[one] === tensorName) ?? tensorName;
  return { key, name: names[key] ?? key };
}

const parametrizationsOf = (module: Module) => (module as Module & Partial<Parametrized>).parametrizations;

/** Whether a tensor of a module, or any of them, is computed by parametrizations. */
export function isParametrized<M extends Module>(module: M, tensorName?: string): module is M & Parametrized {
  const lists = parametrizationsOf(module);
  if (!(lists instanceof ModuleDict)) return false;
  return tensorName === undefined || lists.has(placeOf(module, tensorName).name);
}

/** Gives a module a class of its own, below that which it has, for the properties that are computed. */
function extendClass(module: Module): void {
  const Base = module.constructor as new () => object;
  const Extended = class extends Base {};
  Object.defineProperty(Extended, "name", { value: `Parametrized${Base.name}` });
  Object.setPrototypeOf(module, Extended.prototype);
}

/**
 * Lets a module compute a parameter or buffer: `module.weight` becomes what the parametrization gives of what
 * is stored, and assigning to it stores what `rightInverse` tells. A further one of the same tensor computes
 * it from what those before give. What is stored is in `module.parametrizations.get("weight")`, as `original`
 * or, where `rightInverse` gives several tensors, `original0` and so on, and in the state dict under these
 * names, as in PyTorch. Several are new parameters: make the optimizer afterwards.
 * @throws TypeError for a name that the module does not have; TorchError where dtype or shape would change,
 * unless `unsafe` allows it.
 * @example
 * class Symmetric extends nn.Module {
 *   forward(x: torch.Tensor): torch.Tensor {
 *     return x.triu().add(x.triu(1).T);
 *   }
 * }
 * nn.utils.parametrize.registerParametrization(layer, "weight", new Symmetric());
 */
export function registerParametrization<M extends Module>(
  module: M,
  tensorName: string,
  parametrization: Parametrization,
  options: { unsafe?: boolean } = {},
): M & Parametrized {
  const { unsafe = false, ...others } = options;
  refuseOthers("registerParametrization", others, "unsafe");
  parametrization.train(module.training);
  const { key, name } = placeOf(module, tensorName);
  const own = membersOf(module);
  if (isParametrized(module, tensorName)) {
    if (!unsafe) tidy(() => checkFurther(parametrization, own[key] as Tensor));
    module.parametrizations.get(name).append(parametrization);
    return module;
  }
  const value = own[key];
  if (!isParameter(value) && !isBuffer(value))
    throw new TypeError(
      `registerParametrization: ${module.constructor.name} has no parameter or buffer "${tensorName}"`,
    );
  const list = new ParametrizationList(parametrization, value, unsafe);
  if (!isParametrized(module)) {
    extendClass(module);
    own["parametrizations"] = new ModuleDict();
  }
  delete own[key];
  Object.defineProperty(Object.getPrototypeOf(module), key, {
    get(this: Module & Parametrized): Tensor {
      return currentValue(this, this.parametrizations.get(name), key);
    },
    set(this: Module & Parametrized, value: Tensor) {
      this.parametrizations.get(name).rightInverse(value);
    },
    configurable: true,
  });
  const result = module as M & Parametrized;
  result.parametrizations.set(name, list);
  return result;
}

function checkFurther(parametrization: Parametrization, value: Tensor): void {
  const { name } = parametrization.constructor;
  const found = parametrization.forward(value);
  needSame(`what ${name} gives`, found, value);
  const back = inverse(parametrization, found);
  if (back) needSame(`what the rightInverse of ${name} gives`, back as Tensor, value);
}

/**
 * Makes a tensor an ordinary parameter or buffer again: with the value that it has now or, unless
 * `leaveParametrized`, what was stored.
 * @throws TypeError for one that has no parametrization, and where several tensors were stored and none is
 * to be left.
 */
export function removeParametrizations<M extends Module>(
  module: M,
  tensorName: string,
  options: { leaveParametrized?: boolean } = {},
): M {
  const { leaveParametrized = true, ...others } = options;
  refuseOthers("removeParametrizations", others, "leaveParametrized");
  const { key, name } = placeOf(module, tensorName);
  if (!isParametrized(module, tensorName))
    throw new TypeError(
      `removeParametrizations: ${module.constructor.name} has no parametrization of "${tensorName}"`,
    );
  const lists = module.parametrizations;
  let { original } = lists.get(name) as { original: Tensor | undefined };
  if (original) {
    const kept = original;
    if (leaveParametrized) noGrad(() => tidy(() => kept.set_(membersOf(module)[key] as Tensor)));
  } else {
    if (!leaveParametrized)
      throw new TypeError(
        `removeParametrizations: "${tensorName}" is computed from several tensors, none of which can be left in its place`,
      );
    const value = membersOf(module)[key] as Tensor;
    original = value.requiresGrad ? parameter(value) : buffer(value);
  }
  lists.delete(name);
  // Clones share the class with its computed properties: the own one goes before them.
  Object.defineProperty(module, key, {
    value: original,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  if (lists.length === 0) {
    delete membersOf(module)["parametrizations"];
    Object.setPrototypeOf(module, Object.getPrototypeOf(Object.getPrototypeOf(module)));
  }
  return module;
}
