import type { Pcg64 } from "./pcg64.ts";

/**
 * How often an event of probability `p` happens in `n` trials, drawn as NumPy's `Generator.binomial` draws
 * it: by inversion where the mean is at most 30, else by BTPE (Kachitvichyanukul and Schmeiser 1988).
 */
export function binomial(random: Pcg64, n: number, p: number): number {
  if (n === 0 || p === 0) return 0;
  const rarer = p <= 0.5 ? p : 1 - p;
  const count = rarer * n <= 30 ? byInversion(random, n, rarer) : byBtpe(random, n, rarer);
  return p <= 0.5 ? count : n - count;
}

/**
 * How `n` draws fall into categories of the given probabilities (their sum is 1), as NumPy's
 * `Generator.multinomial`: one binomial draw after another, the last category takes the rest.
 * Writes the counts to `counts`.
 */
export function multinomial(random: Pcg64, n: number, p: Float64Array, counts: Float64Array): void {
  counts.fill(0);
  let left = n;
  let remaining = 1;
  for (let i = 0; i < p.length - 1 && left > 0; i++) {
    counts[i] = binomial(random, left, p[i] / remaining);
    left -= counts[i];
    remaining -= p[i];
  }
  if (left > 0) counts[p.length - 1] = left;
}

function byInversion(random: Pcg64, n: number, p: number): number {
  const q = 1 - p;
  const ofNone = Math.exp(n * Math.log(q));
  const mean = n * p;
  const bound = Math.floor(Math.min(n, mean + 10 * Math.sqrt(mean * q + 1)));
  let count = 0;
  let density = ofNone;
  let left = random.double();
  while (left > density) {
    count++;
    if (count > bound) {
      count = 0;
      density = ofNone;
      left = random.double();
    } else {
      left -= density;
      density = ((n - count + 1) * p * density) / (count * q);
    }
  }
  return count;
}

/**
 * Rejection from a hat of four parts: a triangle in the middle, two parallelograms beside it and two
 * exponential tails. The names are the paper's.
 */
function byBtpe(random: Pcg64, n: number, r: number): number {
  const q = 1 - r;
  const fm = n * r + r;
  const m = Math.floor(fm);
  const p1 = Math.floor(2.195 * Math.sqrt(n * r * q) - 4.6 * q) + 0.5;
  const xm = m + 0.5;
  const xl = xm - p1;
  const xr = xm + p1;
  const c = 0.134 + 20.5 / (15.3 + m);
  const left = (fm - xl) / (fm - xl * r);
  const lambdaLeft = left * (1 + left / 2);
  const right = (xr - fm) / (xr * q);
  const lambdaRight = right * (1 + right / 2);
  const p2 = p1 * (1 + 2 * c);
  const p3 = p2 + c / lambdaLeft;
  const p4 = p3 + c / lambdaRight;
  for (;;) {
    const u = random.double() * p4;
    let v = random.double();
    if (u <= p1) return Math.floor(xm - p1 * v + u);
    let y: number;
    if (u <= p2) {
      const x = xl + (u - p1) / c;
      v = v * c + 1 - Math.abs(m - x + 0.5) / p1;
      if (v > 1) continue;
      y = Math.floor(x);
    } else if (u <= p3) {
      y = Math.floor(xl + Math.log(v) / lambdaLeft);
      if (y < 0 || v === 0) continue;
      v = v * (u - p2) * lambdaLeft;
    } else {
      y = Math.floor(xr - Math.log(v) / lambdaRight);
      if (y > n || v === 0) continue;
      v = v * (u - p3) * lambdaRight;
    }
    if (accepts(n, r, m, y, v)) return y;
  }
}

/** Whether `v` lies below the density at `y` relative to that at the mode `m`. */
function accepts(n: number, r: number, m: number, y: number, v: number): boolean {
  const q = 1 - r;
  const variance = n * r * q;
  const k = Math.abs(y - m);
  if (k <= 20 || k >= variance / 2 - 1) {
    const s = r / q;
    const a = s * (n + 1);
    let density = 1;
    for (let i = m + 1; i <= y; i++) density *= a / i - s;
    for (let i = y + 1; i <= m; i++) density /= a / i - s;
    return v <= density;
  }
  const logV = Math.log(v);
  const rho = (k / variance) * ((k * (k / 3 + 0.625) + 0.16666666666666666) / variance + 0.5);
  const t = (-k * k) / (2 * variance);
  if (logV < t - rho) return true;
  if (logV > t + rho) return false;
  const x1 = y + 1;
  const f1 = m + 1;
  const z = n + 1 - m;
  const w = n - y + 1;
  const bound =
    (m + 0.5) * Math.log(f1 / x1) +
    (n - m + 0.5) * Math.log(z / w) +
    (y - m) * Math.log((w * r) / (x1 * q)) +
    stirlingCorrection(f1) +
    stirlingCorrection(z) +
    stirlingCorrection(x1) +
    stirlingCorrection(w);
  return logV <= bound;
}

function stirlingCorrection(x: number): number {
  const square = x * x;
  return (13680 - (462 - (132 - (99 - 140 / square) / square) / square) / square) / x / 166320;
}
