import { type DType, isComplexDtype } from "../core/dtype.ts";
import { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { viewAsReal } from "../dispatch/ops.gen.ts";

/** How far two tensors may be apart. */
export interface CloseOptions {
  /**
   * How large a difference may be relative to the expected value; by the dtype where not
   * given, then with `atol`.
   */
  readonly rtol?: number;
  /** How large a difference may be in any case; by the dtype where not given, then with `rtol`. */
  readonly atol?: number;
  /** Whether NaN equals NaN; false by default. */
  readonly equalNan?: boolean;
  /** Whether dtypes must be equal; true by default. */
  readonly checkDtype?: boolean;
  /** Whether devices must be equal; true by default. */
  readonly checkDevice?: boolean;
}

/** Tensors, numbers and the like, nested in arrays, Maps and plain objects. */
export type Comparable =
  | Tensor
  | number
  | bigint
  | boolean
  | readonly Comparable[]
  | ReadonlyMap<string, Comparable>
  | { readonly [name: string]: Comparable };

/** PyTorch's own defaults (torch.testing.assert_close). */
const tolerances: Partial<Record<DType, readonly [rtol: number, atol: number]>> = {
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
  complex64: [1.3e-6, 1e-5],
  complex128: [1e-7, 1e-7],
};

/** Two values that `assertClose` found apart. */
export class NotCloseError extends Error {
  override name = "NotCloseError";
}

function isPlain(value: unknown): value is Readonly<Record<string, Comparable>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function entriesOf(value: Comparable): Map<string, Comparable> | undefined {
  if (Array.isArray(value)) return new Map(value.map((item: Comparable, i) => [`[${i}]`, item]));
  if (value instanceof Map)
    return new Map([...value].map(([name, item]) => [`.${name}`, item as Comparable]));
  return isPlain(value)
    ? new Map(Object.entries(value).map(([name, item]) => [`.${name}`, item]))
    : undefined;
}

/** The two tolerances: both given, or both by the dtypes (the wider of two). */
function tolerancesFor(options: CloseOptions, dtypes: readonly DType[]): readonly [number, number] {
  if ((options.rtol === undefined) !== (options.atol === undefined)) {
    throw new TypeError("assertClose: give both rtol and atol, or neither");
  }
  if (options.rtol !== undefined && options.atol !== undefined) return [options.rtol, options.atol];
  const each = dtypes.map((dtype) => tolerances[dtype] ?? [0, 0]);
  return [Math.max(...each.map(([rtol]) => rtol)), Math.max(...each.map(([, atol]) => atol))];
}

interface Worst {
  readonly difference: number;
  readonly at: number;
}

/** Where in a tensor of this shape the element with that number lies. */
function indexOf(at: number, shape: readonly number[]): string {
  const index: number[] = [];
  let rest = at;
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    index.unshift(rest % shape[dim]);
    rest = Math.floor(rest / shape[dim]);
  }
  return `(${index.join(", ")})`;
}

function compareTensors(actual: Tensor, expected: Tensor, options: CloseOptions): string | null {
  const { checkDtype = true, checkDevice = true, equalNan = false } = options;
  const differ = (what: string, a: unknown, b: unknown) =>
    `the ${what} differ: ${a} is not the expected ${b}`;
  if (actual.shape.join() !== expected.shape.join()) {
    return differ("shapes", `[${actual.shape.join(", ")}]`, `[${expected.shape.join(", ")}]`);
  }
  if (checkDevice && actual.device !== expected.device)
    return differ("devices", actual.device, expected.device);
  if (checkDtype && actual.dtype !== expected.dtype) return differ("dtypes", actual.dtype, expected.dtype);
  const [rtol, atol] = tolerancesFor(options, [actual.dtype, expected.dtype]);
  // Complex numbers by their parts, sparse tensors as what they stand for.
  const plain = (tensor: Tensor): Tensor => {
    const dense = tensor.layout === "strided" ? tensor.detach() : tensor.detach().toDense();
    return isComplexDtype(dense.dtype) ? viewAsReal(dense.resolveConj()) : dense;
  };
  if (actual.layout !== "strided" || isComplexDtype(actual.dtype) || isComplexDtype(expected.dtype))
    return tidy(() =>
      compareTensors(plain(actual), plain(expected), { ...options, rtol, atol, checkDtype: false }),
    );
  const [values, wanted] = [actual.toFloat64Array(), expected.toFloat64Array()];
  const absolute: Worst = { difference: -1, at: 0 };
  const relative: Worst = { difference: -1, at: 0 };
  let mismatches = 0;
  for (let i = 0; i < values.length; i++) {
    const [a, b] = [values[i], wanted[i]];
    if (a === b || (equalNan && Number.isNaN(a) && Number.isNaN(b))) continue;
    const difference = Math.abs(a - b);
    // Beside an infinity or a NaN every other value is infinitely far.
    const distance = Number.isFinite(difference) ? difference : Number.POSITIVE_INFINITY;
    if (Number.isFinite(distance) && distance <= atol + rtol * Math.abs(b)) continue;
    mismatches++;
    if (distance > absolute.difference) Object.assign(absolute, { difference: distance, at: i });
    const ratio = distance / Math.abs(b);
    if (ratio > relative.difference) Object.assign(relative, { difference: ratio, at: i });
  }
  // Whole numbers beyond 2^53 are not told apart as numbers.
  if (
    mismatches === 0 &&
    rtol === 0 &&
    atol === 0 &&
    actual.dtype === "int64" &&
    expected.dtype === "int64"
  ) {
    const [a, b] = [actual.data() as BigInt64Array, expected.data() as BigInt64Array];
    mismatches = a.reduce((count, value, i) => count + (value === b[i] ? 0 : 1), 0);
    if (mismatches > 0) return `${mismatches} of ${values.length} elements differ`;
  }
  if (mismatches === 0) return null;
  const share = ((100 * mismatches) / values.length).toFixed(1);
  const worst = (name: string, { difference, at }: Worst, limit: number) =>
    `greatest ${name} difference: ${Number(difference.toPrecision(6))} at index ${indexOf(at, actual.shape)} (up to ${limit} allowed)`;
  return [
    `${mismatches} of ${values.length} elements (${share} %) are not close`,
    worst("absolute", absolute, atol),
    ...(relative.difference >= 0 ? [worst("relative", relative, rtol)] : []),
  ].join("\n  ");
}

/** What differs between two values, with the place where they are nested; null where they are close. */
export function differenceOf(
  actual: Comparable,
  expected: Comparable,
  options: CloseOptions = {},
  place = "",
): string | null {
  const tell = (fault: string | null) => (fault === null ? null : place ? `at ${place}: ${fault}` : fault);
  if (actual instanceof Tensor && expected instanceof Tensor)
    return tell(compareTensors(actual, expected, options));
  if (typeof actual !== "object" && typeof actual === typeof expected) {
    if (typeof actual !== "number")
      return tell(actual === expected ? null : `${actual} is not the expected ${expected}`);
    const [rtol, atol] = tolerancesFor(options, ["float64"]);
    const [a, b] = [actual, expected as number];
    const isSame = a === b || (options.equalNan === true && Number.isNaN(a) && Number.isNaN(b));
    const isClose = isSame || (Number.isFinite(b) && Math.abs(a - b) <= atol + rtol * Math.abs(b));
    return tell(isClose ? null : `${a} is not close to ${b}`);
  }
  const [inside, wanted] = [entriesOf(actual), entriesOf(expected)];
  if (inside === undefined || wanted === undefined)
    return tell("one is a tensor or a number, the other is not of its kind");
  for (const name of new Set([...inside.keys(), ...wanted.keys()])) {
    const [a, b] = [inside.get(name), wanted.get(name)];
    if (a === undefined) return tell(`${name} is missing`);
    if (b === undefined) return tell(`${name} was not expected`);
    const fault = differenceOf(a, b, options, place + name);
    if (fault !== null) return fault;
  }
  return null;
}

/**
 * Compares tensors (also numbers, and both nested in arrays, Maps and plain objects, as a `stateDict` is):
 * shapes, devices and dtypes must be equal, and |actual - expected| <= atol + rtol * |expected| for every
 * element, with PyTorch's tolerances for the dtype.
 *
 * @throws NotCloseError that tells how many elements differ, the greatest differences and where they are.
 * @throws TypeError if only one of rtol and atol is given.
 * @example torch.testing.assertClose(layer.forward(x), expected, { rtol: 1e-4, atol: 1e-6 });
 */
export function assertClose(actual: Comparable, expected: Comparable, options: CloseOptions = {}): void {
  const fault = differenceOf(actual, expected, options);
  if (fault !== null) throw new NotCloseError(`The tensors are not close: ${fault}`);
}
