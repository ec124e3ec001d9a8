import type { Device } from "../core/device.ts";
import type { DType, TypedArray } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { tensor } from "../functions/creation.ts";

/**
 * What is read of a column of the library apache-arrow (its `Vector`), which a program that has
 * such columns brings itself.
 */
export interface ArrowColumn extends Iterable<unknown> {
  readonly type: { readonly typeId: number; toString(): string };
  readonly length: number;
  readonly nullCount: number;
  getChildAt(index: number): ArrowColumn | null;
  isValid(index: number): boolean;
  get(index: number): unknown;
  toArray(): unknown;
}

/** Arrow's own numbers of its types (Schema.fbs counts them). */
const typeIds = { int: 2, float: 3, bool: 6, fixedSizeList: 16 };

/**
 * A tensor with a copy of an Arrow column: numbers and booleans give [n], fixed-size lists of them [n, size]
 * and so on. Nulls become NaN in columns of floats.
 * @throws TypeError for other element types, and for nulls in other columns.
 */
export function fromArrow(column: ArrowColumn, options: { dtype?: DType; device?: Device } = {}): Tensor {
  const { typeId } = column.type;
  if (typeId === typeIds.fixedSizeList) {
    const size = (column.type as { listSize?: number }).listSize ?? 0;
    if (column.nullCount > 0) throw nulls(column);
    const items = column.getChildAt(0);
    if (!items) throw new TypeError(`fromArrow: the column of type ${column.type} has no elements`);
    using flat = fromArrow(items, options);
    return flat.view([column.length, size, ...flat.shape.slice(1)]);
  }
  const isFloat = typeId === typeIds.float;
  if (column.nullCount > 0 && !isFloat) throw nulls(column);
  if (typeId === typeIds.bool) {
    const bits = Uint8Array.from(column, (value) => (value ? 1 : 0));
    return converted(tensor(bits, { dtype: "bool", device: options.device }), options.dtype);
  }
  if (!isFloat && typeId !== typeIds.int)
    throw new TypeError(
      `fromArrow: a column of type ${column.type} cannot become a tensor; choose numbers or booleans`,
    );
  const values = column.toArray() as TypedArray | Uint32Array | BigUint64Array;
  return tensor(column.nullCount > 0 ? withNaN(column) : signed(values, column), options);
}

function nulls(column: ArrowColumn): TypeError {
  return new TypeError(
    `fromArrow: the column of type ${column.type} has ${column.nullCount} nulls, which only floats can stand for; fill or cast it first`,
  );
}

/** Null entries hold any number in Arrow's memory. */
function withNaN(column: ArrowColumn): Float64Array | Float32Array {
  const isWide = (column.type as { precision?: number }).precision === 2;
  const values = isWide ? new Float64Array(column.length) : new Float32Array(column.length);
  for (let i = 0; i < column.length; i++) values[i] = column.isValid(i) ? Number(column.get(i)) : Number.NaN;
  return values;
}

/**
 * Unsigned integers that LibTorch has no type for here, in the next wider one; Arrow's half
 * floats are stored as bits.
 */
function signed(values: TypedArray | Uint32Array | BigUint64Array, column: ArrowColumn): TypedArray {
  if (column.type.typeId === typeIds.float && values instanceof Uint16Array)
    return new Float16Array(values.buffer, values.byteOffset, values.length);
  if (values instanceof Uint16Array) return Int32Array.from(values);
  if (values instanceof Uint32Array) return BigInt64Array.from(values, BigInt);
  if (!(values instanceof BigUint64Array)) return values;
  const largest = 2n ** 63n;
  return BigInt64Array.from(values, (value) => {
    if (value >= largest) throw new TypeError(`fromArrow: ${value} does not fit into an int64`);
    return value;
  });
}

function converted(value: Tensor, dtype: DType | undefined): Tensor {
  if (dtype === undefined || dtype === value.dtype) return value;
  using narrow = value;
  return narrow.to(dtype);
}
