import type { Tensor } from "../core/tensor.ts";
import { linalgVectorNorm } from "../dispatch/ops.gen.ts";
import { zeros } from "../functions/creation.ts";
import { finfo } from "../functions/dtypeInfo.ts";
import { countSteps, turned } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface AdafactorOptions {
  lr?: number;
  /** The power with which the share of new squares falls; not above 0. */
  beta2Decay?: number;
  /** The least of squared gradients (null: the dtype's eps) and of a parameter's size. */
  eps?: readonly [number | null, number];
  /** Updates whose root mean square is above this are made smaller; at least 1. */
  d?: number;
  weightDecay?: number;
  /** Go up instead of down. */
  maximize?: boolean;
}

export type AdafactorSettings = Required<AdafactorOptions>;

const norm = (values: Tensor): number => linalgVectorNorm(values, 2).item();
/** The mean squares along a dimension, which stays with size 1. */
const meanSquares = (values: Tensor, dim: number): Tensor =>
  linalgVectorNorm(values, 2, [dim], true).square_().div_(values.size(dim));

/**
 * Adam whose averaged squares of a matrix are kept as one row and one column (Shazeer and Stern 2018): little
 * memory for large models. As in PyTorch, without the first moment.
 * @throws RangeError for settings outside their ranges.
 * @example const optimizer = new torch.optim.Adafactor(model.parameters(), { lr: 1e-2 });
 */
export class Adafactor extends Optimizer<AdafactorSettings> {
  constructor(params: Params<AdafactorOptions>, options: AdafactorOptions = {}) {
    const defaults = withDefaults<AdafactorSettings>("Adafactor", options, {
      lr: 0.01,
      beta2Decay: -0.8,
      eps: [null, 1e-3],
      d: 1,
      weightDecay: 0,
      maximize: false,
    });
    super(params, defaults, { atLeastZero: ["lr", "weightDecay"] });
  }

  override addParamGroup(group: Parameters<Optimizer<AdafactorSettings>["addParamGroup"]>[0]): void {
    const { beta2Decay, eps, d } = { ...this.defaults, ...group };
    if (!(beta2Decay <= 0))
      throw new RangeError(`Adafactor: beta2Decay must not be above 0, got ${beta2Decay}`);
    if (!((eps[0] ?? 0) >= 0 && eps[1] >= 0))
      throw new RangeError(`Adafactor: eps must not be negative, got ${eps.join(" and ")}`);
    if (!(d >= 1)) throw new RangeError(`Adafactor: d must be at least 1, got ${d}`);
    super.addParamGroup(group);
  }

  protected override stateShape(key: string, param: Tensor): readonly number[] | null {
    const { shape } = param;
    if (key === "row_var") return [...shape.slice(0, -1), 1];
    if (key === "col_var") return [...shape.slice(0, -2), 1, ...shape.slice(-1)];
    return super.stateShape(key, param);
  }

  protected stepGroup(group: ParameterGroup<AdafactorSettings>): void {
    const { params, grads } = this.withGradients(group);
    if (params.length === 0) return;
    const { lr, beta2Decay, d, weightDecay } = group;
    const counts = countSteps(this.stepsOf(params));
    turned(grads, group).forEach((gradient, i) => {
      const param = params[i];
      const least = group.eps[0] ?? finfo(param.dtype).eps;
      const size = Math.sqrt(param.numel);
      const rate = Math.max(group.eps[1], norm(param) / size) * Math.min(lr, 1 / Math.sqrt(counts[i]));
      if (weightDecay !== 0) param.mul_(1 - lr * weightDecay);
      const squares = this.#squares(param, gradient, counts[i] ** beta2Decay, least);
      const update = squares
        .clamp_(least * least)
        .rsqrt_()
        .mul_(gradient);
      param.add_(update, { alpha: -rate / Math.max(1, norm(update) / (size * d)) });
    });
  }

  /** An estimate of the averaged squares of gradients, new squares with the given share. */
  #squares(param: Tensor, gradient: Tensor, share: number, least: number): Tensor {
    const state = (name: string) =>
      this.stateOf(param, name, () => {
        const { dtype, device } = gradient;
        return zeros(this.stateShape(name, param) ?? [], { dtype, device });
      });
    if (gradient.ndim < 2) return state("variance").lerp_(gradient.square(), share).clone();
    const rows = state("row_var").lerp_(meanSquares(gradient, -1), share);
    const columns = state("col_var").lerp_(meanSquares(gradient, -2), share);
    return rows.matmul(columns).div_(rows.mean([-2], true).clamp_(least));
  }
}
