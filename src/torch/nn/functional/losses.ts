/** The losses of `torch.nn.functional`. */

import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { operator } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { broadcast, needSameShape, refuse, sameShape, shown } from "./checks.ts";

export type Reduction = "none" | "mean" | "sum";
const reductions: Record<Reduction, number> = { none: 0, mean: 1, sum: 2 };

/** The number of a reduction; `others` are the options that the function does not know. */
function reductionCode(name: string, reduction: Reduction, others: object, known: string): number {
  refuseOthers(name, others, known);
  const code = reductions[reduction];
  if (code === undefined)
    throw new TypeError(
      `${name}: reduction must be "none", "mean" or "sum", got ${JSON.stringify(reduction)}`,
    );
  return code;
}

export interface LossOptions {
  /** How the losses of the elements become one value; "none" leaves them. */
  readonly reduction?: Reduction;
}

/** (input - target)^2. */
export function mseLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return ops.mseLoss(
    ...broadcast("mseLoss", input, target),
    reductionCode("mseLoss", reduction, others, "reduction"),
  );
}

/** |input - target|. */
export function l1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return ops.l1Loss(
    ...broadcast("l1Loss", input, target),
    reductionCode("l1Loss", reduction, others, "reduction"),
  );
}

/** Quadratic below `delta`, linear above (Huber 1964). */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", delta = 1, ...others }: LossOptions & { delta?: number } = {},
): Tensor {
  return ops.huberLoss(
    ...broadcast("huberLoss", input, target),
    reductionCode("huberLoss", reduction, others, "reduction, delta"),
    delta,
  );
}

/** Huber's loss divided by `beta`. */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", beta = 1, ...others }: LossOptions & { beta?: number } = {},
): Tensor {
  return ops.smoothL1Loss(
    ...broadcast("smoothL1Loss", input, target),
    reductionCode("smoothL1Loss", reduction, others, "reduction, beta"),
    beta,
  );
}

export interface ClassOptions extends LossOptions {
  readonly weight?: Tensor | null;
  readonly ignoreIndex?: number;
}

/** Cross-entropy of logits [N, C, ...] against classes [N, ...] (int64) or probabilities [N, C, ...]. */
export function crossEntropy(
  input: Tensor,
  target: Tensor,
  {
    weight = null,
    reduction = "mean",
    ignoreIndex = -100,
    labelSmoothing = 0,
    ...others
  }: ClassOptions & { labelSmoothing?: number } = {},
): Tensor {
  return ops.crossEntropyLoss(
    input,
    target,
    weight,
    reductionCode("crossEntropy", reduction, others, "weight, reduction, ignoreIndex, labelSmoothing"),
    ignoreIndex,
    labelSmoothing,
  );
}

/** Negative log-likelihood of log-probabilities [N, C, ...] against classes [N, ...]. */
export function nllLoss(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean", ignoreIndex = -100, ...others }: ClassOptions = {},
): Tensor {
  return ops.nllLossNd(
    input,
    target,
    weight,
    reductionCode("nllLoss", reduction, others, "weight, reduction, ignoreIndex"),
    ignoreIndex,
  );
}

/** Cross-entropy of probabilities against targets between 0 and 1. */
export function binaryCrossEntropy(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean", ...others }: Omit<ClassOptions, "ignoreIndex"> = {},
): Tensor {
  needSameShape("binaryCrossEntropy", input, target);
  return ops.binaryCrossEntropy(
    input,
    target,
    weight,
    reductionCode("binaryCrossEntropy", reduction, others, "weight, reduction"),
  );
}

/** Cross-entropy of logits against targets between 0 and 1. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  {
    weight = null,
    posWeight = null,
    reduction = "mean",
    ...others
  }: Omit<ClassOptions, "ignoreIndex"> & { posWeight?: Tensor | null } = {},
): Tensor {
  needSameShape("binaryCrossEntropyWithLogits", input, target);
  return ops.binaryCrossEntropyWithLogits(
    input,
    target,
    weight,
    posWeight,
    reductionCode("binaryCrossEntropyWithLogits", reduction, others, "weight, posWeight, reduction"),
  );
}

/**
 * Kullback-Leibler divergence; `input` holds log-probabilities. "batchmean" is the sum divided by
 * the first dimension's size.
 */
export function klDiv(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", logTarget = false, ...others }: KlDivOptions = {},
): Tensor {
  if (reduction === "batchmean") {
    refuseOthers("klDiv", others, "reduction, logTarget");
    using sum = ops.klDiv(input, target, reductions.sum, { logTarget });
    return sum.div(input.size(0));
  }
  return ops.klDiv(input, target, reductionCode("klDiv", reduction, others, "reduction, logTarget"), {
    logTarget,
  });
}

/**
 * 1 - cos(x1, x2) where the target is 1; max(0, cos(x1, x2) - margin) where it is -1.
 * Vectors [N, D], targets [N].
 */
export function cosineEmbeddingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { reduction = "mean", margin = 0, ...others }: MarginOptions = {},
): Tensor {
  const code = reductionCode("cosineEmbeddingLoss", reduction, others, "reduction, margin");
  return ops.cosineEmbeddingLoss(input1, input2, target, margin, code);
}

/**
 * max(0, -target (x1 - x2) + margin): x1 should be ranked above x2 where the target is
 * 1, below where it is -1.
 */
export function marginRankingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { reduction = "mean", margin = 0, ...others }: MarginOptions = {},
): Tensor {
  if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim)
    refuse(
      "marginRankingLoss",
      `inputs and target must have the same number of dimensions, got ${shown(input1.shape)}, ${shown(input2.shape)} and ${shown(target.shape)}`,
    );
  const code = reductionCode("marginRankingLoss", reduction, others, "reduction, margin");
  return ops.marginRankingLoss(input1, input2, target, margin, code);
}

/** x where the target is 1; max(0, margin - x) where it is -1. */
export function hingeEmbeddingLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", margin = 1, ...others }: MarginOptions = {},
): Tensor {
  return ops.hingeEmbeddingLoss(
    input,
    target,
    margin,
    reductionCode("hingeEmbeddingLoss", reduction, others, "reduction, margin"),
  );
}

/** max(0, |anchor - positive| - |anchor - negative| + margin) with the norm `p` (Balntas et al. 2016). */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { reduction = "mean", margin = 1, p = 2, eps = 1e-6, swap = false, ...others }: TripletOptions = {},
): Tensor {
  if (!(margin > 0)) throw new RangeError(`tripletMarginLoss: the margin must be above 0, got ${margin}`);
  const code = reductionCode("tripletMarginLoss", reduction, others, "reduction, margin, p, eps, swap");
  return ops.tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, code);
}

export interface TripletDistanceOptions extends MarginOptions {
  /** Distances [N] of two batches of vectors; the Euclidean ones unless given. */
  readonly distanceFunction?: ((x: Tensor, y: Tensor) => Tensor) | null;
  /** Take the distance of positive and negative where it is the smaller one. */
  readonly swap?: boolean;
}

/**
 * max(0, d(anchor, positive) - d(anchor, negative) + margin) with a distance of one's own.
 * @throws RangeError for a margin that is not above 0, TorchError for other numbers of dimensions.
 */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { reduction = "mean", margin = 1, swap = false, distanceFunction, ...others }: TripletDistanceOptions = {},
): Tensor {
  const name = "tripletMarginWithDistanceLoss";
  reductionCode(name, reduction, others, "reduction, margin, swap, distanceFunction");
  if (!(margin > 0)) throw new RangeError(`${name}: the margin must be above 0, got ${margin}`);
  if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim)
    refuse(
      name,
      `the three must have the same number of dimensions, got ${[anchor, positive, negative].map((one) => shown(one.shape)).join(", ")}`,
    );
  const distance = distanceFunction ?? kernels.pairwiseDistance;
  return tidy(() => {
    const near = distance(anchor, positive);
    const far = distance(anchor, negative);
    const least = swap ? far.minimum(distance(positive, negative)) : far;
    const losses = near.add(margin).sub(least).clampMin(0);
    if (reduction === "none") return losses;
    return reduction === "sum" ? losses.sum() : losses.mean();
  });
}

/** log(1 + exp(-target x)) for targets of 1 and -1. */
export function softMarginLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return ops.softMarginLoss(input, target, reductionCode("softMarginLoss", reduction, others, "reduction"));
}

/**
 * Negative log-likelihood of counts under a Poisson distribution; `input` is its
 * mean, or the logarithm of it.
 */
export function poissonNllLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", logInput = true, full = false, eps = 1e-8, ...others }: PoissonOptions = {},
): Tensor {
  return ops.poissonNllLoss(
    input,
    target,
    logInput,
    full,
    eps,
    reductionCode("poissonNllLoss", reduction, others, "reduction, logInput, full, eps"),
  );
}

/**
 * The variances in a shape that broadcasts as meant: one per element, or one for each
 * vector along a dimension.
 */
function fittingVariance(input: Tensor, variance: Tensor): Tensor {
  if (variance.lt(0).any().item() !== 0) refuse("gaussianNllLoss", "a variance is negative");
  if (sameShape(input, variance)) return variance;
  const [sizes, own] = [input.shape, variance.shape];
  if (shown(sizes.slice(0, -1)) === shown(own)) return variance.unsqueeze(-1);
  const differing = own.filter((size, i) => size !== sizes[i]);
  if (sizes.length === own.length && differing.length === 1 && differing[0] === 1) return variance;
  return refuse(
    "gaussianNllLoss",
    `the variances have the shape ${shown(own)}, the input ${shown(sizes)}; expected the same, or 1 in one dimension`,
  );
}

/**
 * Half of log(variance) + (input - target)^2 / variance; `full` adds the constant. Variances
 * below `eps` count as `eps`.
 */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  { reduction = "mean", full = false, eps = 1e-6, ...others }: Omit<PoissonOptions, "logInput"> = {},
): Tensor {
  reductionCode("gaussianNllLoss", reduction, others, "reduction, full, eps");
  return tidy(() => {
    const fitting = fittingVariance(input, variance);
    const fixed = fitting.detach();
    const bounded = fitting.add(fixed.clampMin(eps).sub(fixed));
    const each = bounded.log().add(input.sub(target).square().div(bounded)).mul(0.5);
    const losses = full ? each.add(0.5 * Math.log(2 * Math.PI)) : each;
    if (reduction === "none") return losses;
    return reduction === "sum" ? losses.sum() : losses.mean();
  });
}

export interface KlDivOptions {
  readonly reduction?: Reduction | "batchmean";
  /** The target holds log-probabilities too. */
  readonly logTarget?: boolean;
}

export interface MarginOptions extends LossOptions {
  readonly margin?: number;
}

export interface TripletOptions extends MarginOptions {
  readonly p?: number;
  readonly eps?: number;
  /** Take the distance of positive and negative where it is the smaller one. */
  readonly swap?: boolean;
}

export interface PoissonOptions extends LossOptions {
  readonly logInput?: boolean;
  /** Add what does not depend on the input. */
  readonly full?: boolean;
  readonly eps?: number;
}

export interface CtcOptions extends LossOptions {
  /** The class that means no label. */
  readonly blank?: number;
  /** Zero in place of the infinite losses of targets longer than their inputs. */
  readonly zeroInfinity?: boolean;
}

type Kernel = (...args: readonly unknown[]) => Tensor;
const kernels = {
  ctc: operator("aten::ctc_loss", ["IntList", "Tensor"], "ctcLoss") as unknown as Kernel,
  multilabelMargin: operator(
    "aten::multilabel_margin_loss",
    [""],
    "multilabelMarginLoss",
  ) as unknown as Kernel,
  pairwiseDistance: operator("aten::pairwise_distance", [""], "pairwiseDistance") as unknown as Kernel,
  multiMargin: operator("aten::multi_margin_loss", [""], "multiMarginLoss") as unknown as Kernel,
};

/**
 * Connectionist temporal classification (Graves et al. 2006): log-probabilities [length, batch, classes]
 * against label sequences [batch, longest] or all in one row, whose lengths are given.
 */
export function ctcLoss(
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Tensor | readonly number[],
  targetLengths: Tensor | readonly number[],
  { blank = 0, reduction = "mean", zeroInfinity = false, ...others }: CtcOptions = {},
): Tensor {
  const code = reductionCode("ctcLoss", reduction, others, "blank, reduction, zeroInfinity");
  return kernels.ctc(logProbs, targets, inputLengths, targetLengths, blank, code, zeroInfinity);
}

/**
 * Margins of 1 between each label of an example and each other class; the target [N, C]
 * lists labels, ended by -1.
 */
export function multilabelMarginLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return kernels.multilabelMargin(
    input,
    target,
    reductionCode("multilabelMarginLoss", reduction, others, "reduction"),
  );
}

/** The mean over classes of binary cross-entropies: logits [N, C] against targets of 0 and 1. */
export function multilabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  { weight = null, reduction = "mean", ...others }: Omit<ClassOptions, "ignoreIndex"> = {},
): Tensor {
  reductionCode("multilabelSoftMarginLoss", reduction, others, "weight, reduction");
  return tidy(() => {
    const terms = target
      .mul(ops.logSigmoid(input))
      .add(target.neg().add(1).mul(ops.logSigmoid(input.neg())))
      .neg();
    const losses = (weight ? terms.mul(weight) : terms).mean(-1);
    if (reduction === "none") return losses;
    return reduction === "sum" ? losses.sum() : losses.mean();
  });
}

export interface MultiMarginOptions extends MarginOptions {
  readonly p?: 1 | 2;
  readonly weight?: Tensor | null;
}

/**
 * The mean of max(0, margin - x[label] + x[other])^p over the other classes: logits
 * [N, C] against classes [N].
 * @throws RangeError for another p.
 */
export function multiMarginLoss(
  input: Tensor,
  target: Tensor,
  { p = 1, margin = 1, weight = null, reduction = "mean", ...others }: MultiMarginOptions = {},
): Tensor {
  if (p !== 1 && p !== 2) throw new RangeError(`multiMarginLoss: p must be 1 or 2, got ${p}`);
  if (weight && weight.ndim !== 1)
    refuse("multiMarginLoss", `the weight must have one dimension, got ${shown(weight.shape)}`);
  const code = reductionCode("multiMarginLoss", reduction, others, "p, margin, weight, reduction");
  return kernels.multiMargin(input, target, p, margin, weight, code);
}
