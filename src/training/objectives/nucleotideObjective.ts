import { maskToken } from "../../common/tokens.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { NucleotidePrediction } from "../../models/asvEncoder.ts";
import type { EncoderOfAsvs } from "../../models/encoder.ts";
import { isBase } from "../../models/masking.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import * as torch from "../../torch/index.ts";
import { asvsOf, mapAsvChunks } from "../encoding/encodeAsvs.ts";
import { type Share, sumOverRanks, timesInGradient } from "../ranks/share.ts";
import { nucleotideAccuracy, nucleotideLoss, nucleotideSums } from "./losses.ts";

/** ASVs on which nucleotide prediction is judged at most. */
const judgedAsvs = 1024;

/**
 * Hides and predicts bases of some of a batch's ASVs, chosen at random, in a pass of its own: were distances
 * taken from sequences with holes, they would come out too small where there are none, in evaluation.
 */
export function predictSomeNucleotides(
  encoder: EncoderOfAsvs,
  input: RaggedBatch,
  share: number,
): { prediction: NucleotidePrediction | null; input: RaggedBatch } {
  const count = input.asvTokens.size(0);
  const chosen = torch
    .randperm(count, { device: input.asvTokens.device })
    .narrow(0, 0, Math.ceil(count * share));
  const part = {
    ...input,
    asvTokens: input.asvTokens.indexSelect(0, chosen),
    multiplicity: input.multiplicity.indexSelect(0, chosen),
  };
  const request = { hasPadding: input.hasAsvPadding, nucleotides: true };
  return { prediction: encoder.forward(part.asvTokens, request).nucleotides, input: part };
}

/**
 * Loss and accuracy of the nucleotides that a batch hid. With a `share`, `prediction` and `input`
 * are of this rank's ASVs, and the means are over those of all ranks; the gradient is of the kind
 * that `gatherRows` describes.
 */
export function nucleotideParts(
  prediction: NucleotidePrediction,
  input: RaggedBatch,
  share: Share | null = null,
): { loss: torch.Tensor; accuracy: torch.Tensor } {
  const sequences = { tokens: input.asvTokens, multiplicity: input.multiplicity };
  const { correct, total } = nucleotideAccuracy(prediction, sequences);
  if (!share)
    return { loss: nucleotideLoss(prediction, sequences), accuracy: correct.div(total.clampMin(1)) };
  const own = nucleotideSums(prediction, sequences);
  const [sum, weight, right, all] = sumOverRanks([own.loss, own.weight, correct, total]);
  const mine = timesInGradient(own.loss, share.size);
  return {
    loss: sum.sub(own.loss.detach()).add(mine).div(weight.clampMin(1)),
    accuracy: right.div(all.clampMin(1)),
  };
}

export interface NucleotideEvaluation {
  readonly dataset: Dataset;
  /** Samples whose ASVs are judged, or an evenly spread part of them. */
  readonly samples: Int32Array;
  readonly maxBp: number;
  readonly maskRatio: number;
  readonly device: torch.Device;
}

/**
 * Predicts hidden bases of the samples' ASVs: the same ones hidden every time, so that epochs can be
 * compared. Empty where there is nothing to predict.
 */
export function evaluateNucleotides(
  encoder: EncoderOfAsvs,
  { dataset, samples, maxBp, maskRatio, device }: NucleotideEvaluation,
): { nuc_loss?: number; nuc_accuracy?: number } {
  const rows = someAsvs(dataset, samples);
  const generator = new torch.Generator("cpu").manualSeed(0);
  return torch.inferenceMode(() => {
    let correct = 0;
    let total = 0;
    let loss = 0;
    mapAsvChunks(dataset, rows, { device, batch: { maxBp } }, ({ tokens, padding }) => {
      const chosen = torch.rand(tokens.shape, { generator }).lt(maskRatio).to(device);
      const mask = chosen.logicalAnd(isBase(tokens));
      const hidden = tokens.maskedFill(mask, maskToken);
      const { nucleotides } = encoder.forward(hidden, { ...padding, nucleotides: true });
      const prediction = { ...nucleotides!, filled: mask.flatten(), mask };
      const targets = { tokens, multiplicity: torch.ones([tokens.size(0)], { device }) };
      const accuracy = nucleotideAccuracy(prediction, targets);
      const count = accuracy.total.item();
      correct += accuracy.correct.item();
      loss += nucleotideLoss(prediction, targets).item() * count;
      total += count;
    });
    return total > 0 ? { nuc_loss: loss / total, nuc_accuracy: correct / total } : {};
  });
}

/** Distinct ASVs of the samples, evenly spread. */
function someAsvs(dataset: Dataset, samples: Int32Array): number[] {
  const all = asvsOf(dataset, samples);
  const stride = Math.max(1, Math.ceil(all.length / judgedAsvs));
  return all.filter((_, i) => i % stride === 0);
}
