import * as torch from "../../torch/index.ts";

/**
 * The coefficients, constant first, of the polynomial from one quantity to another that has the least
 * squared error; where the values do not determine it, the smallest that does. @example fitPolynomial([0, 1,
 * 2], [1, 3, 5], 1); // [1, 2]
 */
export function fitPolynomial(
  given: ArrayLike<number>,
  wanted: ArrayLike<number>,
  degree: number,
): Float64Array {
  return torch.tidy(() => {
    const x = torch.tensor(Float64Array.from(given));
    const powers = Array.from({ length: degree + 1 }, (_, power) => x.pow(power));
    const design = torch.stack(powers, 1);
    const moments = design.t().mm(torch.tensor(Float64Array.from(wanted)).unsqueeze(1));
    return torch.linalg.pinv(design.t().mm(design)).mm(moments).toFloat64Array();
  });
}

/**
 * A cubic from one quantity to another, fitted by least squares: what makes distances of any kind comparable
 * with true ones. Beyond the range that it was fitted on it stays at its ends.
 *
 * @example
 * const calibration = fitCubic(jaccard, unifrac);
 * const predicted = calibration(jaccardOfOthers);
 */
export function fitCubic(given: Float64Array, wanted: Float64Array): (values: Float64Array) => Float64Array {
  if (given.length === 0) return (values) => new Float64Array(values.length).fill(Number.NaN);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of given) [low, high] = [Math.min(low, value), Math.max(high, value)];
  // On -1 to 1 powers are as different as they can be.
  const scale = high > low ? 2 / (high - low) : 0;
  const scaled = (values: Float64Array) =>
    values.map((value) => (Math.min(Math.max(value, low), high) - low) * scale - 1);
  const [a, b, c, d] = fitPolynomial(scaled(given), wanted, 3);
  return (values) => scaled(values).map((x) => a + x * (b + x * (c + x * d)));
}
