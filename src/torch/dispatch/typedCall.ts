import { Tensor } from "../core/tensor.ts";
import { shim } from "../native/library.ts";
import type { Overload, TypedForm } from "./findOverload.ts";
import { needsTensors } from "./wholeNumbers.ts";

const list = new Float64Array(new ArrayBuffer(1024));
/** The overload that the last typed call took; only to be read after it failed. */
export let lastTyped: Overload | null = null;

const letterM = 77;
const letterS = 83;
const letterD = 68;
const letterI = 73;
const letterN = 78;
const letterB = 66;
const letterO = 79;
const letterT = 84;

/**
 * A value as the double that its kind travels as; undefined where it needs the general call, or does not fit.
 */
function convert(kind: number, value: unknown): number | undefined {
  switch (kind) {
    case letterT:
    case letterM:
      return value instanceof Tensor && value.rawHandle !== 0 ? value.rawHandle : undefined;
    case letterS:
      return typeof value === "number" && !needsTensors(value) ? value : undefined;
    case letterD:
      return typeof value === "number" ? value : undefined;
    case letterI:
    case letterN:
      return Number.isSafeInteger(value) ? (value as number) : undefined;
    case letterB:
      return typeof value === "boolean" ? (value ? 1 : 0) : undefined;
    case letterO:
      if (value === null) return 0;
      return value instanceof Tensor && value.rawHandle !== 0 ? value.rawHandle : undefined;
    default:
      return undefined;
  }
}

/** Puts a list of integers into `list`; false where it needs the general call. */
function putList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > list.length) return false;
  for (let i = 0; i < value.length; i++) {
    if (!Number.isSafeInteger(value[i])) return false;
    list[i] = value[i];
  }
  return true;
}

/**
 * Calls the first overload that takes these arguments (the first `count` of them are given), if that has a
 * typed form: the handle of the result, 0 for an undefined one or an in-place operator, a status below 0, or
 * NaN where the general call must decide.
 */
export function callTyped(
  overloads: readonly Overload[],
  count: number,
  a: unknown,
  b: unknown,
  c: unknown,
  d: unknown,
  e: unknown,
): number {
  for (let i = 0; i < overloads.length; i++) {
    const overload = overloads[i];
    const typed = overload.typed;
    if (typed === null) return Number.NaN;
    if (count > typed.most || count < typed.least) continue;
    lastTyped = overload;
    if (typed.list !== "none") {
      const result =
        typed.list === "integers"
          ? callWithList(overload.number, typed, count, a, b, c, d, e)
          : callWithTensors(overload.number, typed, count, a, b);
      if (result === undefined) continue;
      return result;
    }
    const { kinds, defaults } = typed;
    const arity = kinds.length;
    const x0: number | undefined = convert(kinds[0], a);
    if (x0 === undefined) continue;
    let x1: number | undefined = 0;
    let x2: number | undefined = 0;
    let x3: number | undefined = 0;
    let x4: number | undefined = 0;
    if (arity > 1) {
      x1 = count > 1 ? convert(kinds[1], b) : defaults[1];
      if (x1 === undefined) continue;
      if (arity > 2) {
        x2 = count > 2 ? convert(kinds[2], c) : defaults[2];
        if (x2 === undefined) continue;
        if (arity > 3) {
          x3 = count > 3 ? convert(kinds[3], d) : defaults[3];
          if (x3 === undefined) continue;
          if (arity > 4) {
            x4 = count > 4 ? convert(kinds[4], e) : defaults[4];
            if (x4 === undefined) continue;
          }
        }
      }
    }
    return shim.aamt_call(overload.number, x0, x1, x2, x3, x4);
  }
  return Number.NaN;
}

function callWithList(
  number: number,
  { kinds, defaults }: TypedForm,
  count: number,
  a: unknown,
  b: unknown,
  c: unknown,
  d: unknown,
  e: unknown,
): number | undefined {
  const self = convert(kinds[0], a);
  if (self === undefined || count < 2 || !putList(b)) return undefined;
  const length = (b as unknown[]).length;
  const arity = kinds.length;
  const x2 = arity > 2 ? (count > 2 ? convert(kinds[2], c) : defaults[2]) : 0;
  const x3 = arity > 3 ? (count > 3 ? convert(kinds[3], d) : defaults[3]) : 0;
  const x4 = arity > 4 ? (count > 4 ? convert(kinds[4], e) : defaults[4]) : 0;
  if (x2 === undefined || x3 === undefined || x4 === undefined) return undefined;
  return shim.aamt_call_with_list(number, self, list, length, x2, x3, x4, arity > 5 ? defaults[5] : 0);
}

function callWithTensors(
  number: number,
  { kinds, defaults }: TypedForm,
  count: number,
  a: unknown,
  b: unknown,
): number | undefined {
  if (!Array.isArray(a) || a.length > list.length) return undefined;
  for (let i = 0; i < a.length; i++) {
    const handle = convert(letterT, a[i]);
    if (handle === undefined) return undefined;
    list[i] = handle;
  }
  const x1 = kinds.length > 1 ? (count > 1 ? convert(kinds[1], b) : defaults[1]) : 0;
  return x1 === undefined ? undefined : shim.aamt_call_with_tensors(number, list, a.length, x1);
}
