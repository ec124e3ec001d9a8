import { RegressionMetrics, type RegressionResult } from "../../metrics/metrics.ts";
import { type DistanceForm, distancesBetween } from "../../models/pairwiseDistances.ts";
import * as torch from "../../torch/index.ts";
import { chooseJudged, judgedOf } from "./judgedSamples.ts";

/** Predicted against true distances over all pairs of some samples, and the pairs themselves for plots. */
export interface PairEvaluation {
  readonly result: RegressionResult;
  /** The first `keep` pairs of an evenly spread selection. */
  readonly predicted: Float32Array | Float64Array;
  readonly actual: Float32Array | Float64Array;
  /** Of several studies: the figures of each, whose means are `result`. */
  readonly studies?: Readonly<Record<string, RegressionResult>>;
  /** Of several metrics: all, by name; the rest is that of the first. */
  readonly metrics?: Readonly<Record<string, PairEvaluation>>;
  /** What training makes small, where it is not `result.mse`. */
  readonly loss?: number;
}

/** What was compared, by metric; `metric` is the name of a single one. */
export function partsByMetric(
  pairs: PairEvaluation | null,
  metric: string,
): readonly (readonly [string, PairEvaluation])[] {
  return Object.entries(pairs?.metrics ?? (pairs ? { [metric]: pairs } : {}));
}

/**
 * Compares distances between embeddings [N, D] with the true ones over all pairs whose distance is known, as
 * `form` predicts them; of more than a few thousand samples over the pairs of those that `chooseJudged`
 * names. At most `keep` pairs are returned.
 */
export function evaluatePairs(
  embeddings: torch.Tensor,
  distancesOf: (samples: Int32Array) => Float32Array,
  samples: Int32Array,
  form: DistanceForm,
  keep = 20_000,
): PairEvaluation {
  using _scope = torch.scope();
  const chosen = chooseJudged(samples.length);
  if (chosen !== null) {
    const rows = torch.tensor(chosen, { dtype: "int64" });
    return evaluatePairs(embeddings.indexSelect(0, rows), distancesOf, judgedOf(samples), form, keep);
  }
  const n = samples.length;
  const actual = distancesOf(samples);
  const metrics = new RegressionMetrics();
  const pairs = (n * (n - 1)) / 2;
  const stride = Math.max(1, Math.ceil(pairs / keep));
  const kept: { predicted: number[]; actual: number[] } = { predicted: [], actual: [] };
  const rowsPerBlock = Math.max(1, Math.floor((1 << 22) / Math.max(n, 1)));
  let pair = 0;
  for (let from = 0; from < n; from += rowsPerBlock) {
    const to = Math.min(n, from + rowsPerBlock);
    const block = torch.tidy(() =>
      distancesBetween(embeddings.narrow(0, from, to - from), embeddings, form).to("float32"),
    );
    const values = block.toFloat32Array();
    const known: number[] = [];
    const truth: number[] = [];
    for (let i = from; i < to; i++) {
      for (let j = i + 1; j < n; j++, pair++) {
        const target = actual[i * n + j];
        if (Number.isNaN(target)) continue;
        const predicted = values[(i - from) * n + j];
        known.push(predicted);
        truth.push(target);
        if (pair % stride === 0) {
          kept.predicted.push(predicted);
          kept.actual.push(target);
        }
      }
    }
    metrics.update(Float32Array.from(known), Float32Array.from(truth));
    block.dispose();
  }
  return {
    result: metrics.result(),
    predicted: Float32Array.from(kept.predicted),
    actual: Float32Array.from(kept.actual),
  };
}
