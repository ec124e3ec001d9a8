import type { ReportProgress } from "../../common/progress.ts";
import { tokenMatrix } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { tokenCount } from "../../data/sequences/tokenizer.ts";
import type { AsvRequest } from "../../models/asvEncoder.ts";
import type { EncoderOfAsvs } from "../../models/encoder.ts";
import { packingOn } from "../../models/packing.ts";
import * as torch from "../../torch/index.ts";
import { joinRows } from "./joinRows.ts";

export interface EncodeAsvsOptions {
  readonly device: torch.Device;
  /** Bases of an ASV that are read; default 150. */
  readonly batch: { readonly maxBp?: number };
  /** ASVs encoded at a time; default 256. */
  readonly asvsPerChunk?: number;
  readonly onProgress?: ReportProgress;
}

/** Some ASVs of a data set, of similar length. */
export interface AsvChunk {
  /** [n, L] int64 on the device: as long as the longest, padded with 0. */
  readonly tokens: torch.Tensor;
  /** What is known of the padding: given to the encoder, it makes padding cost nothing. */
  readonly padding: Pick<AsvRequest, "hasPadding" | "packing">;
  /** Positions of these ASVs in the list that was asked for. */
  readonly places: readonly number[];
}

/**
 * Runs a function over ASVs of a data set in chunks of similar length; of its tensors only those
 * that it returns are kept.
 */
export function mapAsvChunks<T>(
  dataset: Pick<Dataset, "asvTokens">,
  asvs: ArrayLike<number>,
  { device, batch, asvsPerChunk = 256, onProgress }: EncodeAsvsOptions,
  run: (chunk: AsvChunk) => T,
): T[] {
  const most = tokenCount(batch.maxBp ?? 150);
  const lengths = Array.from(asvs, (asv) => Math.min(dataset.asvTokens(asv).length, most));
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a] - lengths[b] || a - b);
  const chunk = (places: readonly number[]): AsvChunk => {
    const rows = places.map((place) => asvs[place]);
    const length = lengths[places[places.length - 1]];
    const values = tokenMatrix(dataset, rows, length);
    return {
      tokens: torch.tensor(values, { shape: [rows.length, length], dtype: "int64", device }),
      padding: { hasPadding: values.includes(0), packing: packingOn(device, values, rows.length, length) },
      places,
    };
  };
  return Array.from({ length: Math.ceil(order.length / asvsPerChunk) }, (_, i) => {
    const end = Math.min(order.length, (i + 1) * asvsPerChunk);
    const result = torch.tidy(() => run(chunk(order.slice(i * asvsPerChunk, end))));
    onProgress?.("Encoding ASVs", { done: end, total: order.length, unit: "ASVs" });
    return result;
  });
}

/** Embeddings [n, D] on the device of ASVs of a data set, in the order given. At least one is needed. */
export function encodeAsvs(
  encoder: EncoderOfAsvs,
  dataset: Pick<Dataset, "asvTokens">,
  asvs: ArrayLike<number>,
  options: EncodeAsvsOptions,
): torch.Tensor {
  return torch.tidy(() => {
    const order: number[] = [];
    const parts = mapAsvChunks(dataset, asvs, options, ({ tokens, padding, places }) => {
      order.push(...places);
      return encoder.forward(tokens, padding).embeddings;
    });
    return joinRows(parts, order);
  });
}

/** The distinct ASVs of some samples, ascending. */
export function asvsOf(dataset: Dataset, samples: Int32Array): number[] {
  const found = new Set<number>();
  for (const sample of samples) for (const asv of dataset.sample(sample).asvs) found.add(asv);
  return [...found].sort((a, b) => a - b);
}
