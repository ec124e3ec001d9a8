import { deviceName } from "./device.ts";
import { kindOfStatus, TorchError } from "./errors.ts";
import { check, lastError, readText, shim } from "./native/library.ts";
import { isCallable, sortOverloads } from "./overloads.ts";
import { accepts, describeValue, expectation, Packing, tags } from "./packing.ts";
import { parseSchema, type Schema, type SchemaArgument } from "./schema.ts";
import { hostReads, Tensor } from "./tensor.ts";

/** One overload of an operator, found in the loaded library. */
export interface Overload {
  readonly number: number;
  readonly schema: Schema;
}

const encoder = new TextEncoder();
const packing = new Packing();
let results = new Float64Array(new ArrayBuffer(8 * 512));

/** Calls of operators since the start, by full name, while counting is on: plans are asserted by counts, not clocks. */
let counts: Map<string, number> | null = null;
let observer: ((name: string, args: readonly unknown[]) => void) | null = null;

/** Finds an overload in the loaded LibTorch, e.g. `("aten::add", "Tensor")`. @throws TorchError if it has none. */
export function findOverload(name: string, overload: string): Overload {
  const nameBytes = encoder.encode(name);
  const overloadBytes = encoder.encode(overload);
  const number = check(
    // Bun refuses the address of an empty array, so an empty overload is passed with a length of 0.
    shim.aamt_op_find(
      nameBytes,
      nameBytes.length,
      overloadBytes.length ? overloadBytes : nameBytes,
      overloadBytes.length,
    ),
    overload ? `${name}.${overload}` : name,
  );
  const text = readText((buffer, capacity) => shim.aamt_op_schema(number, buffer, capacity));
  return { number, schema: parseSchema(text) };
}

function isOptions(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function given(
  formal: SchemaArgument,
  index: number,
  args: readonly unknown[],
  count: number,
  options: Record<string, unknown> | null,
) {
  if (index < count && !formal.byName) return args[index];
  return options ? options[formal.name] : undefined;
}

/** Why an overload cannot take these arguments, or null if it can. */
function mismatch(
  schema: Schema,
  args: readonly unknown[],
  count: number,
  options: Record<string, unknown> | null,
): string | null {
  const formals = schema.arguments;
  let positional = 0;
  for (let i = 0; i < formals.length; i++) {
    const formal = formals[i];
    if (!formal.byName) positional++;
    const value = given(formal, i, args, count, options);
    if (value === undefined) {
      if (formal.hasDefault) continue;
      if (i < count && !formal.byName)
        return `argument '${formal.name}' is undefined, expected ${expectation(formal)}`;
      return `argument '${formal.name}' (${expectation(formal)}) is missing`;
    }
    if (!accepts(formal, value)) {
      return `argument '${formal.name}' must be ${expectation(formal)}, got ${describeValue(value)}`;
    }
    if (i < count && !formal.byName && options && options[formal.name] !== undefined) {
      return `argument '${formal.name}' is given twice`;
    }
  }
  if (count > positional) return `takes ${positional} positional arguments, got ${count}`;
  if (options) {
    for (const key of Object.keys(options)) {
      if (!formals.some((formal) => formal.name === key)) {
        const known = formals.filter((formal) => formal.name !== "self").map((formal) => formal.name);
        return `has no option '${key}'; it takes ${known.join(", ")}`;
      }
    }
  }
  return null;
}

/** The error text for a call that fits none of the overloads. */
function explain(
  display: string,
  overloads: readonly Overload[],
  args: readonly unknown[],
  count: number,
  options: Record<string, unknown> | null,
): TypeError {
  const reasons = overloads.map(({ schema }) => mismatch(schema, args, count, options));
  if (reasons.length === 1) return new TypeError(`${display}: ${reasons[0]}`);
  const shown = args.slice(0, count).map(describeValue);
  if (options) shown.push(`{${Object.keys(options).join(", ")}}`);
  const lines = overloads.map(({ schema }, i) => `  ${signature(display, schema)}: ${reasons[i]}`);
  return new TypeError(`${display}(${shown.join(", ")}) fits no form of this operator:\n${lines.join("\n")}`);
}

function signature(display: string, schema: Schema): string {
  const names = schema.arguments.filter((formal) => !formal.byName).map((formal) => formal.name);
  const options = schema.arguments.filter((formal) => formal.byName).map((formal) => formal.name);
  return `${display}(${[...names, ...(options.length ? [`{${options.join(", ")}}`] : [])].join(", ")})`;
}

function pack(
  overload: Overload,
  args: readonly unknown[],
  count: number,
  options: Record<string, unknown> | null,
): void {
  packing.reset();
  const formals = overload.schema.arguments;
  let end = 0;
  for (let i = 0; i < formals.length; i++) {
    const value = given(formals[i], i, args, count, options);
    if (value === undefined) packing.put1(tags.default);
    else {
      packing.put(formals[i], value);
      end = packing.length;
    }
  }
  packing.length = end; // trailing defaults are the library's
}

function callError(status: number, overload: Overload, args: readonly unknown[]): TorchError {
  const { schema } = overload;
  const name = schema.overload ? `${schema.name}.${schema.overload}` : schema.name;
  const text = lastError(false);
  const full = lastError(true);
  return new TorchError(
    `${name}(${args.map(describeValue).join(", ")}): ${text}`,
    kindOfStatus(status),
    name,
    full,
  );
}

function readResult(at: number): { value: unknown; next: number } {
  const tag = results[at];
  switch (tag) {
    case tags.none:
      return { value: null, next: at + 1 };
    case tags.tensor:
      return { value: Tensor.fromHandle(results[at + 1], results[at + 2]), next: at + 3 };
    case tags.tensorList: {
      const count = results[at + 1];
      const list: (Tensor | null)[] = [];
      for (let i = 0; i < count; i++) {
        const handle = results[at + 2 + 2 * i];
        list.push(handle === 0 ? null : Tensor.fromHandle(handle, results[at + 3 + 2 * i]));
      }
      return { value: list, next: at + 2 + 2 * count };
    }
    case tags.bool:
      return { value: results[at + 1] !== 0, next: at + 2 };
    case tags.intList: {
      const count = results[at + 1];
      return { value: Array.from(results.subarray(at + 2, at + 2 + count)), next: at + 2 + count };
    }
    case tags.device:
      return { value: deviceName(results[at + 1], results[at + 2]), next: at + 3 };
    default:
      return { value: results[at + 1], next: at + 2 };
  }
}

/** Calls one overload with arguments that fit it. */
function run(
  overload: Overload,
  args: readonly unknown[],
  count: number,
  options: Record<string, unknown> | null,
): unknown {
  const { schema } = overload;
  if (counts !== null || observer !== null) observe(schema, args);
  pack(overload, args, count, options);
  const discard = schema.inPlace && schema.returns.length === 1 ? 1 : 0;
  let status = shim.aamt_op_call(
    overload.number,
    packing.values,
    packing.length,
    packing.text,
    packing.textLength,
    results,
    results.length,
    discard,
  );
  if (status < 0) {
    const error = callError(status, overload, args);
    if (error.kind !== "out-of-memory" || schema.inPlace) throw error;
    // Garbage may hold the memory: collect it and try once more.
    Bun.gc(true);
    shim.aamt_cpu_empty_cache();
    shim.aamt_empty_cache();
    pack(overload, args, count, options);
    status = shim.aamt_op_call(
      overload.number,
      packing.values,
      packing.length,
      packing.text,
      packing.textLength,
      results,
      results.length,
      0,
    );
    if (status < 0) throw outOfMemory(callError(status, overload, args));
  }
  if (discard) return args[0];
  if (status === 3 && results[0] === tags.tensor) return Tensor.fromHandle(results[1], results[2]);
  if (status > results.length) {
    results = new Float64Array(new ArrayBuffer(8 * 2 * status));
    check(shim.aamt_take_results(results, results.length), schema.name);
  }
  if (status === 0) return undefined;
  const values: unknown[] = [];
  for (let at = 0; at < status; ) {
    const { value, next } = readResult(at);
    values.push(value);
    at = next;
  }
  return values.length === 1 ? values[0] : values;
}

function outOfMemory(error: TorchError): TorchError {
  const live = new Float64Array(new ArrayBuffer(1024));
  shim.aamt_live_handles(live);
  const resident = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const report = `${error.message} (out of memory also after collecting garbage: ${live[0]} live tensors, ${resident} MiB resident)`;
  return new TorchError(report, "out-of-memory", error.op, error.nativeStack);
}

function observe(schema: Schema, args: readonly unknown[]): void {
  const name = schema.name.replace("aten::", "");
  counts?.set(name, (counts.get(name) ?? 0) + 1);
  observer?.(name, args);
  if (schema.name === "aten::_local_scalar_dense" || schema.name === "aten::item") hostReads.count++;
}

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
    let options: Record<string, unknown> | null = null;
    if (count > 0 && isOptions(args[count - 1])) options = args[--count] as Record<string, unknown>;
    const overloads = this.#overloads ?? this.overloads;
    for (let i = 0; i < overloads.length; i++) {
      if (mismatch(overloads[i].schema, args, count, options) === null)
        return run(overloads[i], args, count, options);
    }
    throw explain(this.#display, overloads, args, count, options);
  }
}

/** A function that calls the operator. Its type is given by the generated declarations. */
export function operator(
  name: string,
  variants: readonly string[],
  display: string,
): (...args: never[]) => unknown {
  const op = new Operator(name, variants, display);
  return (...args: unknown[]) => op.call(args);
}

/**
 * Runs `fn` and returns how often each operator (`mm`, `add_` ...) was called from JavaScript in it, with its result.
 * `onCall` sees every call's name and arguments.
 */
export function countOperators<T>(
  fn: () => T,
  onCall?: (name: string, args: readonly unknown[]) => void,
): { result: T; counts: Map<string, number> } {
  const outerCounts = counts;
  const outerObserver = observer;
  const own = new Map<string, number>();
  counts = own;
  observer = onCall ?? null;
  try {
    return { result: fn(), counts: own };
  } finally {
    counts = outerCounts;
    observer = outerObserver;
    if (outerCounts)
      for (const [name, count] of own) outerCounts.set(name, (outerCounts.get(name) ?? 0) + count);
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

/**
 * Every operator of the loaded library, also those without a typed function: `ops.aten._foreach_norm(tensors, 2)`. The
 * library's own schemas check the arguments. @throws TorchError for an unknown operator.
 */
export const ops: Record<string, Record<string, Callable>> = new Proxy(
  {},
  {
    get(cache: Record<string, Record<string, Callable>>, namespace) {
      if (typeof namespace !== "string") return undefined;
      cache[namespace] ??= namespaceOf(namespace);
      return cache[namespace];
    },
  },
);

function namespaceOf(namespace: string): Record<string, Callable> {
  return new Proxy(
    {},
    {
      get(cache: Record<string, Callable>, name) {
        if (typeof name !== "string") return undefined;
        cache[name] ??= anyOperator(namespace, name);
        return cache[name];
      },
    },
  );
}

function anyOperator(namespace: string, name: string): Callable {
  const full = `${namespace}::${name}`;
  const texts = librarySchemas().get(full);
  if (!texts) throw new TorchError(`This LibTorch has no operator ${full}.`, "not-implemented", full);
  const schemas = sortOverloads(texts.map(parseSchema).filter(isCallable));
  const op = new Operator(
    full,
    schemas.map((schema) => schema.overload),
    full,
  );
  return (...args) => op.call(args);
}
