import { UserError } from "../../src/common/userError.ts";
import type { Batch } from "../../src/data/batches/batch.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import type { SequenceEncoding } from "../../src/models/sequenceEncoder.ts";
import type * as torch from "../../src/torch/index.ts";
import { batchOptionsOf, euclideanFormOf } from "../../src/training/config/buildModel.ts";
import { FrozenEncoderCache } from "../../src/training/encoding/frozenEncoderCache.ts";
import type { BatchLosses } from "../../src/training/loop/batchLosses.ts";
import { type BatchTargets, batchTensors } from "../../src/training/objectives/batchTensors.ts";
import { baseValueLoss, unifracLoss } from "../../src/training/objectives/losses.ts";
import {
  nucleotideParts,
  predictSomeNucleotides,
} from "../../src/training/objectives/nucleotideObjective.ts";
import type { FineTuneFacts, RunFacts } from "../../src/training/run/facts.ts";
import type { OpenedRun } from "../../src/training/run/open.ts";
import { SampleCategories } from "../../src/training/targets/sampleCategories.ts";

/** The losses of a saved batch, as the run's own training computes them; see `targetNote`. */
export function lossesOf(
  run: OpenedRun,
  batch: Batch,
  device: torch.Device,
  dataset: Dataset | null,
): BatchLosses {
  const { facts, encoder, predictor } = run;
  const { penalty: uniFracPenalty, nucPenalty } = facts.config.training;
  const { input, targets } = batchTensors(batch, device);
  const parts: Record<string, torch.Tensor> = {};
  const weights: Record<string, number> = { unifrac_loss: uniFracPenalty, nuc_loss: nucPenalty };
  let base: SequenceEncoding;
  let ownPass: ReturnType<typeof predictSomeNucleotides> | null = null;
  if (facts.kind === "fine-tune") {
    const { categories, frozen } = helpersOf(run, facts, device, dataset);
    const result = predictor!.forward(input, {
      nucleotides: !frozen && nucPenalty > 0,
      categories: categories?.ids(batch.sampleIndices, device),
      ...frozen?.request(batch, input),
    });
    parts["target_loss"] = result.target.square().mean();
    if (result.count) parts["count_loss"] = result.count.square().mean();
    base = result.base;
  } else {
    const inOnePass = facts.config.nucShare === 1;
    base = encoder.forward(input, { nucleotides: nucPenalty > 0 && inOnePass });
    if (nucPenalty > 0 && !inOnePass)
      ownPass = predictSomeNucleotides(encoder.asvEncoder, input, facts.config.nucShare);
  }
  const unifrac = baseLoss(base, targets, facts);
  if (unifrac && uniFracPenalty > 0) parts["unifrac_loss"] = unifrac;
  const nucleotides = ownPass?.prediction ?? base.nucleotides;
  if (nucleotides) parts["nuc_loss"] = nucleotideParts(nucleotides, ownPass?.input ?? input).loss;
  const weighted = Object.entries(parts).map(([name, part]) => part.mul(weights[name] ?? 1));
  return { total: weighted.reduce((sum, part) => sum.add(part)), parts };
}

/** What is not the training's own: targets are in the data set's metadata, not in the batch. */
export const targetNote =
  "In a fine-tuning run the target loss is replaced by the mean square of the predictions: modules and their results are those of the step, the gradients are not.";

/** What the batch does not hold of a step in a cheap epoch. */
export const keptAsvsNote =
  "The step is repeated in full. Were it one of a cheap epoch (--sample-epochs), it used ASV embeddings kept from before, so that the place can be another.";

function baseLoss(base: SequenceEncoding, targets: BatchTargets, facts: RunFacts): torch.Tensor | null {
  if (base.embeddings && targets.distances) {
    const form = euclideanFormOf(facts.config);
    return unifracLoss(base.embeddings, targets.distances, { form, known: targets.distanceMask });
  }
  if (!base.basePrediction || !targets.vector) return null;
  const { shift, scale } = facts.baseScaling ?? { shift: 0, scale: 1 };
  return baseValueLoss(base.basePrediction, targets.vector.sub(shift).div(scale), targets.vectorMask);
}

function helpersOf(run: OpenedRun, facts: FineTuneFacts, device: torch.Device, dataset: Dataset | null) {
  const isFrozen = facts.config.freezeBase;
  if (!facts.categories && !isFrozen) return { categories: null, frozen: null };
  if (!dataset) {
    throw new UserError(
      "The step of a fine-tuning run with categories or a frozen encoder needs the samples' data: give the data set with --data.",
    );
  }
  return {
    categories: facts.categories ? SampleCategories.restore(facts.categories, dataset) : null,
    frozen: isFrozen
      ? new FrozenEncoderCache(run.encoder, dataset, { device, batch: batchOptionsOf(facts.config.model) })
      : null,
  };
}
