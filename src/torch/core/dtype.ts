/** Element types under PyTorch's names; the numbers are LibTorch's `c10::ScalarType`. */
const codes = {
  uint8: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  float16: 5,
  float32: 6,
  float64: 7,
  complex64: 9,
  complex128: 10,
  bool: 11,
  bfloat16: 15,
  float8_e5m2: 23,
  float8_e4m3fn: 24,
  float8_e5m2fnuz: 25,
  float8_e4m3fnuz: 26,
  uint16: 27,
  uint32: 28,
  uint64: 29,
} as const;

/** The element type of a tensor. */
export type DType = keyof typeof codes;

/** How the values of a dense tensor lie in memory. */
export type MemoryFormat = "contiguous" | "preserve" | "channelsLast" | "channelsLast3d";

/** How a tensor keeps its values. */
export type Layout = "strided" | "sparse";

/** A number that JavaScript and LibTorch both know; a `bigint` is for int64 values beyond 2^53. */
export type Scalar = number | boolean;

export type TypedArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float16Array
  | Float32Array
  | Float64Array;

const names = new Map<number, DType>(Object.entries(codes).map(([name, code]) => [code, name as DType]));
const sizes: Record<DType, number> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  complex64: 8,
  complex128: 16,
  bool: 1,
  bfloat16: 2,
  float8_e5m2: 1,
  float8_e4m3fn: 1,
  float8_e5m2fnuz: 1,
  float8_e4m3fnuz: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
};

/** A complex number: what `toArray` gives for the elements of complex tensors, and `tensor` takes. */
export interface Complex {
  readonly re: number;
  readonly im: number;
}

export const dtypes = Object.keys(codes) as readonly DType[];

/** Whether a value is the name of a dtype. */
export function isDtype(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(codes, value);
}

/** LibTorch's number of a dtype. @throws TypeError for anything that is not a dtype's name. */
export function dtypeCode(dtype: DType): number {
  if (!isDtype(dtype)) {
    throw new TypeError(`${JSON.stringify(dtype)} is not a dtype; expected one of ${dtypes.join(", ")}`);
  }
  return codes[dtype];
}

/**
 * The dtype of LibTorch's number.
 * @throws TypeError for the types that have no counterpart here (quantized ones).
 */
export function dtypeOfCode(code: number): DType {
  const name = names.get(code);
  if (!name) throw new TypeError(`LibTorch's scalar type ${code} has no counterpart here`);
  return name;
}

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
  return sizes[dtype];
}

/** Whether the elements are real floating-point numbers. */
export function isFloatingDtype(dtype: DType): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/** Whether the elements are complex numbers. */
export function isComplexDtype(dtype: DType): boolean {
  return dtype.startsWith("complex");
}

/** The floats of 8 bits: LibTorch stores and converts them, few operators compute with them. */
export function isFloat8Dtype(dtype: DType): boolean {
  return dtype.startsWith("float8");
}

/**
 * The dtype that a typed array's elements have; `Uint16Array` is read as bfloat16 only
 * where that is asked for.
 */
export function dtypeOfArray(values: TypedArray): DType {
  if (values instanceof Float32Array) return "float32";
  if (values instanceof Float64Array) return "float64";
  if (values instanceof Int32Array) return "int32";
  if (values instanceof BigInt64Array) return "int64";
  if (values instanceof Uint8Array || (values as unknown) instanceof Uint8ClampedArray) return "uint8";
  if (values instanceof Int8Array) return "int8";
  if (values instanceof Int16Array) return "int16";
  if (values instanceof Float16Array) return "float16";
  if (values instanceof Uint32Array) return "uint32";
  if (values instanceof BigUint64Array) return "uint64";
  throw new TypeError(`${(values as object).constructor.name} has no dtype of its own; name one`);
}

/**
 * The typed array that holds `dtype`: bool as bytes 0 and 1, bfloat16 as its 16 bits in a `Uint16Array`,
 * float8 as its bits in a `Uint8Array`, complex numbers as pairs of real and imaginary parts.
 */
export function arrayFor(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case "uint8":
    case "bool":
    case "float8_e5m2":
    case "float8_e4m3fn":
    case "float8_e5m2fnuz":
    case "float8_e4m3fnuz":
      return new Uint8Array(length);
    case "int8":
      return new Int8Array(length);
    case "int16":
      return new Int16Array(length);
    case "int32":
      return new Int32Array(length);
    case "int64":
      return new BigInt64Array(length);
    case "float16":
      return new Float16Array(length);
    case "bfloat16":
    case "uint16":
      return new Uint16Array(length);
    case "uint32":
      return new Uint32Array(length);
    case "uint64":
      return new BigUint64Array(length);
    case "complex64":
      return new Float32Array(2 * length);
    case "complex128":
      return new Float64Array(2 * length);
    case "float32":
      return new Float32Array(length);
    case "float64":
      return new Float64Array(length);
  }
}

export const uint8 = "uint8";
export const int8 = "int8";
export const int16 = "int16";
export const int32 = "int32";
export const int64 = "int64";
export const float16 = "float16";
export const float32 = "float32";
export const float64 = "float64";
export const bool = "bool";
export const bfloat16 = "bfloat16";
export const complex64 = "complex64";
export const complex128 = "complex128";
export const cfloat = "complex64";
export const cdouble = "complex128";
export const uint16 = "uint16";
export const uint32 = "uint32";
export const uint64 = "uint64";
export const float8_e5m2 = "float8_e5m2";
export const float8_e4m3fn = "float8_e4m3fn";
export const float8_e5m2fnuz = "float8_e5m2fnuz";
export const float8_e4m3fnuz = "float8_e4m3fnuz";
