import { hostReads, Tensor } from "../core/tensor.ts";
import { kindOfStatus, TorchError } from "../native/errors.ts";
import { readText, shim } from "../native/library.ts";
import type { AtenOperators } from "./atenOps.gen.ts";
import { callBoxed, callError, explain, isOptions, mismatch, type Options } from "./boxedCall.ts";
import { beforeCall, typedCalls, withoutTypedCalls } from "./callMode.ts";
import { findOverload, type Overload } from "./findOverload.ts";
import { isInternalOperator } from "./internalOperators.ts";
import { isCallable, sortOverloads } from "./overloadOrder.ts";
import { parseSchema } from "./schema.ts";
import { callTyped, lastTyped } from "./typedCall.ts";

/** Sees every call's name (`mm`, `add_` ...) and arguments. */
type CallObserver = (name: string, args: readonly unknown[]) => void;
let observer: CallObserver | null = null;

/** A callable operator with all its overloads; resolved in the library at the first call. */
export class Operator {
  #overloads: readonly Overload[] | null = null;
  readonly #name: string;
  readonly #variants: readonly string[];
  readonly #display: string;

  /** `name` as in `aten::add`, `variants` the overloads in the order in which they are tried. */
  constructor(name: string, variants: readonly string[], display: string) {
    this.#name = name;
    this.#variants = variants;
    this.#display = display;
  }

  get overloads(): readonly Overload[] {
    this.#overloads ??= this.#variants.map((variant) => findOverload(this.#name, variant));
    return this.#overloads;
  }

  /**
   * Calls the first overload that takes `args`; a plain object as the last one holds options by name.
   * @throws TypeError if none does, TorchError if LibTorch fails.
   */
  call(args: readonly unknown[]): unknown {
    let count = args.length;
    let options: Options = null;
    if (count > 0 && isOptions(args[count - 1])) options = args[--count] as Options;
    const overloads = this.#overloads ?? this.overloads;
    for (const overload of overloads) {
      if (mismatch(overload.schema, args, count, options) !== null) continue;
      if (observer !== null) observer(this.#name.replace(/^aten::/, ""), args);
      if (beforeCall !== null) beforeCall();
      return callBoxed(this.#display, overload, args, count, options);
    }
    throw explain(this.#display, overloads, args, count, options);
  }

  /** `call` by the short way where that is possible; the first `count` arguments are given. */
  callFew(count: number, a: unknown, b: unknown, c: unknown, d: unknown, e: unknown): unknown {
    if (typedCalls) {
      const result = callTyped(this.#overloads ?? this.overloads, count, a, b, c, d, e);
      if (result > 0) return Tensor.fromTyped(result);
      if (result === 0) return lastTyped!.typed!.inPlace ? a : null;
      if (result < 0) this.#refuse(result, [a, b, c, d, e], count);
    }
    return this.call([a, b, c, d, e].slice(0, count));
  }

  /**
   * Throws for a typed call that failed, except for want of memory: then the general call collects
   * garbage and tries again.
   */
  #refuse(status: number, args: readonly unknown[], count: number): void {
    if (kindOfStatus(status) === "out-of-memory" && !lastTyped!.typed!.inPlace) return;
    throw callError(status, lastTyped!, args, count, null);
  }
}

/** A function that calls the operator. Its type is given by the generated declarations. */
export function operator(
  name: string,
  variants: readonly string[],
  display: string,
): (...args: never[]) => unknown {
  const op = new Operator(name, variants, display);
  // Named parameters and not one list: most calls have few arguments, and no list is made for them.
  return (a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown, ...rest: unknown[]) => {
    if (rest.length > 0) return op.call([a, b, c, d, e, ...rest]);
    let count = 5;
    if (e === undefined) {
      if (d !== undefined) count = 4;
      else if (c !== undefined) count = 3;
      else if (b !== undefined) count = 2;
      else count = a === undefined ? 0 : 1;
    }
    return op.callFew(count, a, b, c, d, e);
  };
}

/**
 * Runs `fn` and returns how often each operator (`mm`, `add_` ...) was called from JavaScript in it, with its
 * result. `onCall` sees every call's name and arguments.
 */
export function countOperators<T>(
  fn: () => T,
  onCall?: (name: string, args: readonly unknown[]) => void,
): { result: T; counts: Map<string, number> } {
  const outer = observer;
  const counts = new Map<string, number>();
  const restore = withoutTypedCalls();
  observer = (name, args) => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (name === "_local_scalar_dense" || name === "item") hostReads.count++;
    onCall?.(name, args);
    outer?.(name, args);
  };
  try {
    return { result: fn(), counts };
  } finally {
    observer = outer;
    restore();
  }
}

let allSchemas: Map<string, string[]> | null = null;

/** Every operator of the loaded library: name with namespace -> its overloads' schema texts. */
export function librarySchemas(): ReadonlyMap<string, readonly string[]> {
  if (allSchemas) return allSchemas;
  allSchemas = new Map();
  for (const text of readText((buffer, capacity) => shim.aamt_all_schemas(buffer, capacity)).split("\n")) {
    const head = /^([\w:]+)(?:\.\w+)?\(/.exec(text);
    if (!head) continue;
    const list = allSchemas.get(head[1]);
    if (list) list.push(text);
    else allSchemas.set(head[1], [text]);
  }
  return allSchemas;
}

type Callable = (...args: unknown[]) => unknown;
type Namespace = Readonly<Record<string, Callable>>;

/** Every operator of the loaded library, also those without a typed function. */
export interface LibraryOperators {
  /**
   * `ops.aten.nonzero_static(mask, { size: 3 })`: the library's own schemas check the arguments, and the
   * operators what they mean.
   */
  readonly aten: AtenOperators;
  /** The project's own operators. */
  readonly aamt: Namespace;
  /**
   * The others too: LibTorch's internal kernels (`ops.unsafe.aten._fused_adamw_`) and other namespaces.
   * Types and numbers of arguments are checked, what they mean is not: wrong ones can end the process,
   * as they can from Python.
   */
  readonly unsafe: Readonly<Record<string, Namespace>>;
}

/** Objects whose members are made when they are first asked for. */
function lazily<T>(make: (name: string) => T): Record<string, T> {
  return new Proxy<Record<string, T>>(Object.create(null), {
    get(made, name) {
      if (typeof name !== "string") return undefined;
      made[name] ??= make(name);
      return made[name];
    },
  });
}

/**
 * See `LibraryOperators`.
 * @throws TorchError for an unknown operator, and for an internal one without `unsafe`.
 */
export const ops: LibraryOperators = lazily<unknown>((namespace) =>
  namespace === "unsafe"
    ? lazily((other) => lazily((name) => anyOperator(other, name)))
    : lazily((name) => checkedOperator(namespace, name)),
) as unknown as LibraryOperators;

function checkedOperator(namespace: string, name: string): Callable {
  const found = anyOperator(namespace, name);
  if (!isInternalOperator(namespace, name)) return found;
  const full = `${namespace}::${name}`;
  const cure = `call it as torch.ops.unsafe.${namespace}.${name} if you are sure of its arguments`;
  const reason = "which does not check its arguments: wrong ones can end the process";
  throw new TorchError(`${full} is an internal operator of LibTorch, ${reason}; ${cure}.`, "argument", full);
}

function anyOperator(namespace: string, name: string): Callable {
  const full = `${namespace}::${name}`;
  const texts = librarySchemas().get(full);
  if (!texts) throw new TorchError(`This LibTorch has no operator ${full}.`, "not-implemented", full);
  const schemas = sortOverloads(texts.map(parseSchema).filter(isCallable));
  if (schemas.length === 0) {
    const reason = "every form of it takes or returns something that has no counterpart here";
    throw new TorchError(`The operator ${full} cannot be called: ${reason}.`, "not-implemented", full);
  }
  const variants = schemas.map((schema) => schema.overload);
  return operator(full, variants, full) as unknown as Callable;
}
