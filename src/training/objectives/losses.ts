/** The losses of the encoders and of the counts. Nothing here waits for the device. */
import type { NucleotidePrediction } from "../../models/asvEncoder.ts";
import { isBase } from "../../models/masking.ts";
import { type DistanceForm, pairwiseDistances } from "../../models/pairwiseDistances.ts";
import { atLeastFloat32 } from "../../models/precision.ts";
import * as torch from "../../torch/index.ts";

/**
 * Sum of values x weights over the sum of weights; 0 with a gradient of 0 where no weight is above
 * 0. Weights are 0, 1, 2 ...
 */
function weightedMean(values: torch.Tensor, weights: torch.Tensor): torch.Tensor {
  return values.mul(weights).sum().div(weights.sum().clampMin(1));
}

/** (prediction - target)^2 where known, 0 with no gradient elsewhere, also where the target is NaN. */
function squaredErrors(prediction: torch.Tensor, target: torch.Tensor, known: torch.Tensor): torch.Tensor {
  return prediction.sub(target.maskedFill(known.logicalNot(), 0)).square();
}

/** Where a target is known: given by `known`, and not NaN. */
function knownValues(target: torch.Tensor, known: torch.Tensor | null): torch.Tensor {
  const there = target.isnan().logicalNot();
  return known ? there.logicalAnd(known) : there;
}

/**
 * Mean squared error of the distances of embeddings [B, D] against a matrix [B, B] over its strict upper
 * triangle. Pairs that are NaN, or false in `known` [B, B], do not count. 0 with gradient where no pair is
 * known, as in a batch of one.
 */
export function unifracLoss(
  embeddings: torch.Tensor,
  target: torch.Tensor,
  options: { form?: DistanceForm; known?: torch.Tensor | null } = {},
): torch.Tensor {
  const known = knownValues(target, options.known ?? null).triu(1);
  const distances = pairwiseDistances(embeddings, options.form);
  return weightedMean(squaredErrors(distances, target, known), known);
}

/**
 * Mean squared error of predicted values [B, K] (Faith PD, taxonomy); unknown ones (NaN, or false
 * in `known`) do not count.
 */
export function baseValueLoss(
  prediction: torch.Tensor,
  target: torch.Tensor,
  known: torch.Tensor | null = null,
): torch.Tensor {
  const values = target.view(prediction.shape);
  const there = knownValues(values, known?.view(prediction.shape) ?? null);
  return weightedMean(squaredErrors(atLeastFloat32(prediction), values, there), there);
}

/** Mean squared error of predicted counts over the filled slots; all arguments [B, S] or [B, S, 1]. */
export function countLoss(
  prediction: torch.Tensor,
  counts: torch.Tensor,
  valid: torch.Tensor | null,
): torch.Tensor {
  const flat = atLeastFloat32(prediction).flatten();
  const errors = flat.sub(counts.flatten()).square();
  return valid ? weightedMean(errors, valid.flatten()) : errors.mean();
}

/**
 * What a count head predicts: log(1 + count) as a share of the largest of the training, or the count itself.
 */
export function countTargets(
  counts: torch.Tensor,
  form: { countForm: "scaled" | "raw"; largestCount: number },
): torch.Tensor {
  return form.countForm === "raw" ? counts : counts.log1p().div(Math.log1p(form.largestCount));
}

export interface NucleotideTargets {
  /** [U, L] the tokens before masking. */
  readonly tokens: torch.Tensor;
  /** [U] how often each ASV occurs in the batch. */
  readonly multiplicity: torch.Tensor;
}

/**
 * The true tokens of predictions and how often each occurs in the batch, 0 where it does not count: [M] each.
 */
function atPositions(
  prediction: NucleotidePrediction,
  { tokens, multiplicity }: NucleotideTargets,
): { target: torch.Tensor; weight: torch.Tensor } {
  const { positions, filled } = prediction;
  const flat = tokens.flatten();
  const length = tokens.size(1);
  const target = positions ? flat.indexSelect(0, positions) : flat;
  const occurrences = positions
    ? multiplicity.indexSelect(0, positions.floorDivide(length))
    : multiplicity.unsqueeze(1).expand([-1, length]).flatten();
  const counts = filled ? target.gt(0).logicalAnd(filled) : target.gt(0);
  return { target, weight: occurrences.mul(counts) };
}

/** The sum of the losses of `nucleotideLoss` over all occurrences, and how many these are. */
export function nucleotideSums(
  prediction: NucleotidePrediction,
  targets: NucleotideTargets,
): { loss: torch.Tensor; weight: torch.Tensor } {
  const { target, weight } = atPositions(prediction, targets);
  const logits = atLeastFloat32(prediction.logits);
  const losses = torch.nn.functional.crossEntropy(logits, target.to("int64"), { reduction: "none" });
  return { loss: losses.mul(weight).sum(), weight: weight.sum() };
}

/**
 * Cross-entropy of predicted tokens, averaged over all occurrences of all ASVs in the batch: over the
 * hidden positions where some were hidden, else over all positions that are no padding (the start token
 * included). 0 where there is none.
 */
export function nucleotideLoss(prediction: NucleotidePrediction, targets: NucleotideTargets): torch.Tensor {
  const { loss, weight } = nucleotideSums(prediction, targets);
  return loss.div(weight.clampMin(1));
}

/**
 * How many predicted bases are right and how many there are, over all occurrences: the hidden positions, or
 * where none were hidden the positions with a definite base (so not the start token). Tensors without
 * dimensions, to be added up on the device.
 */
export function nucleotideAccuracy(
  prediction: NucleotidePrediction,
  targets: NucleotideTargets,
): { correct: torch.Tensor; total: torch.Tensor } {
  return torch.noGrad(() => {
    const { target, weight } = atPositions(prediction, targets);
    const counted = prediction.mask ? weight : weight.mul(isBase(target));
    const right = prediction.logits.argmax(-1).eq(target);
    return { correct: counted.mul(right).sum(), total: counted.sum() };
  });
}
