import { UserError } from "../../common/userError.ts";
import { type DistanceForm, referenceTanhScale } from "../../models/pairwiseDistances.ts";
import { SequencePredictor } from "../../models/sequencePredictor.ts";
import type * as torch from "../../torch/index.ts";
import { baseValueLoss, countLoss, nucleotideLoss, unifracLoss } from "../../training/objectives/losses.ts";
import { type Losses, totalLoss } from "../../training/objectives/multiTaskLoss.ts";
import { TargetLoss } from "../../training/objectives/targetLoss.ts";
import type { LoadedCase, LossSettings, ModelCase, TrainCase } from "./caseFile.ts";
import { type AnyModel, isOfSeed, type ModelRun } from "./modelCase.ts";

export function distanceForm(normalization: "none" | "tanh10"): DistanceForm {
  return normalization === "none" ? "raw" : { tanhScale: referenceTanhScale };
}

/** The target's loss with the reference's settings and defaults. */
export function targetLossOf(settings: LossSettings): TargetLoss {
  return new TargetLoss({
    type: settings.target_loss_type ?? (settings.seed_version ? "mse" : "huber"),
    // The reference keeps the levels in float32.
    quantiles: settings.quantiles?.map(Math.fround),
    overPenalty: settings.over_penalty,
    underPenalty: settings.under_penalty,
    perColumn: settings.loss_config,
    columns: settings.target_columns,
    classWeights: settings.class_weights,
    ignoreColumnsWithWeights: true,
  });
}

/** All losses of a case's outputs against its targets. */
export function caseLosses(
  loaded: LoadedCase<ModelCase | TrainCase>,
  model: AnyModel,
  run: ModelRun,
  targets: ReadonlyMap<string, torch.Tensor>,
): Losses {
  const { description } = loaded;
  const settings = { ...description.loss, seed_version: isOfSeed(loaded) };
  const { outputs, batch, encoding, nucleotides } = run;
  const baseTarget = targets.get("base_target");
  const target = targets.get("target");
  const sampleWeights = settings.sample_weights === false ? null : (targets.get("sample_weights") ?? null);
  if (settings.sample_weights && !sampleWeights)
    throw new UserError(
      `Case ${loaded.name} has sample_weights in its loss, but no targets/sample_weights; add them [B], or leave the setting out.`,
    );
  const form = distanceForm(description.distance_normalization);
  const prediction = outputs.get("target_prediction");
  const count = outputs.get("count_prediction");
  let unifrac: torch.Tensor | null = null;
  if (baseTarget && encoding?.embeddings) unifrac = unifracLoss(encoding.embeddings, baseTarget, { form });
  // The reference's predictor hands its base's prediction on only together with nucleotides.
  const isShown = !(model instanceof SequencePredictor) || description.call.return_nucleotides;
  if (baseTarget && encoding?.basePrediction && isShown)
    unifrac = baseValueLoss(encoding.basePrediction, baseTarget);
  const criterion = targetLossOf(settings);
  const targetLoss =
    prediction && target
      ? description.config["is_classifier"]
        ? criterion.classification(prediction, target.flatten().to("int64"), { sampleWeights })
        : criterion.regression(prediction, target, { sampleWeights })
      : null;
  const valid = batch.asvIndex.ne(0);
  return totalLoss(
    {
      target_loss: targetLoss,
      count_loss: count ? countLoss(count, batch.counts, valid) : null,
      unifrac_loss: unifrac,
      nuc_loss: nucleotides
        ? nucleotideLoss(nucleotides, { tokens: batch.asvTokens, multiplicity: batch.multiplicity })
        : null,
    },
    {
      target_loss: settings.target_penalty,
      count_loss: settings.count_penalty,
      unifrac_loss: settings.penalty,
      nuc_loss: settings.nuc_penalty,
    },
  );
}
