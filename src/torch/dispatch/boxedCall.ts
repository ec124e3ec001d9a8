import { deviceName } from "../core/device.ts";
import { Tensor } from "../core/tensor.ts";
import { kindOfStatus, TorchError } from "../native/errors.ts";
import { check, lastError, shim } from "../native/library.ts";
import { ArgumentPack, accepts, describeValue, expectation, tags } from "./argumentPack.ts";
import type { Overload } from "./findOverload.ts";
import type { Schema, SchemaArgument } from "./schema.ts";

const packed = new ArgumentPack();
let results = new Float64Array(new ArrayBuffer(8 * 512));

/** Options by name: a plain object that is a call's last argument. */
export type Options = Readonly<Record<string, unknown>> | null;

export function isOptions(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function given(
  formal: SchemaArgument,
  index: number,
  args: readonly unknown[],
  count: number,
  options: Options,
) {
  if (index < count && !formal.byName) return args[index];
  return options ? options[formal.name] : undefined;
}

/** Why an overload cannot take these arguments, or null if it can. */
export function mismatch(
  schema: Schema,
  args: readonly unknown[],
  count: number,
  options: Options,
): string | null {
  const formals = schema.arguments;
  let positional = 0;
  for (let i = 0; i < formals.length; i++) {
    const formal = formals[i];
    if (!formal.byName) positional++;
    const value = given(formal, i, args, count, options);
    if (value === undefined) {
      if (formal.hasDefault) continue;
      const fault = i < count && !formal.byName ? "is undefined" : "is missing";
      return `argument '${formal.name}' ${fault}, expected ${expectation(formal)}`;
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
        return `has no option '${key}'; it takes ${known.join(", ") || "none"}`;
      }
    }
  }
  return null;
}

/** The error for a call that fits none of the overloads. */
export function explain(
  display: string,
  overloads: readonly Overload[],
  args: readonly unknown[],
  count: number,
  options: Options,
): TypeError {
  const reasons = overloads.map(({ schema }) => mismatch(schema, args, count, options));
  if (reasons.length === 1) return new TypeError(`${display}: ${reasons[0]}`);
  const lines = overloads.map(({ schema }, i) => `  ${signature(display, schema)}: ${reasons[i]}`);
  return new TypeError(
    `${display}(${describeArguments(args, count, options)}) fits no form of this operator:\n${lines.join("\n")}`,
  );
}

function signature(display: string, schema: Schema): string {
  const names = schema.arguments.filter((formal) => !formal.byName).map((formal) => formal.name);
  const options = schema.arguments.filter((formal) => formal.byName).map((formal) => formal.name);
  return `${display}(${[...names, ...(options.length ? [`{${options.join(", ")}}`] : [])].join(", ")})`;
}

function describeArguments(args: readonly unknown[], count: number, options: Options): string {
  const shown = args.slice(0, count).map(describeValue);
  if (options) {
    const pairs = Object.entries(options).map(([key, value]) => `${key}: ${describeValue(value)}`);
    shown.push(`{${pairs.join(", ")}}`);
  }
  return shown.join(", ");
}

function pack(overload: Overload, args: readonly unknown[], count: number, options: Options): void {
  packed.reset();
  const formals = overload.schema.arguments;
  let end = 0;
  for (let i = 0; i < formals.length; i++) {
    const value = given(formals[i], i, args, count, options);
    if (value === undefined) packed.put1(tags.default);
    else {
      packed.put(formals[i], value, { operator: overload.schema.name, args });
      end = packed.length;
    }
  }
  packed.length = end; // trailing defaults are the library's
}

/**
 * The error of a call that the library refused: the operator, what it was called with, LibTorch's message.
 */
export function callError(
  status: number,
  { schema }: Overload,
  args: readonly unknown[],
  count: number,
  options: Options,
): TorchError {
  const name = schema.overload ? `${schema.name}.${schema.overload}` : schema.name;
  const { text, nativeStack } = lastError();
  const message = `${name}(${describeArguments(args, count, options)}): ${text}`;
  return new TorchError(message, kindOfStatus(status), name, nativeStack);
}

/** The error for a tensor among the arguments that was disposed, or null if there is none. */
function disposedArgument(
  display: string,
  schema: Schema,
  args: readonly unknown[],
  count: number,
  options: Options,
): TorchError | null {
  const isDisposed = (value: unknown): boolean =>
    value instanceof Tensor ? value.isDisposed : Array.isArray(value) && value.some(isDisposed);
  for (let i = 0; i < schema.arguments.length; i++) {
    const formal = schema.arguments[i];
    if (!isDisposed(given(formal, i, args, count, options))) continue;
    const message = `${display}: argument '${formal.name}' holds a tensor that was disposed`;
    return new TorchError(message, "disposed", schema.name);
  }
  return null;
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

function callNative(overload: Overload, discard: boolean): number {
  return shim.aamt_op_call(
    overload.number,
    packed.values,
    packed.length,
    packed.text,
    packed.textLength,
    results,
    results.length,
    discard ? 1 : 0,
  );
}

/** Calls one overload with arguments that fit it. */
export function callBoxed(
  display: string,
  overload: Overload,
  args: readonly unknown[],
  count: number,
  options: Options,
): unknown {
  const { schema } = overload;
  const disposed = disposedArgument(display, schema, args, count, options);
  if (disposed) throw disposed;
  pack(overload, args, count, options);
  const discard = schema.inPlace && schema.returns.length === 1;
  let status = callNative(overload, discard);
  if (status < 0) {
    const error = callError(status, overload, args, count, options);
    if (error.kind !== "out-of-memory" || schema.inPlace) throw error;
    // Garbage may hold the memory: collect it and try once more.
    Bun.gc(true);
    shim.aamt_cpu_empty_cache();
    shim.aamt_empty_cache();
    pack(overload, args, count, options);
    status = callNative(overload, discard);
    if (status < 0) throw outOfMemory(callError(status, overload, args, count, options));
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
