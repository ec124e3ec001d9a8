import { kernelContributions } from "./kernelContributions.ts";
import type { KernelName } from "./kernelName.ts";
import { KernelSum, multiply } from "./kernels.ts";
import { chooseInside, type Learned, type LearnTask } from "./learner.ts";
import { boundNumbers, calibrated, scoreTargets, sharesOf } from "./scores.ts";

const costs = [0.1, 0.3, 1, 3, 10, 30] as const;
const mostPasses = 200;
/** A pass that changes no coefficient by more than this share of the cost is the last one. */
const tolerance = 1e-3;

/**
 * Support vectors (Vapnik 1995) with a sum of kernels, by dual coordinate descent (Ho and Lin 2012;
 * Hsieh et al. 2008) without a bias, as kernels and numbers are centred: regression counts errors by
 * their size, classification has a hinge loss for each class against the rest. The cost of an error is
 * chosen by the inner folds.
 */
export function supportVectors(task: LearnTask, names: readonly KernelName[]): Learned {
  const { study, target, train } = task;
  const settings = costs.map((cost) => ({ cost }));
  const solve = (own: Int32Array, kernel: KernelSum, wanted: readonly { cost: number }[]) => {
    const { y, offsets } = scoreTargets(target, own);
    const n = own.length;
    if (target.kind === "numbers") {
      const spread = y.reduce((sum, value) => sum + Math.abs(value), 0) / n || 1;
      return wanted.map(({ cost }) => ({
        alpha: descend(kernel.gram, y, n, -cost * spread, cost * spread, 0),
        offsets,
      }));
    }
    const k = target.classes.length;
    const shares = sharesOf(target, own);
    const signs = Array.from({ length: k }, (_, c) =>
      Float64Array.from(own, (sample) => (target.values[sample] === c ? 1 : -1)),
    );
    return wanted.map(({ cost }) => {
      const alpha = new Float64Array(n * k);
      signs.forEach((sign, c) => {
        const own = descendHinge(kernel.gram, sign, 2 * shares[c] - 1, n, cost);
        for (let i = 0; i < n; i++) alpha[i * k + c] = own[i];
      });
      return { alpha, offsets };
    });
  };
  return calibrated(task, {
    choose: (finish) =>
      chooseInside(task, settings, (own, test) => {
        const kernel = new KernelSum(study, names, own);
        const block = kernel.against(test);
        return solve(own, kernel, settings).map(({ alpha, offsets }) =>
          finish(multiply(block, alpha, test.length, own.length, offsets), own),
        );
      }),
    final: (setting) => {
      const kernel = new KernelSum(study, names, train);
      const [{ alpha, offsets }] = solve(train, kernel, [setting]);
      const bound = target.kind === "numbers" ? boundNumbers(target, train) : null;
      const finish = bound && ((score: number) => bound(Float64Array.of(score))[0]);
      return {
        explain: kernelContributions(task, names, { kernel, alpha, offsets }, finish) ?? undefined,
        scoresFor: (samples) =>
          multiply(kernel.against(samples), alpha, samples.length, train.length, offsets),
      };
    },
  });
}

/** min over -limit <= a <= limit of a'Ka / 2 - y'a. */
function descend(
  gram: Float64Array,
  y: Float64Array,
  n: number,
  low: number,
  high: number,
  start: number,
): Float64Array {
  const alpha = new Float64Array(n).fill(start);
  const fitted = new Float64Array(n);
  for (let pass = 0; pass < mostPasses; pass++) {
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const curvature = gram[i * n + i];
      if (curvature <= 0) continue;
      const next = Math.min(high, Math.max(low, alpha[i] + (y[i] - fitted[i]) / curvature));
      const change = next - alpha[i];
      if (change === 0) continue;
      largest = Math.max(largest, Math.abs(change));
      alpha[i] = next;
      const row = i * n;
      for (let j = 0; j < n; j++) fitted[j] += change * gram[row + j];
    }
    if (largest < tolerance * high) break;
  }
  return alpha;
}

/** Coefficients s a of min over 0 <= a <= cost of |sum a s phi|² / 2 - sum a (1 - s offset). */
function descendHinge(
  gram: Float64Array,
  sign: Float64Array,
  offset: number,
  n: number,
  cost: number,
): Float64Array {
  const alpha = new Float64Array(n);
  const fitted = new Float64Array(n).fill(offset);
  for (let pass = 0; pass < mostPasses; pass++) {
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const curvature = gram[i * n + i];
      if (curvature <= 0) continue;
      const next = Math.min(cost, Math.max(0, alpha[i] + (1 - sign[i] * fitted[i]) / curvature));
      const change = (next - alpha[i]) * sign[i];
      if (change === 0) continue;
      largest = Math.max(largest, Math.abs(change));
      alpha[i] = next;
      const row = i * n;
      for (let j = 0; j < n; j++) fitted[j] += change * gram[row + j];
    }
    if (largest < tolerance * cost) break;
  }
  return alpha.map((value, i) => value * sign[i]);
}
