import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { readFileBytes } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { magic, type NpyHeader, parseNpyHeader } from "./header.ts";

export type NpyNumbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float16Array
  | Float32Array
  | Float64Array;

/** An array of a `.npy` file, in C order (the last index runs fastest) whatever the order in the file. */
export interface NpyArray {
  /** NumPy's name of the element type: `float64`, `int8`, `bool`, `complex64`, `bytes`, `str` ... */
  readonly dtype: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /**
   * `bool` as 0 and 1, complex numbers as pairs (twice as many values as elements),
   * `bytes` and `str` as text.
   */
  readonly values: NpyNumbers | readonly string[];
}

/**
 * Reads a `.npy` file (versions 1 to 3, both byte orders and array orders; booleans, integers, floats and
 * complex numbers of 1 to 8 bytes a part, byte and text strings).
 * @throws UserError for anything else, Python objects included, and for truncated or surplus data.
 */
export function readNpy(path: string): NpyArray {
  return decodeNpy(readFileBytes(path), path);
}

/** Like `readNpy`, for a file in memory, which the result may share; `source` names it in errors. */
export function decodeNpy(bytes: Uint8Array, source: string): NpyArray {
  const header = parseNpyHeader(bytes, source);
  const count = header.shape.reduce((product, size) => product * size, 1);
  const expected = count * header.itemSize;
  const found = bytes.length - header.dataOffset;
  if (!Number.isSafeInteger(expected) || found !== expected) {
    const what =
      found < expected ? "is truncated; copy or make it again" : "has surplus bytes; make it again";
    throw new UserError(
      `${source} holds ${found} bytes of data where its shape (${header.shape.join(", ")}) of ${header.dtype} needs ${expected}: it ${what}.`,
    );
  }
  // Typed arrays must be aligned, and the caller's bytes must not change.
  const inPlace = !header.bigEndian && (bytes.byteOffset + header.dataOffset) % 8 === 0;
  const data = inPlace ? bytes.subarray(header.dataOffset) : bytes.slice(header.dataOffset);
  if (header.bigEndian) swapBytes(data, header.partSize);
  const values = viewData(data, header, source);
  const inOrder = header.fortranOrder && header.shape.length > 1 ? toCOrder(values, header) : values;
  return { dtype: header.dtype, shape: header.shape, values: inOrder };
}

/** Whether bytes begin as a `.npy` file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/**
 * Writes numbers in C order as a version 1 `.npy` file, atomically. The dtype is that of the array; large
 * arrays are not copied. With `bool` bytes 0 and 1 are written as booleans.
 * @throws UserError if the file cannot be written.
 */
export function writeNpy(
  path: string,
  values: NpyNumbers,
  shape: readonly number[],
  options: { bool?: boolean } = {},
): void {
  writeFileAtomic(path, encodeNpy(values, shape, options));
}

const descriptions = new Map<unknown, string>([
  [Int8Array, "|i1"],
  [Uint8Array, "|u1"],
  [Int16Array, "<i2"],
  [Uint16Array, "<u2"],
  [Int32Array, "<i4"],
  [Uint32Array, "<u4"],
  [BigInt64Array, "<i8"],
  [BigUint64Array, "<u8"],
  [Float16Array, "<f2"],
  [Float32Array, "<f4"],
  [Float64Array, "<f8"],
]);

/** The bytes of a `.npy` file in two pieces: the header and the array's own memory. */
export function encodeNpy(
  values: NpyNumbers,
  shape: readonly number[],
  options: { bool?: boolean } = {},
): Uint8Array[] {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== values.length) {
    throw new RangeError(
      `The shape (${shape.join(", ")}) has ${count} elements, the array ${values.length}.`,
    );
  }
  return [
    npyHeader(values, shape, options),
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  ];
}

/** The bytes before the data of a `.npy` file whose elements are of the type of `like`. */
export function npyHeader(
  like: NpyNumbers,
  shape: readonly number[],
  { bool = false }: { bool?: boolean } = {},
): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${bool ? "|b1" : descriptions.get(like.constructor)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The data start at a multiple of 64 bytes, as NumPy aligns them; the header ends with a line break.
  const size = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = new Uint8Array(size).fill(32);
  header.set([...magic, 1, 0, (size - 10) & 0xff, (size - 10) >> 8]);
  header.set(new TextEncoder().encode(text), 10);
  header[size - 1] = 10;
  return header;
}

function swapBytes(bytes: Uint8Array, size: number): void {
  if (size === 1) return;
  for (let start = 0; start < bytes.length; start += size) {
    for (let low = start, high = start + size - 1; low < high; low++, high--) {
      const held = bytes[low];
      bytes[low] = bytes[high];
      bytes[high] = held;
    }
  }
}

function viewData(data: Uint8Array, header: NpyHeader, source: string): NpyNumbers | string[] {
  const buffer = data.buffer as ArrayBuffer;
  const place = [data.byteOffset, data.byteLength / header.partSize] as const;
  switch (header.dtype) {
    case "bool":
    case "uint8":
      return data;
    case "int8":
      return new Int8Array(buffer, ...place);
    case "int16":
      return new Int16Array(buffer, ...place);
    case "uint16":
      return new Uint16Array(buffer, ...place);
    case "int32":
      return new Int32Array(buffer, ...place);
    case "uint32":
      return new Uint32Array(buffer, ...place);
    case "int64":
      return new BigInt64Array(buffer, ...place);
    case "uint64":
      return new BigUint64Array(buffer, ...place);
    case "float16":
      return new Float16Array(buffer, ...place);
    case "float32":
    case "complex64":
      return new Float32Array(buffer, ...place);
    case "float64":
    case "complex128":
      return new Float64Array(buffer, ...place);
    case "str":
      return decodeStrings(new Uint32Array(buffer, ...place), header.itemSize / 4, source);
    default:
      return decodeStrings(data, header.itemSize, source);
  }
}

/** Fixed-size strings, padded with NUL: UTF-8 bytes, or code points in 32 bits. */
function decodeStrings(units: Uint8Array | Uint32Array, width: number, source: string): string[] {
  const utf8 = new TextDecoder();
  return Array.from({ length: width === 0 ? 0 : units.length / width }, (_, i) => {
    let end = (i + 1) * width;
    while (end > i * width && units[end - 1] === 0) end--;
    const part = units.subarray(i * width, end);
    return part instanceof Uint32Array ? fromCodePoints(part, source) : utf8.decode(part);
  });
}

function fromCodePoints(points: Uint32Array, source: string): string {
  let text = "";
  for (const point of points) {
    if (point > 0x10ffff) {
      throw new UserError(
        `${source} holds text with the code point ${point}, which does not exist; the file is damaged, make it again.`,
      );
    }
    text += String.fromCodePoint(point);
  }
  return text;
}

function toCOrder<T extends NpyNumbers | string[]>(
  values: T,
  { shape, partSize, itemSize, dtype }: NpyHeader,
): T {
  const parts = dtype.startsWith("complex") ? itemSize / partSize : 1;
  const ordered = values.slice() as T;
  const index = new Array<number>(shape.length).fill(0);
  const strides: number[] = [];
  for (let axis = 0, stride = 1; axis < shape.length; stride *= shape[axis++]) strides.push(stride);
  const target = ordered as { [i: number]: unknown };
  for (let to = 0, from = 0; to < values.length / parts; to++) {
    for (let part = 0; part < parts; part++) target[to * parts + part] = values[from * parts + part];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return ordered;
}
