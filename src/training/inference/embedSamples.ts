import { tokenMatrix } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import type { OpenedRun } from "../run/open.ts";
import type { ResultColumn } from "../targets/predictionTable.ts";
import { mapSampleSet } from "./sampleSets.ts";

/**
 * Embeddings [N, D] of samples as the encoder pools them, on the CPU. Of a UniFrac encoder their Euclidean distances are the
 * predicted UniFrac distances, or what becomes these by tanh (`distanceFormOf`).
 */
export function embedSamples(
  { encoder, facts }: OpenedRun,
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
): torch.Tensor {
  const options = { device, batch: batchOptionsOf(facts.config.model) };
  return mapSampleSet(
    encoder.sampleEncoder.asvEncoder,
    dataset,
    samples,
    options,
    ({ input, asvEmbeddings }) => {
      let pooled: torch.Tensor | null = encoder.forward(input, { asvEmbeddings }).embeddings;
      // Encoders of another kind pool too, before their head.
      if (!pooled) {
        const { sampleEmbeddings, valid, packing } = encoder.sampleEncoder.forward(input, { asvEmbeddings });
        const mask = valid?.unsqueeze(1).unsqueeze(1) ?? null;
        pooled = encoder.attentionPooling.forward(
          encoder.encoderTransformer.forward(sampleEmbeddings, mask, packing),
          valid,
        );
      }
      return pooled;
    },
  );
}

/** Embeddings [A, D] of all ASVs of a data set, on the CPU. */
export function embedAsvs(
  { encoder, facts }: OpenedRun,
  dataset: Dataset,
  device: torch.Device,
): torch.Tensor {
  const { maxBases } = facts.config.model;
  const order = Array.from({ length: dataset.asvCount }, (_, i) => i).sort(
    (a, b) => dataset.asvTokens(a).length - dataset.asvTokens(b).length || a - b,
  );
  const perChunk = 256;
  return torch.inferenceMode(() =>
    torch.tidy(() => {
      const all = torch.zeros([dataset.asvCount, encoder.dim]);
      for (let from = 0; from < order.length; from += perChunk) {
        torch.tidy(() => {
          const chunk = order.slice(from, from + perChunk);
          const length = Math.min(maxBases + 1, dataset.asvTokens(chunk[chunk.length - 1]).length);
          const shape = [chunk.length, length];
          const tokens = torch.tensor(tokenMatrix(dataset, chunk, length), { shape, dtype: "int64", device });
          const { embeddings } = encoder.sampleEncoder.asvEncoder.forward(tokens);
          const places = torch.tensor(BigInt64Array.from(chunk, BigInt));
          all.indexCopy_(0, places, embeddings.to({ device: "cpu", dtype: "float32" }));
        });
      }
      return all;
    }),
  );
}

/** Rows of an embedding [N, D] as a table: an id column and `e0`, `e1`, ... */
export function embeddingColumns(
  idName: string,
  ids: readonly string[],
  embeddings: torch.Tensor,
): ResultColumn[] {
  const [rows, dim] = embeddings.shape;
  const values = embeddings.toFloat32Array();
  return [
    { name: idName, values: ids },
    ...Array.from({ length: dim }, (_, d) => ({
      name: `e${d}`,
      values: Float64Array.from({ length: rows }, (_row, i) => values[i * dim + d]),
    })),
  ];
}
