import * as torch from "../../torch/index.ts";
import { KernelSum } from "./kernels.ts";
import { chooseInside, type Learned, type LearnTask } from "./learner.ts";
import { calibrated, scoreTargets } from "./scores.ts";
import type { KernelName } from "./study.ts";

/** Penalties that are tried, in units of the kernel's mean diagonal. */
const penalties = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10] as const;
/** Rounds of reweighing; the weights hardly change after these. */
const rounds = 5;

/** Ridge regression on which ASVs are present: an effect of each ASV, added up. */
export function ridge(task: LearnTask): Learned {
  return kernelRidge(task, ["presence"]);
}

/**
 * Kernel ridge regression (Saunders, Gammerman and Vovk 1998) with a sum of kernels; the penalty and, for
 * numbers, whether large errors count by their size or their square (Huber 1964) are chosen by the inner
 * folds. Classes are learned as a score each; probabilities are calibrated on the inner folds.
 */
export function kernelRidge(task: LearnTask, names: readonly KernelName[]): Learned {
  const { study, target, train } = task;
  const robust = target.kind === "numbers" ? [0, 1] : [0];
  const settings = robust.flatMap((flag) => penalties.map((penalty) => ({ penalty, robust: flag })));
  const fit = (own: Int32Array, wanted: readonly { penalty: number; robust: number }[]) => {
    const kernel = new KernelSum(study, names, own);
    const { y, offsets } = scoreTargets(target, own);
    const solved = wanted.map((one) => solveRidge(kernel.gram, y, own.length, one.penalty, one.robust === 1));
    return (samples: Int32Array) => {
      const block = kernel.against(samples);
      return solved.map((alpha) => multiply(block, alpha, samples.length, own.length, offsets));
    };
  };
  return calibrated(task, {
    choose: (finish) =>
      chooseInside(task, settings, (own, test) =>
        fit(own, settings)(test).map((scores) => finish(scores, own)),
      ),
    final: (setting) => {
      const scores = fit(train, [setting]);
      return (samples) => scores(samples)[0];
    },
  });
}

/**
 * Coefficients [n, k] of (K + penalty W^-1) a = y; with `robust`, W weighs large errors
 * down as Huber's loss does.
 */
export function solveRidge(
  gram: Float64Array,
  y: Float64Array,
  n: number,
  penalty: number,
  robust: boolean,
): Float64Array {
  return torch.tidy(() => {
    const k = y.length / n;
    const kernel = torch.tensor(gram, { shape: [n, n] });
    const right = torch.tensor(y, { shape: [n, k] });
    const solve = (diagonal: torch.Tensor) => {
      const system = kernel.add(diagonal.diagEmbed());
      const [factor, failed] = torch.ops.aten.linalg_cholesky_ex(system) as [torch.Tensor, torch.Tensor];
      // 1 - distance need not be a kernel for every metric, and then the system need
      // not be positive definite.
      return failed.item() === 0 ? torch.choleskySolve(right, factor) : torch.linalg.solve(system, right);
    };
    let alpha = solve(torch.full([n], penalty, { dtype: "float64" }));
    if (!robust) return alpha.toFloat64Array();
    for (let round = 0; round < rounds; round++) {
      const errors = right.sub(kernel.matmul(alpha)).select(1, 0).abs();
      const scale = Math.max(errors.median().item() * 1.345 * 1.4826, 1e-9);
      // 1 / weight: 1 up to the scale, then in proportion to the error.
      alpha = solve(errors.div(scale).clampMin(1).mul(penalty));
    }
    return alpha.toFloat64Array();
  });
}

/** Scores [rows, k] = block [rows, n] times coefficients [n, k], plus an offset for each. */
export function multiply(
  block: Float64Array,
  alpha: Float64Array,
  rows: number,
  n: number,
  offsets: Float64Array,
): Float64Array {
  return torch.tidy(() => {
    const scores = torch
      .tensor(block, { shape: [rows, n] })
      .matmul(torch.tensor(alpha, { shape: [n, alpha.length / n] }))
      .add(torch.tensor(offsets));
    return scores.toFloat64Array();
  });
}
