import * as torch from "../../../torch/index.ts";

const degree = 3;

/**
 * A cubic from one quantity to another, fitted by least squares: what makes distances of any kind comparable with true ones. Beyond the
 * range that it was fitted on it stays at its ends.
 *
 * @example
 * const calibration = fitCubic(jaccard, unifrac);
 * const predicted = calibration(jaccardOfOthers);
 */
export function fitCubic(given: Float64Array, wanted: Float64Array): (values: Float64Array) => Float64Array {
  if (given.length === 0) return (values) => new Float64Array(values.length).fill(Number.NaN);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of given) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = high > low ? 2 / (high - low) : 0;
  const powers = (values: Float64Array) => {
    const x = torch.tensor(values).clamp(low, high).sub(low).mul(scale).sub(1);
    return torch.stack(
      Array.from({ length: degree + 1 }, (_, power) => x.pow(power)),
      1,
    );
  };
  const coefficients = torch.tidy(() => {
    const design = powers(given);
    const moments = design.t().mm(torch.tensor(wanted).unsqueeze(1));
    // Few or equal values do not determine a cubic; then the smallest that fits is taken.
    return torch.linalg.pinv(design.t().mm(design)).mm(moments).toFloat64Array();
  });
  return (values) =>
    torch.tidy(() => powers(values).mm(torch.tensor(coefficients).unsqueeze(1)).toFloat64Array());
}
