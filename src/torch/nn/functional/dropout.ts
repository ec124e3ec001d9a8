/** The kinds of dropout of `torch.nn.functional`. */
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { operator } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { needProbability, refuse, shown } from "./checks.ts";

type Kernel = (input: Tensor, p: number, training: boolean) => Tensor;
const kernel = (name: string): Kernel => operator(`aten::${name}`, [""], name) as unknown as Kernel;
const featureDropoutKernel = kernel("feature_dropout");
const featureAlphaDropoutKernel = kernel("feature_alpha_dropout");

/**
 * Sets elements to zero with probability `p` and scales the others by 1 / (1 - p); nothing
 * where `training` is false.
 */
export function dropout(input: Tensor, p = 0.5, training = true): Tensor {
  needProbability("dropout", p);
  return ops.dropout(input, p, training);
}

/** Drops whole channels; an input of `single` dimensions has no batch. */
function dropChannels(input: Tensor, p: number, training: boolean, single: number): Tensor {
  if (input.ndim !== single) return featureDropoutKernel(input, p, training);
  return tidy(() => featureDropoutKernel(input.unsqueeze(0), p, training).squeeze(0));
}

/** Sets whole channels of [N, C, L] or [C, L] to zero with probability `p`. @throws TorchError for others. */
export function dropout1d(input: Tensor, p = 0.5, training = true): Tensor {
  needProbability("dropout1d", p);
  if (input.ndim !== 2 && input.ndim !== 3)
    refuse("dropout1d", `takes 2 or 3 dimensions, got ${shown(input.shape)}`);
  return dropChannels(input, p, training, 2);
}

/**
 * Sets whole channels of [N, C, H, W] to zero with probability `p`. As in PyTorch the first two dimensions
 * count as batch and channels whatever else there is, so [N, C, L] is taken too.
 */
export function dropout2d(input: Tensor, p = 0.5, training = true): Tensor {
  needProbability("dropout2d", p);
  return featureDropoutKernel(input, p, training);
}

/** Sets whole channels of [N, C, D, H, W] or [C, D, H, W] to zero with probability `p`. */
export function dropout3d(input: Tensor, p = 0.5, training = true): Tensor {
  needProbability("dropout3d", p);
  return dropChannels(input, p, training, 4);
}

/** Dropout for SELU, which keeps mean and variance (Klambauer et al. 2017). */
export function alphaDropout(input: Tensor, p = 0.5, training = false): Tensor {
  needProbability("alphaDropout", p);
  return ops.alphaDropout(input, p, training);
}

/** `alphaDropout` of whole channels [N, C, ...]. */
export function featureAlphaDropout(input: Tensor, p = 0.5, training = false): Tensor {
  needProbability("featureAlphaDropout", p);
  return featureAlphaDropoutKernel(input, p, training);
}
