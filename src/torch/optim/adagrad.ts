import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { countSteps, usedGradients, zerosAs } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";
import { denseValues, likeSparse, refuseSparse, sparseParts } from "./sparseGradients.ts";

export interface AdagradOptions {
  lr?: number;
  /** The rate of step n is lr / (1 + (n - 1) lrDecay). */
  lrDecay?: number;
  weightDecay?: number;
  /** What the sums of squares begin with. */
  initialAccumulatorValue?: number;
  eps?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type AdagradSettings = Required<AdagradOptions>;

/**
 * Gradients divided by the root of the sum of all their squares so far (Duchi et al. 2011).
 * @throws RangeError for a negative number among the settings.
 * @example const optimizer = new torch.optim.Adagrad(model.parameters(), { lr: 0.1 });
 */
export class Adagrad extends Optimizer<AdagradSettings> {
  protected override readonly takesSparse: boolean = true;

  constructor(params: Params<AdagradOptions>, options: AdagradOptions = {}) {
    const defaults = withDefaults<AdagradSettings>("Adagrad", options, {
      lr: 0.01,
      lrDecay: 0,
      weightDecay: 0,
      initialAccumulatorValue: 0,
      eps: 1e-10,
      maximize: false,
    });
    super(params, defaults, {
      atLeastZero: ["lr", "lrDecay", "weightDecay", "initialAccumulatorValue", "eps"],
    });
  }

  protected stepGroup(group: ParameterGroup<AdagradSettings>): void {
    const { params, grads: given } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, lrDecay, eps } = group;
    const aten = ops.aten;
    if (group.weightDecay !== 0) refuseSparse("Adagrad", "weightDecay", given);
    const all = usedGradients(given, params, group);
    const counts = countSteps(this.stepsOf(params));
    // As in PyTorch the sums of all groups begin with the optimizer's own value.
    const first = this.defaults.initialAccumulatorValue;
    const everySum = params.map((param) => this.stateOf(param, "sum", () => zerosAs(param).fill_(first)));
    const rates = counts.map((count) => lr / (1 + (count - 1) * lrDecay));
    const dense = all.flatMap((gradient, i) => (gradient.isSparse ? [] : [i]));
    const of = <Item>(items: readonly Item[]) => dense.map((i) => items[i]);
    all.forEach((gradient, i) => {
      if (gradient.isSparse) stepRows(params[i], everySum[i], gradient, { eps, rate: rates[i] });
    });
    if (dense.length === 0) return;
    const [grads, sums] = [of(all), of(everySum)];
    aten._foreach_addcmul_(sums, grads, grads, 1);
    const roots = aten._foreach_sqrt(sums) as Tensor[];
    aten._foreach_add_(roots, eps);
    aten._foreach_addcdiv_(
      of(params),
      grads,
      roots,
      of(rates).map((rate) => -rate),
    );
  }
}

/** One step of the rows that occur in a sparse gradient. */
function stepRows(
  param: Tensor,
  sum: Tensor,
  sparse: Tensor,
  { eps, rate }: { eps: number; rate: number },
): void {
  // The step is not linear: each row once.
  const gradient = sparse.coalesce();
  const { values } = sparseParts(gradient);
  sum.add_(likeSparse(gradient, values.square()));
  const roots = denseValues(sum, gradient).sqrt_().add_(eps);
  param.add_(likeSparse(gradient, values.div(roots)), { alpha: -rate });
}
