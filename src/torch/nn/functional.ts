/** Losses and other functions of `torch.nn.functional` that are more than one operator. */

import { ops as anyOp } from "../operators.ts";
import * as ops from "../ops.gen.ts";
import { refuseOthers } from "../optionNames.ts";
import type { Tensor } from "../tensor.ts";

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

interface LossOptions {
  reduction?: Reduction;
}

/** (input - target)^2. */
export function mseLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return ops.mseLoss(input, target, reductionCode("mseLoss", reduction, others, "reduction"));
}

/** |input - target|. */
export function l1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", ...others }: LossOptions = {},
): Tensor {
  return ops.l1Loss(input, target, reductionCode("l1Loss", reduction, others, "reduction"));
}

/** Quadratic below `delta`, linear above (Huber 1964). */
export function huberLoss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", delta = 1, ...others }: LossOptions & { delta?: number } = {},
): Tensor {
  return ops.huberLoss(
    input,
    target,
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
    input,
    target,
    reductionCode("smoothL1Loss", reduction, others, "reduction, beta"),
    beta,
  );
}

interface ClassOptions extends LossOptions {
  weight?: Tensor | null;
  ignoreIndex?: number;
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
  return ops.binaryCrossEntropyWithLogits(
    input,
    target,
    weight,
    posWeight,
    reductionCode("binaryCrossEntropyWithLogits", reduction, others, "weight, posWeight, reduction"),
  );
}

/** Kullback-Leibler divergence; `input` holds log-probabilities. "batchmean" is the sum divided by the first dimension's size. */
export function klDiv(
  input: Tensor,
  target: Tensor,
  {
    reduction = "mean",
    logTarget = false,
    ...others
  }: { reduction?: Reduction | "batchmean"; logTarget?: boolean } = {},
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

/** Operators that need nothing more, under their names in `torch.nn.functional`. */
export {
  cosineSimilarity,
  dropout,
  elu,
  embedding,
  gelu,
  glu,
  hardswish,
  layerNorm,
  leakyRelu,
  linear,
  logSigmoid as logsigmoid,
  logSoftmax,
  mish,
  oneHot,
  pad,
  relu,
  rmsNorm,
  scaledDotProductAttention,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "../ops.gen.ts";

/** Which fused attention kernel would be taken: 0 math, 1 flash, 2 memory-efficient, 3 cuDNN. */
export function attentionKernel(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor | null = null,
): number {
  return anyOp.unsafe.aten._fused_sdp_choice(query, key, value, mask) as number;
}
