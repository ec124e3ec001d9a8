import type { Dataset } from "../../data/dataset/dataset.ts";
import { type Taxonomy, taxonName } from "../../data/taxonomy/read.ts";
import type { AsvEncoder } from "../../models/asvEncoder.ts";
import type { AttentionPooling } from "../../models/attentionPooling.ts";
import type { EncoderOfAsvs } from "../../models/encoder.ts";
import * as torch from "../../torch/index.ts";
import { mapAsvChunks } from "../encoding/encodeAsvs.ts";
import { mapSampleSet, type SampleRows, type SampleSetOptions } from "../encoding/mapSampleSet.ts";
import type { ResultColumn } from "../targets/predictionTable.ts";

/** Runs `fn` and gives the weights of every pooling meanwhile to `observe`. */
function observing<T>(pooling: AttentionPooling, observe: (weights: torch.Tensor) => void, fn: () => T): T {
  pooling.observer = observe;
  try {
    return fn();
  } finally {
    pooling.observer = null;
  }
}

/**
 * How much each ASV of each sample counted in a pooling over the sample's ASVs; the weights of a sample add
 * up to 1. One row for each sample and ASV, the weightiest first.
 */
export function sampleAttention(
  dataset: Dataset,
  samples: Int32Array,
  options: SampleSetOptions,
  model: { encoder: EncoderOfAsvs; pooling: AttentionPooling; forward: (chunk: SampleRows) => void },
): ResultColumn[] {
  const found: { row: number; asv: number; count: number; weight: number }[] = [];
  mapSampleSet(model.encoder, dataset, samples, options, (chunk) => {
    const { input, rows, asvRows } = chunk;
    let weights: Float32Array | null = null;
    observing(
      model.pooling,
      (shares) => {
        weights = shares.to({ device: "cpu", dtype: "float32" }).toFloat32Array();
      },
      () => model.forward(chunk),
    );
    const index = input.asvIndex.to("cpu").toFloat64Array();
    const counts = input.counts.to("cpu").toFloat32Array();
    const slots = input.asvIndex.size(1);
    rows.forEach((row, i) => {
      for (let slot = 0; slot < slots; slot++) {
        const at = i * slots + slot;
        if (index[at] === 0) break;
        found.push({ row, asv: asvRows[index[at] - 1], count: counts[at], weight: weights![at] });
      }
    });
    return torch.zeros([rows.length, 1]);
  });
  found.sort((a, b) => a.row - b.row || b.weight - a.weight);
  return [
    { name: "sample_id", values: found.map(({ row }) => dataset.sampleIds[samples[row]]) },
    { name: "asv_id", values: found.map(({ asv }) => dataset.asvId(asv)) },
    { name: "count", values: Float64Array.from(found, ({ count }) => count) },
    { name: "weight", values: Float64Array.from(found, ({ weight }) => weight) },
  ];
}

/**
 * How much each position of each ASV counted in the pooling over its bases: `start`, then
 * `1` ... ; 0 beyond its end.
 * The weight of a word of several bases is shared by them equally.
 */
export function positionAttention(
  dataset: Dataset,
  encoder: AsvEncoder,
  options: SampleSetOptions,
): ResultColumn[] {
  const { maxBp = 150 } = options.batch;
  const rows = Array.from({ length: dataset.asvCount }, (_, i) => i);
  const longest = Math.min(maxBp, dataset.manifest.counts.longestAsv - 1);
  const length = longest + 1;
  const weights = new Float64Array(rows.length * length);
  torch.inferenceMode(() =>
    mapAsvChunks(dataset, rows, options, ({ tokens, padding, places }) => {
      const store = (shares: torch.Tensor) => {
        const values = shares.to("cpu").toFloat64Array();
        const perWord = encoder.basesPerToken;
        const words = Math.ceil(tokens.size(1) / perWord);
        places.forEach((place, i) => {
          const end = Math.min(dataset.asvTokens(rows[place]).length, length);
          for (let at = 0; at < end; at++) {
            const word = Math.floor(at / perWord);
            const bases = Math.min(perWord, end - word * perWord);
            weights[place * length + at] = values[i * words + word] / bases;
          }
        });
      };
      observing(encoder.attentionPooling, store, () => encoder.forward(tokens, padding));
    }),
  );
  return [
    { name: "asv_id", values: rows.map((row) => dataset.asvId(row)) },
    ...Array.from({ length }, (_, position) => ({
      name: position === 0 ? "start" : String(position),
      values: Float64Array.from(rows, (_row, i) => weights[i * length + position]),
    })),
  ];
}

/**
 * A table of ASVs with the name of each in a column `taxon` behind `asv_id`; "" where the taxonomy lacks
 * it.
 */
export function withTaxa(columns: readonly ResultColumn[], taxonomy: Taxonomy | undefined): ResultColumn[] {
  if (taxonomy === undefined) return [...columns];
  const nameOf = (id: string | number) => taxonName(taxonomy, String(id)) ?? "";
  return columns.flatMap((column) =>
    column.name === "asv_id" ? [column, { name: "taxon", values: [...column.values].map(nameOf) }] : [column],
  );
}
