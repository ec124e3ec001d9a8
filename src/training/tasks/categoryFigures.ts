import { columnEmbeddingNormTag, conditionalScalingTag, tags } from "../../display/tensorboard/tags.ts";
import type { Prediction, SequencePredictor } from "../../models/sequencePredictor.ts";
import * as torch from "../../torch/index.ts";
import type { Figures } from "../loop/trainer.ts";

/**
 * How much one batch's categories took part in its predictions, without waiting for the device: the mean of a
 * gated unit's gate; of cross-attention or a perceiver the mean share of attention that went to categories,
 * and the mean entropy of the weights in nats. Empty where categories enter in another way, or not at all.
 */
export function fusionFigures(
  model: SequencePredictor,
  { gate, fusionWeights, base }: Prediction,
): Record<string, torch.Tensor> {
  return torch.noGrad(() => {
    const figures: Record<string, torch.Tensor> = {};
    if (gate) figures["gmu_gate_mean"] = gate.mean();
    if (!fusionWeights) return figures;
    const weights = fusionWeights.to("float32");
    const keys = weights.size(-1);
    // A perceiver's categories are its last key; cross-attention has a key for each column, and
    // one of zeros after them.
    const share = model.perceiverFusion
      ? weights.narrow(-1, keys - 1, 1)
      : weights.narrow(-1, 0, Math.max(1, keys - 1));
    // Empty slots of a sample ask as well, but nothing comes of it.
    const asking = model.perceiverFusion ? null : base.valid;
    figures["cross_attn_weight_mean"] = meanOverQueries(share.sum(-1), asking);
    figures["cross_attn_entropy"] = meanOverQueries(torch.xlogy(weights, weights).sum(-1).neg(), asking);
    return figures;
  });
}

/** The mean of values [B, H, Q] over the queries that are true in `asking` [B, Q]. */
function meanOverQueries(values: torch.Tensor, asking: torch.Tensor | null): torch.Tensor {
  if (!asking) return values.mean();
  const counted = asking.unsqueeze(1).expandAs(values);
  return values.mul(counted).sum().div(counted.sum().clampMin(1));
}

/**
 * Norms and statistics of the weights that process categories, by their tags in TensorBoard;
 * empty without categories.
 */
export function categoryWeightFigures(model: SequencePredictor): Figures {
  const embedder = model.categoricalEmbedder;
  if (!embedder) return {};
  using _scope = torch.scope();
  const norm = (value: torch.Tensor) => value.detach().norm().item();
  const figures: Figures = {};
  let squares = 0;
  for (const column of embedder.columns) {
    const own = norm(embedder.embeddings.get(column).weight);
    figures[columnEmbeddingNormTag(column)] = own;
    squares += own ** 2;
  }
  figures[tags.categoryEmbeddingNorm] = Math.sqrt(squares);
  const projection =
    model.categoricalProjection ??
    model.crossAttnFusion?.categoryProjection ??
    model.perceiverFusion?.categoryProjection;
  if (projection) figures[tags.categoryProjectionNorm] = norm(projection.weight);
  if (model.gmu) {
    figures[tags.gmuGateNorm] = norm(model.gmu.gate.weight);
    figures[tags.gmuCategoryTransformNorm] = norm(model.gmu.categoryTransform.weight);
  }
  const tables = { scale: model.outputScales, bias: model.outputBiases };
  for (const part of ["scale", "bias"] as const) {
    for (const column of tables[part]?.keys() ?? []) {
      const weight = tables[part]!.get(column).weight.detach();
      figures[conditionalScalingTag(column, part, "mean")] = weight.mean().item();
      figures[conditionalScalingTag(column, part, "std")] = weight.std(null, { correction: 0 }).item();
    }
  }
  return figures;
}
