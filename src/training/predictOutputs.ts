import type { Dataset } from "../data/dataset.ts";
import type { SequencePredictor } from "../models/sequencePredictor.ts";
import * as torch from "../torch/index.ts";
import type { BaseObjective } from "./baseObjective.ts";
import { countTargets } from "./losses.ts";
import type { SampleCategories } from "./sampleCategories.ts";
import { mapSampleSet, type SampleSetOptions } from "./sampleSets.ts";

export interface PredictOptions extends SampleSetOptions {
  categories: SampleCategories | null;
  /** Give what this is judged by as well. */
  objective?: BaseObjective | null;
  /** Judge predicted counts; see `countTargets`. */
  counts?: { countForm: "scaled" | "raw"; largestCount: number };
}

export interface PredictedOutputs {
  /** [N, ...] on the CPU, as the model gives them. */
  target: torch.Tensor;
  /** [N, ...] on the CPU. */
  base: torch.Tensor | null;
  /** Errors of the counts as the head learns them; null without a count head. */
  count: { mse: number; mae: number } | null;
}

/** Runs a predictor in evaluation over some samples of a data set. */
export function predictOutputs(
  model: SequencePredictor,
  dataset: Dataset,
  samples: Int32Array,
  options: PredictOptions,
): PredictedOutputs {
  const { device, categories, objective = null, counts } = options;
  const bases: torch.Tensor[] = [];
  const order: number[] = [];
  const sums = { squared: 0, absolute: 0, slots: 0 };
  const encoder = model.baseModel.sampleEncoder.asvEncoder;
  const target = mapSampleSet(encoder, dataset, samples, options, ({ input, asvEmbeddings, rows }) => {
    const own = rows.map((row) => samples[row]);
    const result = model.forward(input, { asvEmbeddings, categories: categories?.ids(own, device) });
    if (objective) {
      bases.push(objective.output(result.base).to({ device: "cpu", copy: true }).detachFromScope());
      order.push(...rows);
    }
    if (result.count && counts !== undefined) {
      const errors = result.count.squeeze(-1).sub(countTargets(input.counts, counts));
      const filled = input.asvIndex.ne(0);
      sums.squared += errors.square().mul(filled).sum().item();
      sums.absolute += errors.abs().mul(filled).sum().item();
      sums.slots += filled.sum().item();
    }
    return result.target;
  });
  const { squared, absolute, slots } = sums;
  return {
    target,
    base: bases.length > 0 ? inOrder(bases, order) : null,
    count: slots > 0 ? { mse: squared / slots, mae: absolute / slots } : null,
  };
}

/** Puts the rows of parts back to their places, and frees the parts. */
function inOrder(parts: torch.Tensor[], order: readonly number[]): torch.Tensor {
  const place = new BigInt64Array(order.length);
  order.forEach((row, i) => {
    place[row] = BigInt(i);
  });
  const whole = torch.tidy(() => torch.cat(parts).indexSelect(0, torch.tensor(place)));
  for (const part of parts) part.dispose();
  return whole;
}
