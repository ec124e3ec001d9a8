import * as torch from "../../torch/index.ts";
import { kernelContributions } from "./kernelContributions.ts";
import type { KernelName } from "./kernelName.ts";
import { KernelSum, multiply } from "./kernels.ts";
import { chooseInside, type Learned, type LearnTarget, type LearnTask } from "./learner.ts";
import { boundNumbers, calibrated, type Finish, scoreTargets } from "./scores.ts";

/** Penalties that are tried, in units of the kernel's mean diagonal. */
const penalties = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10] as const;
/** Powers of numbers that are learned in their place: errors that grow with the number grow less there. */
const powers = [1, 0.75, 0.5] as const;
/** Covariance of the errors of two samples of a group, in units of their variance beside it. */
const covariances = [0, 0.3] as const;
/** Rounds of reweighing; the weights hardly change after these. */
const rounds = 5;

/** What the inner folds choose of a ridge regression. */
export type RidgeSetting = {
  readonly penalty: number;
  /** 1 where large errors count by their size, 0 by their square. */
  readonly robust: number;
  readonly power: number;
  /** Covariance of errors within a group: what its samples have in common is not learned from each anew. */
  readonly shared: number;
};

/** Ridge regression on which ASVs are present: an effect of each ASV, added up. */
export function ridge(task: LearnTask): Learned {
  return kernelRidge(task, ["presence"]);
}

/**
 * Kernel ridge regression (Saunders, Gammerman and Vovk 1998) with a sum of kernels. The inner folds choose
 * the penalty, for numbers also the power that is learned (Box and Cox 1964) and whether large errors count
 * by their size or their square (Huber 1964), and with groups whether errors are alike within a group (a
 * random offset of each: Henderson 1975). Classes are learned as a score each; probabilities are calibrated
 * on the inner folds.
 */
export function kernelRidge(task: LearnTask, names: readonly KernelName[]): Learned {
  const { target, train, groupOf } = task;
  const isNumber = target.kind === "numbers";
  const isPositive = isNumber && train.every((sample) => target.values[sample] >= 0);
  const predict = (own: Int32Array, samples: Int32Array, wanted: readonly RidgeSetting[]) => {
    const fits = new RidgeFits(task, names, own);
    const block = fits.kernel.against(samples);
    return wanted.map((setting) => {
      const { alpha, offsets } = fits.solve(setting);
      return fromPower(multiply(block, alpha, samples.length, own.length, offsets), setting.power);
    });
  };
  const choose = (settings: readonly RidgeSetting[], finish: Finish) =>
    chooseInside(task, settings, (own, test) =>
      predict(own, test, settings).map((scores) => finish(scores, own)),
    );
  return calibrated(task, {
    choose: (finish) => {
      const plain = (isPositive ? powers : [1]).flatMap((power) =>
        penalties.map((penalty) => ({ penalty, robust: 0, power, shared: 0 })),
      );
      const { power } = choose(plain, finish).setting;
      const settings = (isNumber ? [0, 1] : [0]).flatMap((robust) =>
        (groupOf ? covariances : [0]).flatMap((shared) =>
          penalties.map((penalty) => ({ penalty, robust, power, shared })),
        ),
      );
      return choose(settings, finish);
    },
    final: (setting) => {
      const fits = new RidgeFits(task, names, train);
      const fit = { kernel: fits.kernel, ...fits.solve(setting) };
      const bound = isNumber ? boundNumbers(target, train) : null;
      const finish = bound && ((score: number) => bound(fromPower(Float64Array.of(score), setting.power))[0]);
      return {
        explain: kernelContributions(task, names, fit, finish) ?? undefined,
        scoresFor: (samples) =>
          fromPower(
            multiply(fit.kernel.against(samples), fit.alpha, samples.length, train.length, fit.offsets),
            setting.power,
          ),
      };
    },
  });
}

/** Numbers of which a power was predicted; what is below 0 is taken for 0 where it has no root. */
export function fromPower(values: Float64Array, power: number): Float64Array {
  return power === 1 ? values : values.map((value) => Math.max(0, value) ** (1 / power));
}

/** Ridge regressions on the same samples with the same kernels. */
export class RidgeFits {
  readonly kernel: KernelSum;
  readonly #target: LearnTarget;
  readonly #train: Int32Array;
  /** 1 for two samples of one group [train, train]. */
  readonly #sameGroup: Float64Array | null;

  constructor(
    { study, target, groupOf }: Pick<LearnTask, "study" | "target" | "groupOf">,
    names: readonly KernelName[],
    train: Int32Array,
  ) {
    this.kernel = new KernelSum(study, names, train);
    this.#target = target;
    this.#train = train;
    const n = train.length;
    this.#sameGroup = groupOf && new Float64Array(n * n);
    if (this.#sameGroup)
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++)
          if (groupOf![train[i]] === groupOf![train[j]]) this.#sameGroup[i * n + j] = 1;
  }

  /**
   * Coefficients [train, k] of (K + penalty C) a = y, where C = I + shared * (same group) is the covariance
   * of errors; with `robust`, it is scaled up for samples of large errors as Huber's loss does.
   */
  solve({ penalty, robust, power, shared }: RidgeSetting): { alpha: Float64Array; offsets: Float64Array } {
    const n = this.#train.length;
    const { y, offsets } = scoreTargets(this.#target, this.#train, power);
    const solved = torch.tidy(() => {
      const gram = torch.tensor(this.kernel.gram, { shape: [n, n] });
      const right = torch.tensor(y, { shape: [n, y.length / n] });
      let covariance = torch.eye(n, { dtype: "float64" });
      if (shared > 0 && this.#sameGroup)
        covariance = covariance.add(torch.tensor(this.#sameGroup, { shape: [n, n] }).mul(shared));
      const solve = (errors: torch.Tensor) => {
        const system = gram.add(errors.mul(penalty));
        const [factor, failed] = torch.ops.aten.linalg_cholesky_ex(system) as [torch.Tensor, torch.Tensor];
        // 1 - distance need not be a kernel for every metric, and then the system need
        // not be positive definite.
        return failed.item() === 0 ? torch.choleskySolve(right, factor) : torch.linalg.solve(system, right);
      };
      let alpha = solve(covariance);
      for (let round = 0; robust === 1 && round < rounds; round++) {
        const errors = right.sub(gram.matmul(alpha)).select(1, 0).abs();
        const scale = Math.max(errors.median().item() * 1.345 * 1.4826, 1e-9);
        // 1 / square root of the weight: 1 up to the scale, then the weight falls with the error.
        const spread = errors.div(scale).clampMin(1).sqrt();
        alpha = solve(covariance.mul(spread.unsqueeze(0)).mul(spread.unsqueeze(1)));
      }
      return alpha.toFloat64Array();
    });
    return { alpha: solved, offsets };
  }
}
