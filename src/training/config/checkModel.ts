import { UserError } from "../../common/userError.ts";
import {
  givenStart,
  type ModelConfig,
  type PretrainConfig,
  type TrainingConfig,
  transformerNames,
} from "./config.ts";

/**
 * Refuses a model that cannot be built, or cannot learn what it shall, before any work is done.
 * @throws UserError
 */
export function checkModel(model: ModelConfig, training?: Pick<TrainingConfig, "nucPenalty">): void {
  const { embeddingDim, transformers, nucMaskRatio: maskRatio, vocabulary } = model;
  for (const heads of [
    model.attentionHeads,
    ...transformerNames.map((name) => transformers[name]?.attentionHeads),
  ]) {
    if (heads !== undefined && embeddingDim % heads !== 0)
      throw new UserError(
        `${heads} attention heads do not divide embeddings of ${embeddingDim} values; choose heads that do ` +
          `(${divisors(embeddingDim).join(", ")}), or another size.`,
      );
  }
  if (model.encoder === "set" && model.pooling === "attention")
    throw new UserError(
      "--encoder set pools by union, share or root; choose one of them, or --encoder aam for --pooling attention.",
    );
  if (model.encoder === "set" && model.codes === "kmer" && training && training.nucPenalty > 0)
    throw new UserError(
      "--nuc-penalty is for encoders that read bases one by one; add --codes both, or leave it out.",
    );
  if (maskRatio >= 1)
    throw new UserError("With --nuc-mask-ratio 1 nothing is left to learn from; choose a share below 1.");
  if (maskRatio > 0 && vocabulary < 7)
    throw new UserError(
      `A vocabulary of ${vocabulary} has no token for hidden nucleotides; choose 7, or --nuc-mask-ratio 0.`,
    );
}

/** The divisors of a size that make sense as numbers of heads. */
function divisors(size: number): number[] {
  return Array.from({ length: Math.min(size, 16) }, (_, i) => i + 1).filter((n) => size % n === 0);
}

/**
 * Refuses several metrics where they cannot be learned together. `studies`: the data are of several.
 * @throws UserError
 */
export function checkMetrics(
  {
    unifracMetric: metric,
    furtherMetrics,
    model,
    data,
    startFrom = null,
  }: Pick<PretrainConfig, "unifracMetric" | "furtherMetrics" | "model" | "data"> & Partial<PretrainConfig>,
  studies = Array.isArray(data.dataset),
): void {
  if (furtherMetrics.length === 0) return;
  const twice = furtherMetrics.find((name, i) => name === metric || furtherMetrics.includes(name, i + 1));
  const form = model.distanceForm;
  const refuse = (wrong: boolean, text: string) => {
    if (wrong) throw new UserError(text);
  };
  const alone = "leave --further-metrics out";
  refuse(twice !== undefined, `--further-metrics: ${twice} is among the metrics twice; name it once.`);
  refuse(
    model.encoder !== "set",
    `Several metrics are learned together by --encoder set only; give it, or ${alone}.`,
  );
  refuse(
    form === "tanh" || form === "raw",
    `--distance-form ${form} compares whole embeddings, of which each metric reads a part; leave it out, or ${alone}.`,
  );
  refuse(studies, `Several metrics are learned on one data set; give one --dataset, or ${alone}.`);
  refuse(
    givenStart({ startFrom }) !== null,
    `--start-from takes over an encoder of one metric; leave it out, or ${alone}.`,
  );
}
