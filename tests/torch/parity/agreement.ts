import * as torch from "../../../src/torch/index.ts";

/**
 * Why a tensor is not the expected one, or null if it is: equal dtype and shape, NaN and infinities at
 * the same places, elsewhere
 * |x - y| <= tolerance * (1 + max|y|); integers and booleans equal.
 */
export function disagreement(
  actual: torch.Tensor | null | undefined,
  expected: torch.Tensor,
  tolerance: number,
): string | null {
  if (!actual) return "is missing";
  if (actual.dtype !== expected.dtype) return `is ${actual.dtype}, expected ${expected.dtype}`;
  const [own, other] = [actual.shape.join(", "), expected.shape.join(", ")];
  if (own !== other) return `has shape [${own}], expected [${other}]`;
  const isComplex = torch.isComplexDtype(actual.dtype);
  const numbers = (tensor: torch.Tensor) =>
    (isComplex ? torch.viewAsReal(tensor.resolveConj()) : tensor).toFloat64Array();
  const x = numbers(actual);
  const y = numbers(expected);
  const exact = !isComplex && !torch.isFloatingDtype(actual.dtype);
  let largest = 0;
  for (const value of y) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const allowed = exact ? 0 : tolerance * (1 + largest);
  for (let i = 0; i < x.length; i++) {
    if (Object.is(x[i], y[i]) || x[i] === y[i]) continue;
    if (Math.abs(x[i] - y[i]) <= allowed) continue;
    return `is ${x[i]} at ${i}, expected ${y[i]} (allowed difference ${allowed})`;
  }
  return null;
}

/** What went wrong with a call: the error's text on one line. */
export function errorText(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message.split("\n").join(" ")}` : String(cause);
}
