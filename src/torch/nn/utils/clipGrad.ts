import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops } from "../../dispatch/operators.ts";
import * as functions from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { tensor } from "../../functions/creation.ts";
import { TorchError } from "../../native/errors.ts";

/**
 * Scales all gradients so that their common norm is at most `maxNorm` (Pascanu et al. 2013). Returns the norm
 * before, as a tensor: nothing waits for the device. With `errorIfNonfinite` one that is infinite or not a
 * number is an error (that waits).
 */
export function clipGradNorm_(
  parameters: Iterable<Tensor>,
  maxNorm: number,
  options: { normType?: number; errorIfNonfinite?: boolean } = {},
): Tensor {
  const { normType = 2, errorIfNonfinite = false, ...others } = options;
  refuseOthers("clipGradNorm_", others, "normType, errorIfNonfinite");
  if (!(maxNorm >= 0)) throw new RangeError(`clipGradNorm_: the norm must not be negative, got ${maxNorm}`);
  const clip = () => {
    const gradients = [...parameters].map((value) => value.grad).filter((gradient) => gradient !== null);
    if (gradients.length === 0) return tensor(0);
    const norms = ops.aten._foreach_norm(gradients, normType) as Tensor[];
    const total = functions.linalgVectorNorm(functions.stack(norms), normType);
    if (errorIfNonfinite && !Number.isFinite(total.item()))
      throw new TorchError(`clipGradNorm_: the norm of the gradients is ${total.item()}`, "value");
    const factor = total.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
    ops.aten._foreach_mul_(gradients, factor);
    return total;
  };
  return noGrad(() => tidy(clip));
}

/**
 * Clamps every element of the gradients to [-clipValue, clipValue].
 * @throws RangeError for a negative value.
 */
export function clipGradValue_(parameters: Iterable<Tensor>, clipValue: number): void {
  if (!(clipValue >= 0))
    throw new RangeError(`clipGradValue_: the value must not be negative, got ${clipValue}`);
  noGrad(() => {
    for (const value of parameters) {
      using gradient = value.grad;
      gradient?.clamp_(-clipValue, clipValue);
    }
  });
}
