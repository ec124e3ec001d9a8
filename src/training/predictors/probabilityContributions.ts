import type { Contributions } from "./learner.ts";

/**
 * Contributions to one value of each class as contributions to the classes' probabilities, which are a
 * softmax of a function of each value. For that function, contributions are multiplied by its change over
 * that of the value (the rescale rule; Shrikumar et al. 2017). For the softmax, with p the probabilities of
 * the sample and q those of the base,
 *
 *     p_c - q_c = L_c * (change of u_c - sum over k of L_k / (sum of L) * change of u_k)
 *
 * holds exactly if L_c is the logarithmic mean (p_c - q_c) / log(p_c / q_c) (Sato 1976; Vartia 1976). As this
 * is linear in the changes, each ASV's part of them makes its part of p - q; over classes these add up to 0.
 *
 * @param from [samples * width] What the contributions are of, at the samples.
 * @param exponent what `probabilities` takes the softmax of, but for what is added to a class in all samples.
 * @param probabilities of one sample's values, both [width].
 */
export function* toProbabilities(
  from: Float64Array,
  contributions: Iterable<Contributions>,
  exponent: (value: number) => number,
  probabilities: (values: Float64Array) => Float64Array,
): Iterable<Contributions> {
  let at = 0;
  for (const { values, base } of contributions) {
    const width = base.length;
    const after = from.subarray(at, at + width);
    const slopes = after.map((value, c) => slopeBetween(exponent, base[c], value));
    const [p, q] = [probabilities(after), probabilities(base)];
    const means = p.map((own, c) => logarithmicMean(own, q[c]));
    const all = means.reduce((sum, own) => sum + own, 0);
    const moved = new Float64Array(values.length);
    for (let i = 0; i < values.length; i += width) {
      let common = 0;
      for (let c = 0; c < width; c++) common += (means[c] / all) * slopes[c] * values[i + c];
      for (let c = 0; c < width; c++) moved[i + c] = means[c] * (slopes[c] * values[i + c] - common);
    }
    yield { values: moved, base: q };
    at += width;
  }
}

/** The change of a function's value over that of its argument; its derivative where both are the same. */
export function slopeBetween(fn: (value: number) => number, from: number, to: number): number {
  // In proportion to both, so that units do not matter.
  const least = 1e-7 * (Math.max(Math.abs(from), Math.abs(to)) || 1);
  const step = Math.abs(to - from) < least ? least : to - from;
  return (fn(from + step) - fn(from)) / step;
}

function logarithmicMean(a: number, b: number): number {
  // Of near ones the arithmetic mean: the difference is below the rounding of the quotient.
  return Math.abs(a - b) <= 1e-6 * Math.max(a, b) ? (a + b) / 2 : (a - b) / Math.log(a / b);
}
