import { noGrad } from "../autograd/modes.ts";
import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { ops } from "../dispatch/operators.ts";
import * as functions from "../dispatch/ops.gen.ts";
import { refuseOthers } from "../dispatch/optionNames.ts";
import { tensor } from "../functions/creation.ts";

/**
 * Scales all gradients so that their common norm is at most `maxNorm` (Pascanu et al. 2013). Returns the norm before, as a tensor:
 * nothing waits for the device.
 */
export function clipGradNorm_(
  parameters: Iterable<Tensor>,
  maxNorm: number,
  options: { normType?: number } = {},
): Tensor {
  const { normType = 2, ...others } = options;
  refuseOthers("clipGradNorm_", others, "normType");
  if (!(maxNorm >= 0)) throw new RangeError(`clipGradNorm_: the norm must not be negative, got ${maxNorm}`);
  const clip = () => {
    const gradients = [...parameters].map((value) => value.grad).filter((gradient) => gradient !== null);
    if (gradients.length === 0) return tensor(0);
    const norms = ops.aten._foreach_norm(gradients, normType) as Tensor[];
    const total = functions.linalgVectorNorm(functions.stack(norms), normType);
    const factor = total.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
    ops.aten._foreach_mul_(gradients, factor);
    return total;
  };
  return noGrad(() => tidy(clip));
}

/** Clamps every element of the gradients to [-clipValue, clipValue]. */
export function clipGradValue_(parameters: Iterable<Tensor>, clipValue: number): void {
  noGrad(() => {
    for (const value of parameters) {
      using gradient = value.grad;
      gradient?.clamp_(-clipValue, clipValue);
    }
  });
}
