import { Random } from "../../common/random/random.ts";
import { type Batch, BatchBuilder, type BatchOptions, tokenMatrix } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { tokenCount } from "../../data/sequences/tokenizer.ts";
import { AsvCodes } from "../../models/asvCodes.ts";
import type { EncoderOfAsvs } from "../../models/encoder.ts";
import { packingOn } from "../../models/packing.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import { withEmptyRow } from "../../models/sampleSequenceEncoder.ts";
import * as torch from "../../torch/index.ts";
import { currentShare, gatherRows, partOf, type Share } from "../ranks/share.ts";
import { type EncodeAsvsOptions, encodeAsvs } from "./encodeAsvs.ts";
import { joinRows } from "./joinRows.ts";

export interface SampleSetOptions extends EncodeAsvsOptions {
  readonly batch: BatchOptions;
  /** Empty or filled slots (samples x ASVs of the richest) at a time. */
  readonly slotsPerChunk?: number;
  /**
   * Where several ranks run, each computes a part, and all have the whole result; all must
   * call it then. Default false.
   */
  readonly shared?: boolean;
  /** Decides random ASV sampling. Default 0: the same in every evaluation. */
  readonly seed?: number;
  /** The column of an ASV, for `RaggedBatch.asvColumns`. Default none. */
  readonly columnOf?: (tokens: Uint8Array) => number;
}

/** Some samples of a set, as the model gets them. */
export interface SampleRows {
  readonly input: RaggedBatch;
  /** [U + 1, D] of the whole set's ASVs, row 0 zeros; `input.asvIndex` refers to it. */
  readonly asvEmbeddings: torch.Tensor;
  /** Positions in the list of samples. */
  readonly rows: readonly number[];
  /** [U] Which ASVs of the data set the set has. */
  readonly asvRows: Int32Array;
}

/**
 * Runs a model over samples, and returns its results [N, ...] on the CPU in the order given. Each distinct
 * ASV is encoded once; samples of similar richness go through together. No gradients are recorded.
 */
export function mapSampleSet(
  encoder: EncoderOfAsvs,
  dataset: Dataset,
  samples: Int32Array,
  options: SampleSetOptions,
  run: (chunk: SampleRows) => torch.Tensor,
): torch.Tensor {
  return torch.inferenceMode(() =>
    torch.tidy(() => {
      const { device, batch, slotsPerChunk = 1 << 14, seed = 0, onProgress } = options;
      const builder = new BatchBuilder(dataset, { ...batch, withoutTokens: true });
      const whole = builder.build(samples, new Random(seed));
      const share = options.shared ? currentShare() : null;
      const asvEmbeddings = withEmptyRow(encodeShared(encoder, dataset, whole.asvRows, options, share));
      const asvWords = wordsOf(encoder, dataset, whole, options);
      const asvColumns = columnsOf(dataset, whole, options);
      const { from, to } = share ? workOf(samples.length, share) : { from: 0, to: samples.length };
      const order = Array.from({ length: to - from }, (_, i) => from + i);
      order.sort((a, b) => slotsOf(whole, a) - slotsOf(whole, b));
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
        parts.push(
          torch.tidy(() =>
            run({
              input: { ...chunkInput(whole, rows, slots, device), asvWords, asvColumns },
              asvEmbeddings,
              rows,
              asvRows: whole.asvRows,
            }).to("cpu"),
          ),
        );
        onProgress?.("Encoding samples", { done: start, total: order.length, unit: "samples" });
      }
      const own = joinRows(
        parts,
        order.map((row) => row - from),
      );
      return share ? gatherRows(own, samples.length, share) : own;
    }),
  );
}

/**
 * What a rank computes of `total` things: its part, or one thing where that is empty, so
 * that all ranks do the same.
 */
function workOf(total: number, share: Share): { from: number; to: number } {
  const { from, to } = partOf(total, share);
  if (to > from) return { from, to };
  const place = Math.min(from, total - 1);
  return { from: place, to: place + 1 };
}

/** Embeddings of ASVs, of which each rank encodes a part. */
function encodeShared(
  encoder: EncoderOfAsvs,
  dataset: Dataset,
  asvs: Int32Array,
  options: SampleSetOptions,
  share: Share | null,
): torch.Tensor {
  if (!share) return encodeAsvs(encoder, dataset, asvs, options);
  const { from, to } = workOf(asvs.length, share);
  return gatherRows(encodeAsvs(encoder, dataset, asvs.subarray(from, to), options), asvs.length, share);
}

/** The words [U, W] of a batch's ASVs, for each way in which the encoder compares samples by them. */
function wordsOf(
  encoder: EncoderOfAsvs,
  dataset: Dataset,
  { asvRows, asvLengths }: Batch,
  { device, batch }: SampleSetOptions,
): readonly torch.Tensor[] {
  const compared = encoder instanceof AsvCodes ? encoder.compared : [];
  if (compared.length === 0 || asvRows.length === 0) return [];
  const width = Math.min(asvLengths[asvRows.length - 1], tokenCount(batch.maxBp ?? 150));
  const tokens = torch.tensor(tokenMatrix(dataset, asvRows, width), {
    shape: [asvRows.length, width],
    device,
  });
  return compared.map((index) => index.rowsOf(tokens));
}

/** The columns [U] of a batch's ASVs, where they are asked for. */
function columnsOf(
  dataset: Dataset,
  { asvRows }: Batch,
  { device, columnOf }: SampleSetOptions,
): torch.Tensor | undefined {
  if (!columnOf) return undefined;
  const columns = BigInt64Array.from(Array.from(asvRows), (asv) => BigInt(columnOf(dataset.asvTokens(asv))));
  return torch.tensor(columns).to(device);
}

function slotsOf(batch: Batch, row: number): number {
  let slots = 0;
  const start = row * batch.slots;
  while (slots < batch.slots && batch.asvIndex[start + slots] !== 0) slots++;
  return slots;
}

function chunkInput(batch: Batch, rows: readonly number[], slots: number, device: torch.Device): RaggedBatch {
  const index = new Int32Array(rows.length * slots);
  const counts = new Float32Array(rows.length * slots);
  rows.forEach((row, i) => {
    const start = row * batch.slots;
    index.set(batch.asvIndex.subarray(start, start + slots), i * slots);
    counts.set(batch.counts.subarray(start, start + slots), i * slots);
  });
  const shape = [rows.length, slots];
  return {
    asvTokens: torch.empty([0, 0], { dtype: "int64", device }),
    asvIndex: torch.tensor(index, { shape, dtype: "int64", device }),
    counts: torch.tensor(counts, { shape, device }),
    multiplicity: torch.empty([0], { device }),
    hasAsvPadding: false,
    hasSamplePadding: index.includes(0),
    samplePacking: packingOn(device, index, rows.length, slots),
  };
}
