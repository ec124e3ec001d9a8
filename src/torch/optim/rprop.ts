import { ops } from "../dispatch/operators.ts";
import { full } from "../functions/creation.ts";
import { turned } from "./lists.ts";
import { Optimizer, type ParameterGroup, type Params } from "./optimizer.ts";
import { withDefaults } from "./settings.ts";

export interface RpropOptions {
  /** The first step of every weight. */
  lr?: number;
  /** What a step is multiplied with where the gradient's sign has changed, and where it has not. */
  etas?: readonly [number, number];
  /** The smallest and the largest step. */
  stepSizes?: readonly [number, number];
  /** Go up instead of down. */
  maximize?: boolean;
}

export type RpropSettings = Required<RpropOptions>;

/**
 * Resilient backpropagation (Riedmiller and Braun 1993): each weight has a step of its own, and of the
 * gradient only the sign counts. For gradients of all data, not of batches.
 * @throws RangeError for a negative rate, or etas that are not below and above 1.
 * @example const optimizer = new torch.optim.Rprop(model.parameters(), { lr: 1e-2 });
 */
export class Rprop extends Optimizer<RpropSettings> {
  constructor(params: Params<RpropOptions>, options: RpropOptions = {}) {
    const defaults = withDefaults<RpropSettings>("Rprop", options, {
      lr: 0.01,
      etas: [0.5, 1.2],
      stepSizes: [1e-6, 50],
      maximize: false,
    });
    super(params, defaults);
  }

  override addParamGroup(group: Parameters<Optimizer<RpropSettings>["addParamGroup"]>[0]): void {
    const [less, more] = group.etas ?? this.defaults.etas;
    if (!(less > 0 && less < 1 && more > 1))
      throw new RangeError(`Rprop: etas must be one in (0, 1) and one above 1, got ${less} and ${more}`);
    super.addParamGroup(group);
  }

  protected stepGroup(group: ParameterGroup<RpropSettings>): void {
    const { params, grads } = this.withGradients(group);
    const [less, more] = group.etas;
    const [smallest, largest] = group.stepSizes;
    if (params.length === 0) return;
    ops.aten._foreach_add_(this.stepsOf(params), 1);
    const before = this.statesOf(params, "prev");
    turned(grads, group).forEach((gradient, i) => {
      const param = params[i];
      const size = this.stateOf(param, "step_size", () => {
        const { dtype, device } = param;
        return full(param.shape, group.lr, { dtype, device });
      });
      const product = gradient.mul(before[i]);
      const hasTurned = product.lt(0);
      const factor = product.sign().maskedFill_(product.gt(0), more).maskedFill_(hasTurned, less);
      size.mul_(factor.maskedFill_(product.eq(0), 1)).clamp_(smallest, largest);
      const used = gradient.maskedFill(hasTurned, 0);
      param.addcmul_(used.sign(), size, { value: -1 });
      before[i].copy_(used);
    });
  }
}
