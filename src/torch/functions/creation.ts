import type { Device } from "../core/device.ts";
import {
  arrayFor,
  type Complex,
  type DType,
  dtypeCode,
  dtypeOfArray,
  isComplexDtype,
  isFloat8Dtype,
  itemSize,
  type Scalar,
  type TypedArray,
} from "../core/dtype.ts";
import type { Generator } from "../core/generator.ts";
import { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";
import { refuseOthers } from "../dispatch/optionNames.ts";
import { TorchError } from "../native/errors.ts";
import { check, shim } from "../native/library.ts";

export interface CreationOptions {
  readonly dtype?: DType;
  readonly device?: Device;
  readonly requiresGrad?: boolean;
  /** Page-locked host memory, from which copies to an accelerator do not block. */
  readonly pinMemory?: boolean;
}

export interface RandomOptions extends CreationOptions {
  readonly generator?: Generator;
}

type Value = number | boolean | bigint | Complex;

/**
 * Arrays of equal length at each level, booleans, numbers, bigints or complex numbers
 * `{ re, im }` at the bottom.
 */
export type NestedInput = Value | readonly NestedInput[];

function isComplex(value: unknown): value is Complex {
  return typeof value === "object" && value !== null && "re" in value && "im" in value;
}

const out = new Float64Array(new ArrayBuffer(1024));
let defaultType: DType = "float32";

/** The dtype of floating-point tensors made without naming one. */
export function getDefaultDtype(): DType {
  return defaultType;
}

/** The dtype of tensors that are made of numbers, without one being named; at first float32. */
export function setDefaultDtype(dtype: "float32" | "float64" | "float16" | "bfloat16"): void {
  defaultType = dtype;
}

function finish(tensor: Tensor, options: CreationOptions): Tensor {
  let result = tensor;
  if (options.device && options.device !== "cpu") {
    result = tensor.to(options.device, { nonBlocking: options.pinMemory });
    tensor.dispose();
  }
  return options.requiresGrad ? result.requiresGrad_() : result;
}

/** The whole numbers that an integer dtype holds; typed arrays would wrap others around in silence. */
const integerRanges: Partial<Record<DType, readonly [number | bigint, number | bigint]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-2147483648, 2147483647],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint16: [0, 65535],
  uint32: [0, 4294967295],
  uint64: [0n, 2n ** 64n - 1n],
};

function toNumbers(values: readonly Value[], dtype: DType): TypedArray {
  const array = arrayFor(dtype, values.length);
  if (isComplexDtype(dtype)) {
    values.forEach((value, i) => {
      array[2 * i] = isComplex(value) ? value.re : Number(value);
      array[2 * i + 1] = isComplex(value) ? value.im : 0;
    });
    return array;
  }
  if (values.some(isComplex)) throw new TypeError(`tensor: a complex number cannot be a ${dtype}`);
  const range = integerRanges[dtype];
  for (let i = 0; i < values.length; i++) {
    const value = typeof values[i] === "boolean" ? Number(values[i]) : (values[i] as number | bigint);
    if (range && !(value >= range[0] && value <= range[1]))
      throw new RangeError(`tensor: ${value} cannot be converted to ${dtype} without overflow`);
    if (range && typeof value === "number" && !Number.isInteger(value))
      throw new TypeError(
        `tensor: ${value} is not an integer and cannot be an ${dtype}; Math.trunc or Math.round make it one`,
      );
    if (array instanceof BigInt64Array || array instanceof BigUint64Array) array[i] = BigInt(value);
    else array[i] = dtype === "bool" ? Number(value !== 0 && value !== 0n) : Number(value);
  }
  return array;
}

/**
 * The elements of nested arrays in row-major order and their shape.
 * @throws TypeError where the nesting is uneven.
 */
function flatten(input: NestedInput): { values: Value[]; shape: number[] } {
  const shape: number[] = [];
  for (let level: NestedInput = input; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: Value[] = [];
  const visit = (part: NestedInput, level: number, path: string): void => {
    if (Array.isArray(part)) {
      if (level >= shape.length || part.length !== shape[level]) {
        throw new TypeError(
          `tensor: uneven nesting at ${path || "the top"}: ${part.length} elements, expected ${shape[level] ?? "a number"}`,
        );
      }
      part.forEach((item: NestedInput, i) => {
        visit(item, level + 1, `${path}[${i}]`);
      });
    } else if (level !== shape.length) {
      throw new TypeError(
        `tensor: uneven nesting at ${path}: a single value, expected ${shape[level]} elements`,
      );
    } else if (typeof part === "number" || typeof part === "boolean" || typeof part === "bigint") {
      values.push(part);
    } else if (isComplex(part)) {
      values.push(part);
    } else {
      throw new TypeError(
        `tensor: ${path || "the value"} is ${part === null ? "null" : typeof part}, expected a number, boolean or bigint`,
      );
    }
  };
  visit(input, 0, "");
  return { values, shape };
}

/** The widest kind among the values decides: numbers, then bigints, then booleans. */
function naturalDtype(values: readonly Value[]): DType {
  if (values.some(isComplex)) return defaultType === "float64" ? "complex128" : "complex64";
  let hasBigint = false;
  for (const value of values) {
    if (typeof value === "number") return defaultType;
    hasBigint ||= typeof value === "bigint";
  }
  if (values.length === 0) return defaultType;
  return hasBigint ? "int64" : "bool";
}

function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * A tensor with a copy of the given values: nested arrays, a typed array (its dtype is the array's), or one
 * value. JavaScript numbers become the default dtype (float32) whether or not they are whole, bigints int64,
 * booleans bool; `dtype` overrides. A typed array may be given a `shape`.
 */
export function tensor(
  input: NestedInput | TypedArray,
  options: CreationOptions & { shape?: readonly number[] } = {},
): Tensor {
  const { dtype: _, device: __, requiresGrad: ___, pinMemory: ____, shape: _____, ...others } = options;
  refuseOthers("tensor", others, "dtype, device, requiresGrad, pinMemory, shape");
  if (isTypedArray(input)) return fromTypedArray(input, options.shape ?? [input.length], options);
  const { values, shape } = flatten(input);
  const dtype = options.dtype ?? naturalDtype(values);
  if (dtype === "bfloat16" || isFloat8Dtype(dtype)) {
    using wide = fromTypedArray(toNumbers(values, "float32"), shape, {});
    return finish(wide.to(dtype), options);
  }
  return fromTypedArray(toNumbers(values, dtype), options.shape ?? shape, options, dtype);
}

/**
 * @internal copies a typed array; `stored` names the dtype of its bits where the array's type leaves it open.
 */
export function fromTypedArray(
  values: TypedArray,
  shape: readonly number[],
  options: CreationOptions = {},
  stored?: DType,
): Tensor {
  const asked = options.dtype;
  const isBits = values instanceof Uint16Array || (values instanceof Uint8Array && asked === "bool");
  const dtype = stored ?? (isBits && asked ? asked : dtypeOfArray(values));
  const count = shape.reduce((product, size) => product * size, 1);
  if (count * itemSize(dtype) !== values.byteLength) {
    throw new TorchError(
      `tensor: ${values.length} values do not fill the shape [${shape.join(", ")}] of ${count}`,
      "value",
    );
  }
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const sizes = new Float64Array(shape.length > 0 ? shape : [0]);
  const source = bytes.length > 0 ? bytes : null;
  check(
    shim.aamt_from_host(
      source,
      bytes.length,
      dtypeCode(dtype),
      sizes,
      shape.length,
      options.pinMemory ? 1 : 0,
      out,
    ),
    "tensor",
  );
  const created = Tensor.fromHandle(out[0], bytes.length);
  if (asked && asked !== dtype) {
    const converted = created.to(asked);
    created.dispose();
    return finish(converted, options);
  }
  return finish(created, options);
}

type Factory = (...args: unknown[]) => Tensor;
const factory = (name: string, overload = ""): Factory =>
  operator(`aten::${name}`, [overload], name) as unknown as Factory;

const factories = {
  empty: factory("empty", "memory_format"),
  zeros: factory("zeros"),
  ones: factory("ones"),
  full: factory("full"),
  eye: factory("eye"),
  eyeM: factory("eye", "m"),
  arange: factory("arange", "start_step"),
  linspace: factory("linspace"),
  logspace: factory("logspace"),
  rand: factory("rand"),
  randGenerator: factory("rand", "generator"),
  randn: factory("randn"),
  randnGenerator: factory("randn", "generator"),
  randint: factory("randint", "low"),
  randintGenerator: factory("randint", "low_generator"),
  randperm: factory("randperm"),
  randpermGenerator: factory("randperm", "generator"),
};

function nativeOptions(options: CreationOptions, dtype: DType): Record<string, unknown> {
  const native: Record<string, unknown> = { dtype };
  if (options.device) native.device = options.device;
  if (options.pinMemory) native.pinMemory = true;
  return native;
}

function checkOptions(name: string, options: object): void {
  for (const key of Object.keys(options)) {
    if (!["dtype", "device", "requiresGrad", "pinMemory", "generator"].includes(key)) {
      throw new TypeError(
        `${name}: has no option '${key}'; it takes dtype, device, requiresGrad, pinMemory, generator`,
      );
    }
  }
}

function make(name: keyof typeof factories, args: unknown[], options: RandomOptions, natural: DType): Tensor {
  checkOptions(name, options);
  const native = nativeOptions(options, options.dtype ?? natural);
  const seeded = options.generator ? (`${name}Generator` as keyof typeof factories) : name;
  if (options.generator) {
    if (!(seeded in factories)) throw new TypeError(`${name}: takes no generator`);
    native.generator = options.generator;
  }
  const created = factories[seeded](...args, native);
  return options.requiresGrad ? created.requiresGrad_() : created;
}

/** An uninitialized tensor. */
export function empty(shape: readonly number[], options: CreationOptions = {}): Tensor {
  return make("empty", [shape], options, defaultType);
}

/** Filled with 0; the default dtype unless one is named. */
export function zeros(shape: readonly number[], options: CreationOptions = {}): Tensor {
  return make("zeros", [shape], options, defaultType);
}

/** Filled with 1; the default dtype unless one is named. */
export function ones(shape: readonly number[], options: CreationOptions = {}): Tensor {
  return make("ones", [shape], options, defaultType);
}

/** Filled with `value`: bool for a boolean, otherwise the default dtype unless one is named. */
export function full(shape: readonly number[], value: Scalar, options: CreationOptions = {}): Tensor {
  return make("full", [shape, value], options, typeof value === "boolean" ? "bool" : defaultType);
}

/** Ones on the diagonal of an `n` x `m` matrix (`m` is `n` unless given). */
export function eye(n: number, m: number | CreationOptions = n, options: CreationOptions = {}): Tensor {
  return typeof m === "number"
    ? make("eyeM", [n, m], options, defaultType)
    : make("eye", [n], m, defaultType);
}

/**
 * `arange(stop)`, `arange(start, stop)`, `arange(start, stop, step)`: int64 where all
 * are whole, as in PyTorch.
 */
export function arange(stop: number, options?: CreationOptions): Tensor;
export function arange(start: number, stop: number, options?: CreationOptions): Tensor;
export function arange(start: number, stop: number, step: number, options?: CreationOptions): Tensor;
export function arange(...args: (number | CreationOptions | undefined)[]): Tensor {
  const numbers = args.filter((value) => typeof value === "number");
  const options = args.find((value) => typeof value === "object") ?? {};
  const [start, stop, step] =
    numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0], numbers[1], numbers[2] ?? 1];
  const natural = numbers.every(Number.isInteger) ? "int64" : defaultType;
  return make("arange", [start, stop, step], options, natural);
}

/** `steps` evenly spaced values from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: CreationOptions = {}): Tensor {
  return make("linspace", [start, end, steps], options, defaultType);
}

/** `steps` values, evenly spaced in their logarithm, from 10^start to 10^end. */
export function logspace(start: number, end: number, steps: number, options: CreationOptions = {}): Tensor {
  return make("logspace", [start, end, steps], options, defaultType);
}

/** Uniform on [0, 1). */
export function rand(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return make("rand", [shape], options, defaultType);
}

/** Standard normal. */
export function randn(shape: readonly number[], options: RandomOptions = {}): Tensor {
  return make("randn", [shape], options, defaultType);
}

/**
 * `randint(high, shape)` or `randint(low, high, shape)`: integers from `low` (0) to `high` - 1, int64
 * unless another dtype is named.
 */
export function randint(high: number, shape: readonly number[], options?: RandomOptions): Tensor;
export function randint(low: number, high: number, shape: readonly number[], options?: RandomOptions): Tensor;
export function randint(...args: (number | readonly number[] | RandomOptions | undefined)[]): Tensor {
  const hasLow = typeof args[1] === "number";
  const [low, high, shape, options = {}] = hasLow ? args : [0, ...args];
  return make("randint", [low, high, shape], options as RandomOptions, "int64");
}

/** A random permutation of 0 .. n - 1, int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  return make("randperm", [n], options, "int64");
}

const emptyAs = operator("aten::empty_like", [""], "emptyLike") as unknown as (
  reference: Tensor,
  options: Record<string, unknown>,
) => Tensor;

/**
 * What a `*Like` function fills: shape, dtype, device and order in memory of the
 * reference, unless told otherwise.
 */
function like(
  name: string,
  reference: Tensor,
  options: CreationOptions,
  fill: (made: Tensor) => void,
): Tensor {
  checkOptions(name, options);
  const made = emptyAs(reference, nativeOptions(options, options.dtype ?? reference.dtype));
  fill(made);
  return options.requiresGrad ? made.requiresGrad_() : made;
}

/** Uninitialized, with the shape, dtype, device and order in memory of a tensor. */
export function emptyLike(reference: Tensor, options: CreationOptions = {}): Tensor {
  return like("emptyLike", reference, options, () => {});
}
/** Filled with 0, of the reference's shape, dtype and device unless others are named. */
export function zerosLike(reference: Tensor, options: CreationOptions = {}): Tensor {
  return like("zerosLike", reference, options, (made) => made.zero_());
}
/** Filled with 1, of the reference's shape, dtype and device unless others are named. */
export function onesLike(reference: Tensor, options: CreationOptions = {}): Tensor {
  return like("onesLike", reference, options, (made) => made.fill_(1));
}
/** Filled with `value`, of the reference's shape, dtype and device unless others are named. */
export function fullLike(reference: Tensor, value: Scalar, options: CreationOptions = {}): Tensor {
  return like("fullLike", reference, options, (made) => made.fill_(value));
}
/** Uniform on [0, 1). */
export function randLike(reference: Tensor, options: RandomOptions = {}): Tensor {
  return like("randLike", reference, options, (made) => made.uniform_(0, 1, drawn(options)));
}
/** Standard normal. */
export function randnLike(reference: Tensor, options: RandomOptions = {}): Tensor {
  return like("randnLike", reference, options, (made) => made.normal_(0, 1, drawn(options)));
}
/** Integers from `low` to `high` - 1. */
export function randintLike(
  reference: Tensor,
  low: number,
  high: number,
  options: RandomOptions = {},
): Tensor {
  return like("randintLike", reference, options, (made) => made.random_(low, high, drawn(options)));
}

const drawn = ({ generator }: RandomOptions): { generator?: Generator } => (generator ? { generator } : {});
