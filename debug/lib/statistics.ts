import { quantile } from "../../src/display/plots/rows.ts";
import * as torch from "../../src/torch/index.ts";

export interface Summary {
  readonly n: number;
  readonly mean: number;
  /** Population form. */
  readonly sd: number;
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
}

/** Of the finite values. */
export function summarize(values: ArrayLike<number>): Summary {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  const n = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / n;
  const sd = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  const at = (share: number) => (n === 0 ? Number.NaN : quantile(sorted, share));
  return { n, mean, sd, min: at(0), q1: at(0.25), median: at(0.5), q3: at(0.75), max: at(1) };
}

/** The share of values that `test` is true for; 0 of none. */
export function shareOf(values: ArrayLike<number>, test: (value: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (test(values[i])) count++;
  return values.length === 0 ? 0 : count / values.length;
}

/** How near to a boundary is at it, as in the history's figures. */
export const boundaryWidth = 0.01;

/** Shares within 0.01 of 0 and of 1, as the history counts them. */
export function boundaryShares(values: ArrayLike<number>): { zero: number; one: number; both: number } {
  const zero = shareOf(values, (value) => Math.abs(value) < boundaryWidth);
  const one = shareOf(values, (value) => Math.abs(value - 1) < boundaryWidth);
  return { zero, one, both: zero + one };
}

/**
 * How many directions embeddings [N, D] use: exp of the entropy of the singular values of the centred matrix
 * (Roy and Vetterli 2007). 1 on a line, 0 where all are equal.
 */
export function effectiveRank(embeddings: torch.Tensor): number {
  return torch.tidy(() => {
    const centred = embeddings.to("float64").sub(embeddings.to("float64").mean(0, true));
    const squares = centred.t().matmul(centred);
    const [values] = torch.linalgEigh(squares);
    const singular = Array.from(values.toFloat64Array(), (value) => Math.sqrt(Math.max(value, 0)));
    const total = singular.reduce((sum, value) => sum + value, 0);
    if (!(total > 0)) return 0;
    const entropy = singular.reduce((sum, value) => {
      const share = value / total;
      return share > 0 ? sum - share * Math.log(share) : sum;
    }, 0);
    return Math.exp(entropy);
  });
}

/** The strict upper triangle of a row-major [n, n] matrix, in rows. */
export function upperTriangle(matrix: ArrayLike<number>, n: number): Float32Array {
  const values = new Float32Array((n * (n - 1)) / 2);
  let place = 0;
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) values[place++] = matrix[i * n + j];
  return values;
}

/** Pearson's correlation; NaN where one side is constant. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [left, right] = [summarize(a), summarize(b)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - left.mean) * (b[i] - right.mean);
  return sum / a.length / (left.sd * right.sd);
}

export function meanAndError(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}
