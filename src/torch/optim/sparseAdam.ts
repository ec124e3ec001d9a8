import { isComplexDtype } from "../core/dtype.ts";
import type { Tensor } from "../core/tensor.ts";
import { TorchError } from "../native/errors.ts";
import { countSteps } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import type { OptimizerState } from "./optimizerState.ts";
import { withDefaults } from "./settings.ts";
import { denseValues, likeSparse, sparseParts } from "./sparseGradients.ts";

export interface SparseAdamOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type SparseAdamSettings = Required<SparseAdamOptions>;

/**
 * Adam for sparse gradients, such as those of `new nn.Embedding(n, d, { sparse: true })`: only the rows that
 * occur in the batch change, and their averages. Use it for these parameters and another optimizer for the
 * rest.
 * @throws RangeError for a rate or eps that is not above 0, or betas outside [0, 1); TypeError for sparse or
 * complex parameters. `step` refuses dense gradients by a TorchError.
 * @example const optimizer = new torch.optim.SparseAdam(embedding.parameters(), { lr: 0.01 });
 */
export class SparseAdam extends Optimizer<SparseAdamSettings> {
  protected override readonly takesSparse: boolean = true;

  constructor(params: Params<SparseAdamOptions>, options: SparseAdamOptions = {}) {
    const defaults = withDefaults<SparseAdamSettings>("SparseAdam", options, {
      lr: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "eps"] });
    for (const key of ["lr", "eps"] as const)
      if (defaults[key] === 0) throw new RangeError(`SparseAdam: ${key} must be above 0, got 0`);
    for (const param of this.paramGroups.flatMap((group) => group.params))
      if (param.isSparse || isComplexDtype(param.dtype))
        throw new TypeError(
          `SparseAdam: parameters must be dense and real, got ${param.dtype} [${param.shape.join(", ")}], ${param.layout}`,
        );
  }

  protected stepGroup(group: ParameterGroup<SparseAdamSettings>): void {
    const { params, grads } = this.withGradients(group);
    if (grads.some((gradient) => !gradient.isSparse))
      throw new TorchError("SparseAdam: a gradient is dense; use Adam for such parameters", "type");
    if (params.length === 0) return;
    const { lr, betas, eps, maximize } = group;
    const counts = countSteps(this.stepsOf(params));
    const averages = this.statesOf(params, "exp_avg");
    const squares = this.statesOf(params, "exp_avg_sq");
    params.forEach((param, i) => {
      // The step is not linear: each row once.
      const gradient = (maximize ? grads[i].neg() : grads[i]).coalesce();
      const { values } = sparseParts(gradient);
      if (values.numel === 0) return;
      /** Moves the rows of a running average towards new values, and gives the rows. */
      const moved = (average: Tensor, towards: Tensor, beta: number): Tensor => {
        const before = denseValues(average, gradient);
        const change = towards.sub(before).mul_(1 - beta);
        average.add_(likeSparse(gradient, change));
        return change.add_(before);
      };
      const mean = moved(averages[i], values, betas[0]);
      const deviation = moved(squares[i], values.square(), betas[1]).sqrt_().add_(eps);
      const rate = (lr * Math.sqrt(1 - betas[1] ** counts[i])) / (1 - betas[0] ** counts[i]);
      param.add_(likeSparse(gradient, mean.div_(deviation).mul(-rate)));
    });
  }

  /** As `Optimizer.stateDict`; counts of steps are numbers, as PyTorch keeps them here. */
  override stateDict(): OptimizerState {
    const { state, param_groups } = super.stateDict();
    const plain = [...state].map(([number, own]): [number, typeof own] => {
      const step = own.get("step") as Tensor;
      return [number, new Map([...own]).set("step", step.item())];
    });
    return { state: new Map(plain), param_groups };
  }
}
