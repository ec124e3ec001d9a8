import { Random } from "../../common/random/random.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { Reservoir } from "../../display/reservoir.ts";
import { RegressionMetrics } from "../../metrics/metrics.ts";
import type { SequencePredictor } from "../../models/sequencePredictor.ts";
import type * as torch from "../../torch/index.ts";
import { joinRows } from "../encoding/joinRows.ts";
import { mapSampleSet, type SampleSetOptions } from "../encoding/mapSampleSet.ts";
import { countTargets } from "../objectives/losses.ts";
import type { BaseObjective } from "../objectives/objective.ts";
import type { PairEvaluation } from "../objectives/pairEvaluation.ts";
import type { SampleCategories } from "../targets/sampleCategories.ts";

/** Slots whose counts are drawn. */
const keptCounts = 2000;

export interface PredictOptions extends SampleSetOptions {
  readonly categories: SampleCategories | null;
  /** Give what this is judged by as well. */
  readonly objective?: BaseObjective | null;
  /** Judge predicted counts; see `countTargets`. */
  readonly counts?: { readonly countForm: "scaled" | "raw"; readonly largestCount: number };
}

export interface PredictedOutputs {
  /** [N, ...] on the CPU, as the model gives them. */
  readonly target: torch.Tensor;
  /** [N, ...] on the CPU. */
  readonly base: torch.Tensor | null;
  /** Predicted counts against true ones, as the head learns them; null without a count head. */
  readonly count: PairEvaluation | null;
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
  const judged = new RegressionMetrics();
  const kept = new Reservoir(keptCounts, 2, new Random(0));
  const encoder = model.baseModel.asvEncoder;
  // What is collected beside the result is of the samples that this process computes.
  const shared = objective === null && counts === undefined;
  const columnOf = model.asvBlocks?.lookUp();
  const target = mapSampleSet(
    encoder,
    dataset,
    samples,
    { ...options, shared, columnOf },
    ({ input, asvEmbeddings, rows }) => {
      const own = rows.map((row) => samples[row]);
      const result = model.forward(input, { asvEmbeddings, categories: categories?.ids(own, device) });
      if (objective) {
        bases.push(objective.output(result.base).to({ device: "cpu", copy: true }).detachFromScope());
        order.push(...rows);
      }
      if (result.count && counts !== undefined) {
        const filled = input.asvIndex.ne(0);
        const ofSlots = (values: torch.Tensor) => values.maskedSelect(filled).to("float32").toFloat32Array();
        const predicted = ofSlots(result.count.squeeze(-1));
        const actual = ofSlots(countTargets(input.counts, counts));
        judged.update(predicted, actual);
        kept.offer(predicted, actual);
      }
      return result.target;
    },
  );
  const base = bases.length > 0 ? joinRows(bases, order) : null;
  for (const part of bases) part.dispose();
  return {
    target,
    base,
    count:
      kept.seen > 0 ? { result: judged.result(), predicted: kept.column(0), actual: kept.column(1) } : null,
  };
}
