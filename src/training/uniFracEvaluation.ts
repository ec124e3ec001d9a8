import { Random } from "../common/random.ts";
import { BatchBuilder, type BatchOptions } from "../data/batch.ts";
import type { Dataset } from "../data/dataset.ts";
import { withEmptyRow } from "../models/sampleSequenceEncoder.ts";
import type { SequenceEncoder } from "../models/sequenceEncoder.ts";
import * as torch from "../torch/index.ts";
import { RegressionMetrics, type RegressionResult } from "./metrics.ts";

export interface EmbedOptions {
  device: torch.Device;
  batch: BatchOptions;
  /** ASVs encoded at a time. */
  asvsPerChunk?: number;
  /** Empty or filled slots (samples x ASVs of the richest) at a time. */
  slotsPerChunk?: number;
}

/**
 * The embeddings [N, D] of samples, on the CPU, in the order given. Each distinct ASV is encoded once; samples of similar richness go
 * through together. No gradients are recorded.
 */
export function embedSampleSet(
  model: SequenceEncoder,
  dataset: Dataset,
  samples: Int32Array,
  options: EmbedOptions,
): torch.Tensor {
  return torch.inferenceMode(() =>
    torch.tidy(() => {
      const builder = new BatchBuilder(dataset, options.batch);
      // Random ASV sampling is the same in every evaluation.
      const whole = builder.build(samples, new Random(0));
      const { device, asvsPerChunk = 256, slotsPerChunk = 1 << 14 } = options;
      const asvs = embedAllAsvs(model, whole, device, asvsPerChunk);
      const order = Array.from(samples.keys()).sort((a, b) => slotsOf(whole, a) - slotsOf(whole, b));
      const parts: torch.Tensor[] = [];
      for (let start = 0; start < order.length; ) {
        const rows: number[] = [];
        let slots = 0;
        while (start < order.length) {
          const wider = Math.max(slots, slotsOf(whole, order[start]), 1);
          if (rows.length > 0 && wider * (rows.length + 1) > slotsPerChunk) break;
          slots = wider;
          rows.push(order[start++]);
        }
        parts.push(embedRows(model, whole, asvs, rows, slots, device));
      }
      const place = new BigInt64Array(order.length);
      order.forEach((row, i) => {
        place[row] = BigInt(i);
      });
      return torch.cat(parts).indexSelect(0, torch.tensor(place));
    }),
  );
}

type WholeBatch = ReturnType<BatchBuilder["build"]>;

function slotsOf(batch: WholeBatch, row: number): number {
  let slots = 0;
  const start = row * batch.slots;
  while (slots < batch.slots && batch.asvIndex[start + slots] !== 0) slots++;
  return slots;
}

/** [U + 1, D] on the device, row 0 zeros. ASVs come ordered by length, so a chunk is trimmed to its longest. */
function embedAllAsvs(
  model: SequenceEncoder,
  batch: WholeBatch,
  device: torch.Device,
  perChunk: number,
): torch.Tensor {
  const parts: torch.Tensor[] = [];
  for (let from = 0; from < batch.distinct; from += perChunk) {
    const to = Math.min(batch.distinct, from + perChunk);
    parts.push(
      torch.tidy(() => {
        const length = batch.asvLengths[to - 1];
        const chunk = batch.asvTokens.subarray(from * batch.tokens, to * batch.tokens);
        const tokens = torch.tensor(chunk, { shape: [to - from, batch.tokens] }).narrow(1, 0, length);
        const hasPadding = chunk.includes(0);
        return model.sampleEncoder.asvEncoder.forward(tokens.to({ dtype: "int64", device }), { hasPadding })
          .embeddings;
      }),
    );
  }
  return withEmptyRow(torch.cat(parts));
}

function embedRows(
  model: SequenceEncoder,
  batch: WholeBatch,
  asvs: torch.Tensor,
  rows: readonly number[],
  slots: number,
  device: torch.Device,
): torch.Tensor {
  const index = new Int32Array(rows.length * slots);
  const counts = new Float32Array(rows.length * slots);
  rows.forEach((row, i) => {
    const start = row * batch.slots;
    index.set(batch.asvIndex.subarray(start, start + slots), i * slots);
    counts.set(batch.counts.subarray(start, start + slots), i * slots);
  });
  return torch.tidy(() => {
    const shape = [rows.length, slots];
    const input = {
      asvTokens: torch.empty([0, 0], { dtype: "int64", device }),
      asvIndex: torch.tensor(index, { shape, dtype: "int64", device }),
      counts: torch.tensor(counts, { shape, device }),
      multiplicity: torch.empty([0], { device }),
      hasAsvPadding: false,
      hasSamplePadding: index.includes(0),
    };
    return model.forward(input, { asvEmbeddings: asvs }).embeddings!.to("cpu");
  });
}

/** Predicted against true distances over all pairs of some samples, and the pairs themselves for plots. */
export interface PairEvaluation {
  result: RegressionResult;
  /** The first `keep` pairs of an evenly spread selection. */
  predicted: Float32Array;
  actual: Float32Array;
}

/**
 * Compares distances between embeddings [N, D] with the true ones over all pairs whose distance is known. `predict` turns rows of
 * Euclidean distances into predictions (the identity for raw distances). At most `keep` pairs are returned.
 */
export function evaluatePairs(
  embeddings: torch.Tensor,
  distancesOf: (samples: Int32Array) => Float32Array,
  samples: Int32Array,
  predict: (distances: torch.Tensor) => torch.Tensor,
  keep = 20_000,
): PairEvaluation {
  using _scope = torch.scope();
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
      predict(torch.cdist(embeddings.narrow(0, from, to - from), embeddings)).to("float32"),
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
