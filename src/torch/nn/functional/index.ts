/** `torch.nn.functional`. */

import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops as anyOp } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { needSeveralValues, product, refuse, shown } from "./checks.ts";

export * from "./dropout.ts";
export * from "./embedding.ts";
export {
  type FractionalSize,
  fractionalMaxPool2d,
  fractionalMaxPool2dWithIndices,
  fractionalMaxPool3d,
  fractionalMaxPool3dWithIndices,
} from "./fractionalPooling.ts";
export * from "./losses.ts";
export {
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  avgPool3d,
  lpPool1d,
  lpPool2d,
  lpPool3d,
  maxPool1dWithIndices,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  type UnpoolOptions,
} from "./pooling.ts";
export * from "./vision.ts";

/** Scales vectors along a dimension to norm 1. */
export function normalize(input: Tensor, { p = 2, dim = 1, eps = 1e-12, ...others } = {}): Tensor {
  refuseOthers("normalize", others, "p, dim, eps");
  using norm = ops.linalgVectorNorm(input, p, dim, true);
  using bounded = norm.clampMin(eps);
  return input.div(bounded);
}

/** x / (1 + |x|). */
export function softsign(input: Tensor): Tensor {
  using absolute = input.abs();
  using divisor = absolute.add(1);
  return input.div(divisor);
}

/** x - tanh(x). */
export function tanhshrink(input: Tensor): Tensor {
  using bent = input.tanh();
  return input.sub(bent);
}

/** Softmax of -x. */
export function softmin(input: Tensor, dim: number): Tensor {
  using opposite = input.neg();
  return ops.softmax(opposite, dim);
}

/** The distance of vectors along the last dimension: the norm `p` of x1 - x2 + eps. */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  { p = 2, eps = 1e-6, keepdim = false } = {},
): Tensor {
  return tidy(() => ops.linalgVectorNorm(x1.sub(x2).add(eps), p, -1, keepdim));
}

/**
 * Draws one-hot vectors, differentiably, by adding Gumbel noise to logits (Jang et al. 2017). With `hard` the
 * result is one-hot and has the gradient of the soft one.
 */
export function gumbelSoftmax(logits: Tensor, { tau = 1, hard = false, dim = -1 } = {}): Tensor {
  return tidy(() => {
    const noise = ops.exponential_(logits.detach().clone()).log().neg();
    const soft = ops.softmax(logits.add(noise).div(tau), dim);
    if (!hard) return soft;
    const fixed = soft.detach();
    const oneHot = fixed.mul(0).scatter(dim, fixed.argmax(dim, true), 1);
    return oneHot.sub(fixed).add(soft);
  });
}

export interface BatchNormOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  /** Normalize by the batch's own mean and variance, and move the running ones towards them. */
  readonly training?: boolean;
  readonly momentum?: number;
  readonly eps?: number;
}

/** Normalizes each channel (dimension 1) over all others (Ioffe and Szegedy 2015). */
export function batchNorm(
  input: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  { weight = null, bias = null, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormOptions = {},
): Tensor {
  if (!(eps >= 0)) throw new RangeError(`batchNorm: eps must not be negative, got ${eps}`);
  if (training) {
    const [batch, , ...others] = input.shape;
    needSeveralValues("batchNorm", batch * product(others), input.shape);
  }
  return ops.batchNorm(input, weight, bias, runningMean, runningVar, training, momentum, eps, true);
}

export interface InstanceNormOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  /** Normalize by each example's own figures; without it by the running ones. */
  readonly useInputStats?: boolean;
  readonly momentum?: number;
  readonly eps?: number;
}

/**
 * Normalizes each channel of each example over its positions (Ulyanov et al. 2017): [N, C, ...].
 * @throws TorchError for one position.
 */
export function instanceNorm(
  input: Tensor,
  runningMean: Tensor | null = null,
  runningVar: Tensor | null = null,
  { weight = null, bias = null, useInputStats = true, momentum = 0.1, eps = 1e-5 }: InstanceNormOptions = {},
): Tensor {
  if (useInputStats) needSeveralValues("instanceNorm", product(input.shape.slice(2)), input.shape);
  return ops.instanceNorm(input, weight, bias, runningMean, runningVar, useInputStats, momentum, eps, true);
}

/**
 * Normalizes groups of channels of each example (Wu and He 2018): [N, C, ...].
 * @throws TorchError for one value per group.
 */
export function groupNorm(
  input: Tensor,
  numGroups: number,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  eps = 1e-5,
): Tensor {
  if (input.ndim < 2) refuse("groupNorm", `takes at least 2 dimensions, got ${shown(input.shape)}`);
  const [batch, channels, ...others] = input.shape;
  needSeveralValues("groupNorm", (batch * channels * product(others)) / numGroups, input.shape);
  return ops.groupNorm(input, numGroups, weight, bias, eps);
}

export interface LocalResponseNormOptions {
  readonly alpha?: number;
  readonly beta?: number;
  readonly k?: number;
}

/**
 * Divides each channel of [N, C, ...] by (k + alpha * the mean square of `size` neighbouring channels)^beta
 * (Krizhevsky et al. 2012).
 * @throws TorchError for fewer than 3 dimensions.
 */
export function localResponseNorm(
  input: Tensor,
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1, ...others }: LocalResponseNormOptions = {},
): Tensor {
  refuseOthers("localResponseNorm", others, "alpha, beta, k");
  const { shape } = input;
  if (shape.length < 3) refuse("localResponseNorm", `takes at least 3 dimensions, got ${shown(shape)}`);
  if (input.numel === 0) return input;
  return tidy(() => {
    const squares = input.square().reshape([shape[0], 1, shape[1], product(shape.slice(2))]);
    const around = ops.pad(squares, [0, 0, Math.floor(size / 2), Math.floor((size - 1) / 2)]);
    const means = ops.avgPool2d(around, [size, 1], 1).reshape(shape);
    return input.div(means.mul(alpha).add(k).pow(beta));
  });
}

/** x, kept between `minVal` and `maxVal`. @throws RangeError if the first is above the second. */
export function hardtanh(input: Tensor, minVal = -1, maxVal = 1): Tensor {
  if (minVal > maxVal) throw new RangeError(`hardtanh: ${minVal} is above ${maxVal}`);
  return ops.hardtanh(input, minVal, maxVal);
}

/** Operators that need nothing more, under their names in `torch.nn.functional`. */
export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  bilinear,
  celu,
  channelShuffle,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  cosineSimilarity,
  elu,
  gelu,
  glu,
  hardshrink,
  hardsigmoid,
  hardswish,
  layerNorm,
  leakyRelu,
  linear,
  logSigmoid as logsigmoid,
  logSoftmax,
  maxPool1d,
  maxPool2d,
  mish,
  oneHot,
  pad,
  pdist,
  pixelShuffle,
  prelu,
  relu,
  relu6,
  rmsNorm,
  rrelu,
  scaledDotProductAttention,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softshrink,
  tanh,
  threshold,
} from "../../dispatch/ops.gen.ts";

/** Which fused attention kernel would be taken: 0 math, 1 flash, 2 memory-efficient, 3 cuDNN. */
export function attentionKernel(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor | null = null,
): number {
  return anyOp.unsafe.aten._fused_sdp_choice(query, key, value, mask) as number;
}
