import { type Device, isDevice, parseDevice } from "../core/device.ts";
import { type DType, dtypeCode, dtypes, isDtype } from "../core/dtype.ts";
import { Generator } from "../core/generator.ts";
import { type Layout, layouts } from "../core/layout.ts";
import { Tensor } from "../core/tensor.ts";
import type { ArgumentKind, SchemaArgument } from "./schema.ts";
import { isWhole } from "./wholeNumbers.ts";

/** Tags of packed values; see native/aam_torch.h. */
export const tags = {
  none: 0,
  tensor: 1,
  int: 2,
  double: 3,
  bool: 4,
  intList: 5,
  tensorList: 6,
  optionalTensorList: 7,
  doubleList: 8,
  string: 9,
  device: 10,
  boolList: 11,
  generator: 12,
  default: 13,
  scalarList: 14,
} as const;

/** `c10::MemoryFormat` by PyTorch's names. */
const memoryFormats: Record<string, number> = {
  contiguous: 0,
  preserve: 1,
  channelsLast: 2,
  channelsLast3d: 3,
};

export type { Layout } from "../core/layout.ts";

const encoder = new TextEncoder();

/** The call that is packed: what a number means depends on the tensors beside it. */
export interface CallFacts {
  readonly operator: string;
  readonly args: readonly unknown[];
}

/**
 * What the arguments of the running call are packed into. Calls do not nest, so one
 * pack per thread is enough.
 */
export class ArgumentPack {
  values = new Float64Array(new ArrayBuffer(8 * 1024));
  length = 0;
  text = new Uint8Array(new ArrayBuffer(4096));
  textLength = 0;

  reset(): void {
    this.length = 0;
    this.textLength = 0;
  }

  #reserve(count: number): void {
    if (this.length + count <= this.values.length) return;
    const larger = new Float64Array(
      new ArrayBuffer(8 * Math.max(this.values.length * 2, this.length + count)),
    );
    larger.set(this.values.subarray(0, this.length));
    this.values = larger;
  }

  put1(tag: number): void {
    if (this.length + 1 > this.values.length) this.#reserve(1);
    this.values[this.length++] = tag;
  }

  put2(tag: number, value: number): void {
    if (this.length + 2 > this.values.length) this.#reserve(2);
    this.values[this.length++] = tag;
    this.values[this.length++] = value;
  }

  putList(tag: number, values: readonly number[]): void {
    this.#reserve(values.length + 2);
    this.values[this.length++] = tag;
    this.values[this.length++] = values.length;
    for (let i = 0; i < values.length; i++) this.values[this.length++] = values[i];
  }

  putString(value: string): void {
    const bytes = encoder.encode(value);
    if (this.textLength + bytes.length > this.text.length) {
      const larger = new Uint8Array(new ArrayBuffer(2 * (this.textLength + bytes.length)));
      larger.set(this.text.subarray(0, this.textLength));
      this.text = larger;
    }
    this.text.set(bytes, this.textLength);
    this.#reserve(3);
    this.values[this.length++] = tags.string;
    this.values[this.length++] = this.textLength;
    this.values[this.length++] = bytes.length;
    this.textLength += bytes.length;
  }

  putScalar(value: number | boolean | bigint, call: CallFacts): void {
    if (typeof value === "number")
      this.put2(isWhole(value, call.operator, call.args) ? tags.int : tags.double, value);
    else if (typeof value === "boolean") this.put2(tags.bool, value ? 1 : 0);
    else this.put2(tags.int, Number(value));
  }

  /** Packs one argument. The caller has checked it with `accepts`. */
  put(argument: SchemaArgument, value: unknown, call: CallFacts): void {
    if (value === null) {
      this.put1(tags.none);
      return;
    }
    switch (argument.kind) {
      case "Tensor":
        this.put2(tags.tensor, (value as Tensor).handle);
        break;
      case "int":
        this.put2(tags.int, value as number);
        break;
      case "Scalar":
        this.putScalar(value as number | boolean | bigint, call);
        break;
      case "float":
        this.put2(tags.double, value as number);
        break;
      case "bool":
        this.put2(tags.bool, value ? 1 : 0);
        break;
      case "int[]":
        this.putList(
          tags.intList,
          typeof value === "number" ? expand(value, argument.expands) : (value as number[]),
        );
        break;
      case "float[]":
        this.putList(
          tags.doubleList,
          typeof value === "number" ? expand(value, argument.expands) : (value as number[]),
        );
        break;
      case "bool[]":
        this.putList(
          tags.boolList,
          (value as boolean[]).map((item) => (item ? 1 : 0)),
        );
        break;
      case "Tensor[]":
        this.putList(
          tags.tensorList,
          (value as Tensor[]).map((item) => item.handle),
        );
        break;
      case "Tensor?[]":
        this.putList(
          tags.optionalTensorList,
          (value as (Tensor | null)[]).map((item) => (item ? item.handle : 0)),
        );
        break;
      case "Scalar[]": {
        const list = value as (number | boolean)[];
        this.put2(tags.scalarList, list.length);
        for (const item of list) this.putScalar(item, call);
        break;
      }
      case "str":
        this.putString(value as string);
        break;
      case "ScalarType":
        this.put2(tags.int, dtypeCode(value as DType));
        break;
      case "Device": {
        const { type, index } = parseDevice(value as Device);
        this.put2(tags.device, type);
        this.put1(index);
        break;
      }
      case "MemoryFormat":
        this.put2(tags.int, memoryFormats[value as string]);
        break;
      case "Layout":
        this.put2(tags.int, layouts[value as Layout]);
        break;
      case "Generator":
        this.put2(tags.generator, (value as Generator).handle);
        break;
      case "unsupported":
        throw new TypeError(`argument '${argument.name}' has a type that cannot be passed`);
    }
  }
}

function expand(value: number, count: number): number[] {
  return new Array<number>(count).fill(value);
}

function everyItem(value: unknown, test: (item: unknown) => boolean): boolean {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (!test(value[i])) return false;
  return true;
}

const isInteger = (value: unknown): boolean => Number.isSafeInteger(value);
const isNumber = (value: unknown): boolean => typeof value === "number";
const isScalar = (value: unknown): boolean =>
  typeof value === "number" ||
  typeof value === "boolean" ||
  (typeof value === "bigint" && Number.isSafeInteger(Number(value)));
const isTensor = (value: unknown): boolean => value instanceof Tensor;

/** Whether a value may be passed as the argument. */
export function accepts(argument: SchemaArgument, value: unknown): boolean {
  if (value === null) return argument.optional;
  switch (argument.kind) {
    case "Tensor":
      return value instanceof Tensor;
    case "int":
      return isInteger(value);
    case "Scalar":
      return isScalar(value);
    case "float":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "int[]":
      return argument.expands > 0 && isInteger(value) ? true : everyItem(value, isInteger);
    case "float[]":
      return argument.expands > 0 && isNumber(value) ? true : everyItem(value, isNumber);
    case "bool[]":
      return everyItem(value, (item) => typeof item === "boolean");
    case "Tensor[]":
      return everyItem(value, isTensor);
    case "Tensor?[]":
      return everyItem(value, (item) => item === null || item instanceof Tensor);
    case "Scalar[]":
      return everyItem(value, isScalar);
    case "str":
      return typeof value === "string";
    case "ScalarType":
      return isDtype(value);
    case "Device":
      return isDevice(value);
    case "MemoryFormat":
      return typeof value === "string" && Object.hasOwn(memoryFormats, value);
    case "Layout":
      return typeof value === "string" && Object.hasOwn(layouts, value);
    case "Generator":
      return value instanceof Generator;
    case "unsupported":
      return false;
  }
}

const kindNames: Partial<Record<ArgumentKind, string>> = {
  int: "an integer",
  "int[]": "an array of integers",
  float: "a number",
  "float[]": "an array of numbers",
  bool: "a boolean",
  "bool[]": "an array of booleans",
  Tensor: "a Tensor",
  "Tensor[]": "an array of Tensors",
  "Tensor?[]": "an array of Tensors or null",
  Scalar: "a number, a boolean or a bigint within 2^53",
  "Scalar[]": "an array of numbers or booleans",
  str: "a string",
  ScalarType: `a dtype (${dtypes.join(", ")})`,
  Device: 'a device ("cpu", "cuda", "cuda:N" ...)',
  Generator: "a Generator",
  MemoryFormat: 'one of "contiguous", "preserve", "channelsLast", "channelsLast3d"',
  Layout: `a layout (${Object.keys(layouts).join(", ")})`,
};

/** What an argument takes, for messages. */
export function expectation(argument: SchemaArgument): string {
  const name = kindNames[argument.kind] ?? "a value that cannot be passed";
  const single =
    argument.expands > 0 ? ` or a single ${argument.kind === "int[]" ? "integer" : "number"}` : "";
  return name + single + (argument.optional ? " or null" : "");
}

/** Describes a value for messages: `Tensor[8, 3] float32 cpu`, `"text"`, `[1, 2]`. */
export function describeValue(value: unknown): string {
  if (value instanceof Tensor) {
    if (value.isDisposed) return "Tensor (disposed)";
    return `Tensor[${value.shape.join(", ")}] ${value.dtype} ${value.device}`;
  }
  if (value === undefined) return "undefined";
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) {
    const shown = value.slice(0, 4).map(describeValue);
    return `[${shown.join(", ")}${value.length > 4 ? `, ... (${value.length})` : ""}]`;
  }
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === "object" && value !== null) return `a ${value.constructor?.name ?? "object"}`;
  return String(value);
}
