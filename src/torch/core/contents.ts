import { TorchError } from "../native/errors.ts";
import { type DType, isComplexDtype, type TypedArray } from "./dtype.ts";
import type { Layout } from "./layout.ts";

/** What is read of a tensor to compare and print it. */
interface Readable {
  readonly dtype: DType;
  readonly layout: Layout;
  readonly shape: readonly number[];
  readonly device: string;
  data(): TypedArray;
  toFloat64Array(): Float64Array;
  toDense(): Readable & Disposable;
}

const names: readonly (string | symbol)[] = ["dtype", "shape", "device", "values"];

/** Larger tensors are printed in part, with the hash of all their bytes. */
const longestRow = 32;
const mostRows = 64;

/**
 * The bytes of a copy of the elements in which every NaN is the same and -0 is 0, as equal
 * numbers must have equal bytes.
 */
function comparableBytes(values: TypedArray, dtype: DType): Uint8Array {
  if (dtype === "bfloat16" && values instanceof Uint16Array) {
    // bfloat16: a sign, eight bits of exponent, seven of mantissa.
    for (let i = 0; i < values.length; i++) {
      const size = values[i] & 0x7fff;
      if (size > 0x7f80) values[i] = 0x7fc0;
      else if (size === 0) values[i] = 0;
    }
  } else if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) {
    for (let i = 0; i < values.length; i++) values[i] = Number.isNaN(values[i]) ? Number.NaN : values[i] + 0;
  }
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The shortest text that gives the same float32. */
function float32Text(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}

/** The elements, of a sparse tensor those that it stands for. */
function read(tensor: Readable): TypedArray {
  if (tensor.layout === "strided") return tensor.data();
  using dense = tensor.toDense();
  return dense.data();
}

/** What a snapshot keeps: every value in one row per line, or some of them and a hash of all. */
function describe(tensor: Readable): Record<string, unknown> {
  const { dtype, shape, device } = tensor;
  const facts = { tensor: `${dtype} [${shape.join(", ")}]${device === "cpu" ? "" : ` on ${device}`}` };
  if (device === "meta") return facts;
  const data = read(tensor);
  const text = (value: number | bigint) => {
    if (Object.is(value, -0)) return "-0";
    return dtype === "float32" && typeof value === "number" ? float32Text(value) : String(value);
  };
  const isComplex = isComplexDtype(dtype);
  const asIs = isComplex || data instanceof BigInt64Array || data instanceof BigUint64Array;
  const values = asIs ? (data as Float64Array) : tensor.toFloat64Array();
  // Of a complex number both parts stand in the row.
  const width = (shape.at(-1) ?? 1) * (isComplex ? 2 : 1);
  const rows: string[] = [];
  for (let at = 0; at < values.length && rows.length < mostRows; at += width) {
    const row = Array.from(values.slice(at, at + Math.min(width, longestRow)), text);
    rows.push(row.join(" ") + (width > longestRow ? " ..." : ""));
  }
  const isWhole = width <= longestRow && values.length <= mostRows * width;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return {
    ...facts,
    rows,
    ...(isWhole ? {} : { sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") }),
  };
}

/**
 * Shows a tensor's dtype, shape, device and values as if they were the properties of an object:
 * what `toEqual`, `deepStrictEqual`, `Bun.deepEquals` and snapshots look at. Nothing is read from
 * the tensor before they do.
 */
const handler: ProxyHandler<Readable> = {
  ownKeys: () => names,
  has: (_, name) => names.includes(name),
  getPrototypeOf: () => Object.prototype,
  getOwnPropertyDescriptor(tensor, name) {
    if (!names.includes(name)) return undefined;
    return {
      enumerable: true,
      configurable: true,
      writable: true,
      value: handler.get?.(tensor, name, tensor),
    };
  },
  get(tensor, name) {
    if (name === "values")
      return tensor.device === "meta" ? null : comparableBytes(read(tensor), tensor.dtype);
    if (name === "toJSON") return () => describe(tensor);
    return names.includes(name) ? tensor[name as "dtype" | "shape" | "device"] : undefined;
  },
};

/** A tensor as comparisons see it. */
export function contentsOf(tensor: Readable): object {
  return new Proxy(tensor, handler);
}

/**
 * Stands for the class as each instance's own `constructor`: it has all that the class has, and refuses to be
 * copied. A copy of a tensor by structuredClone or postMessage would be an object without a tensor; they read
 * own properties alone, and `constructor` is the one that diffs and snapshots of `bun:test` do not print.
 */
export function refusingCopies<Class extends object>(original: Class): Class {
  return Object.defineProperty(Object.create(original), "cure", {
    enumerable: true,
    get() {
      throw new TorchError(
        "A tensor cannot be cloned or posted as it is: clone it with tensor.clone(); to a Worker of this process post " +
          "tensor.transfer() and call torch.Tensor.receive there; to another process send tensor.data() with its shape and dtype.",
        "value",
      );
    },
  });
}
