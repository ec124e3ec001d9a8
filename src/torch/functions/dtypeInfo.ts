import { type DType, dtypeCode, dtypeOfCode, type Scalar } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { operator } from "../dispatch/operators.ts";

/** Limits of a floating-point dtype. */
export interface FloatInfo {
  readonly dtype: DType;
  readonly bits: number;
  /** The distance from 1 to the next number. */
  readonly eps: number;
  readonly max: number;
  readonly min: number;
  /** The smallest positive number of full precision. */
  readonly tiny: number;
  readonly smallestNormal: number;
  /** 10 to the power of minus the decimal digits that are sure. */
  readonly resolution: number;
}

/** Limits of an integer dtype; bigints where no number holds them exactly. */
export interface IntegerInfo {
  readonly dtype: DType;
  readonly bits: number;
  readonly max: number | bigint;
  readonly min: number | bigint;
}

/** Bits, the exponents of eps and of the smallest normal number, and the largest number. */
const floats: Partial<Record<DType, readonly [number, number, number, number]>> = {
  float64: [64, -52, -1022, Number.MAX_VALUE],
  float32: [32, -23, -126, (2 - 2 ** -23) * 2 ** 127],
  float16: [16, -10, -14, 65504],
  bfloat16: [16, -7, -126, (2 - 2 ** -7) * 2 ** 127],
  float8_e4m3fn: [8, -3, -6, 448],
  float8_e5m2: [8, -2, -14, 57344],
  float8_e4m3fnuz: [8, -3, -7, 240],
  float8_e5m2fnuz: [8, -3, -15, 57344],
};
const parts: Partial<Record<DType, DType>> = { complex64: "float32", complex128: "float64" };

/**
 * The limits of a floating-point dtype (of a complex one's parts), as `torch.finfo`.
 * @throws TypeError for another dtype.
 * @example torch.finfo("float32").eps // 1.1920928955078125e-7
 */
export function finfo(dtype: DType): FloatInfo {
  const real = parts[dtype] ?? dtype;
  const found = floats[real];
  if (!found) throw new TypeError(`finfo: ${String(dtype)} has no fractions; torch.iinfo tells of integers`);
  const [bits, exponent, smallest, max] = found;
  const [eps, tiny] = [2 ** exponent, 2 ** smallest];
  const digits = Math.floor(-exponent * Math.log10(2));
  return {
    dtype: real,
    bits,
    eps,
    max,
    min: -max,
    tiny,
    smallestNormal: tiny,
    resolution: Number(`1e-${digits}`),
  };
}

/**
 * The limits of an integer dtype, as `torch.iinfo`.
 * @throws TypeError for another dtype.
 * @example torch.iinfo("uint8").max // 255
 */
export function iinfo(dtype: DType): IntegerInfo {
  const [, sign, width] = /^(u?)int(\d+)$/.exec(dtype) ?? [];
  if (width === undefined)
    throw new TypeError(`iinfo: ${String(dtype)} is no integer; torch.finfo tells of floats`);
  const bits = Number(width);
  const max = 2n ** BigInt(sign ? bits : bits - 1) - 1n;
  const min = sign ? 0n : -max - 1n;
  const wide = bits === 64;
  return { dtype, bits, max: wide ? max : Number(max), min: wide ? min : Number(min) };
}

type Dtypes = (a: DType, b: DType) => number;
const promote = operator("aten::promote_types", [""], "promoteTypes") as unknown as Dtypes;
const mayCast = operator("aten::can_cast", [""], "canCast") as unknown as (a: DType, b: DType) => boolean;
const result = operator(
  "aten::result_type",
  ["Tensor", "Scalar", "Scalar_Tensor", "Scalar_Scalar"],
  "resultType",
) as unknown as (a: Tensor | Scalar, b: Tensor | Scalar) => number;

/**
 * The smallest dtype that holds both, as `torch.promote_types`.
 * @example torch.promoteTypes("int64", "float16") // "float16"
 */
export function promoteTypes(a: DType, b: DType): DType {
  dtypeCode(a);
  dtypeCode(b);
  return dtypeOfCode(promote(a, b));
}

/**
 * Whether values may become another dtype without changing their kind (`float32` no integer), as
 * `torch.can_cast`.
 */
export function canCast(from: DType, to: DType): boolean {
  dtypeCode(from);
  dtypeCode(to);
  return mayCast(from, to);
}

/**
 * The dtype of an operation on both, as `torch.result_type`: tensors with dimensions count more than those
 * without, and these more than numbers.
 * @example torch.resultType(torch.ones([2], { dtype: "int32" }), 1.5) // "float32"
 */
export function resultType(a: Tensor | Scalar, b: Tensor | Scalar): DType {
  return dtypeOfCode(result(a, b));
}

/**
 * The shape to which shapes are broadcast, as `torch.broadcast_shapes`.
 * @throws RangeError where sizes differ and none is 1.
 * @example torch.broadcastShapes([2, 1], [3]) // [2, 3]
 */
export function broadcastShapes(...shapes: readonly (readonly number[] | number)[]): number[] {
  const lists = shapes.map((shape) => (typeof shape === "number" ? [shape] : shape));
  const length = lists.reduce((most, shape) => Math.max(most, shape.length), 0);
  const whole = new Array<number>(length).fill(1);
  for (const shape of lists) {
    shape.forEach((size, i) => {
      if (!Number.isSafeInteger(size) || size < 0)
        throw new RangeError(`broadcastShapes: sizes are whole numbers of at least 0, got ${size}`);
      const at = length - shape.length + i;
      if (size === 1 || size === whole[at]) return;
      if (whole[at] !== 1)
        throw new RangeError(
          `broadcastShapes: ${lists.map((one) => `[${one.join(", ")}]`).join(" and ")} do not fit together in dimension ${at}`,
        );
      whole[at] = size;
    });
  }
  return whole;
}
