/** Points from 0 to 1 and their weights. */
export interface Quadrature {
  readonly points: Float64Array;
  readonly weights: Float64Array;
}

const known = new Map<number, Quadrature>();

/**
 * Points and weights on [0, 1] that integrate polynomials up to degree 2n - 1 exactly:
 * the roots of the Legendre polynomial of degree n, by Newton's method.
 */
export function gaussLegendre(n: number): Quadrature {
  const found = known.get(n);
  if (found) return found;
  const points = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let round = 0; round < 100; round++) {
      let value = x;
      let before = 1;
      for (let k = 2; k <= n; k++)
        [value, before] = [((2 * k - 1) * x * value - (k - 1) * before) / k, value];
      slope = (n * (x * value - before)) / (x * x - 1);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-16) break;
    }
    points[i] = (1 + x) / 2;
    weights[i] = 1 / ((1 - x * x) * slope * slope);
  }
  const rule = { points, weights };
  known.set(n, rule);
  return rule;
}
