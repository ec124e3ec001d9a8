import type { ReportProgress } from "../../common/progress.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { noScaling } from "../../data/encoding/scaling.ts";
import type { Encoder } from "../../models/encoder.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import { keyMask } from "../../models/transformer.ts";
import * as torch from "../../torch/index.ts";
import { batchOptionsOf } from "../config/buildModel.ts";
import { encodeAsvs } from "../encoding/encodeAsvs.ts";
import { mapSampleSet, type SampleSetOptions } from "../encoding/mapSampleSet.ts";
import type { OpenedRun } from "../run/open.ts";
import type { ResultColumn } from "../targets/predictionTable.ts";
import { refuseNonFiniteOutputs } from "./finiteOutputs.ts";

/**
 * Embeddings [N, D] of samples as a run's encoder pools them, on the CPU. Of a UniFrac encoder their
 * Euclidean distances are the predicted UniFrac distances, or what becomes these by tanh (`distanceFormOf`).
 * @throws UserError if one is NaN or infinite.
 */
export function embedSamples(
  { encoder, facts, checkpoint }: OpenedRun,
  dataset: Dataset,
  samples: Int32Array,
  device: torch.Device,
  onProgress?: ReportProgress,
): torch.Tensor {
  const options = { device, batch: batchOptionsOf(facts.config.model), onProgress };
  const embeddings = embedSampleSet(encoder, dataset, samples, options);
  const ids = Array.from(samples, (sample) => dataset.sampleIds[sample]);
  refuseNonFiniteOutputs(embeddings.toFloat32Array(), ids, { checkpoint, what: "embeddings of samples" });
  return embeddings;
}

/** The embeddings [N, D] of samples, on the CPU, in the order given. */
export function embedSampleSet(
  encoder: Encoder,
  dataset: Dataset,
  samples: Int32Array,
  options: SampleSetOptions,
): torch.Tensor {
  return mapSampleSet(
    encoder.asvEncoder,
    dataset,
    samples,
    { ...options, shared: true },
    ({ input, asvEmbeddings }) => {
      const { embeddings } = encoder.forward(input, { asvEmbeddings });
      if (embeddings || encoder instanceof SetEncoder) return embeddings!;
      // Encoders of another kind pool too, before their head.
      const { sampleEncoder, encoderTransformer } = encoder;
      const { sampleEmbeddings, valid, packing } = sampleEncoder.forward(input, { asvEmbeddings });
      const encoded = encoderTransformer.forward(sampleEmbeddings, keyMask(valid), packing);
      return encoder.pool(encoded, valid, input);
    },
  );
}

/** What a set encoder that has learned Faith's PD says of samples with these embeddings [N, D]: a column. */
export function valueColumns({ encoder, facts }: OpenedRun, embeddings: torch.Tensor): ResultColumn[] {
  if (!(encoder instanceof SetEncoder) || !encoder.valueHead) return [];
  const { valueHead } = encoder;
  const { shift, scale } = facts.baseScaling ?? noScaling;
  const values = torch.noGrad(() =>
    torch.tidy(() => {
      const sizes = encoder.unionSizes(embeddings.to(valueHead.weight.device));
      return valueHead.forward(sizes).mul(scale).add(shift).to("float64").toFloat64Array();
    }),
  );
  return [{ name: "faith_pd", values }];
}

/** Embeddings [A, D] of all ASVs of a data set, on the CPU. @throws UserError if one is NaN or infinite. */
export function embedAsvs(
  { encoder, facts, checkpoint }: OpenedRun,
  dataset: Dataset,
  device: torch.Device,
  onProgress?: ReportProgress,
): torch.Tensor {
  const { asvEncoder } = encoder;
  const options = { device, batch: batchOptionsOf(facts.config.model), onProgress };
  const all = Array.from({ length: dataset.asvCount }, (_, i) => i);
  const embeddings = torch.inferenceMode(() =>
    torch.tidy(() =>
      encodeAsvs(asvEncoder, dataset, all, options)
        .narrow(1, 0, encoder.dim)
        .to({ device: "cpu", dtype: "float32" }),
    ),
  );
  const ids = all.map((row) => dataset.asvId(row));
  refuseNonFiniteOutputs(embeddings.toFloat32Array(), ids, { checkpoint, what: "embeddings of ASVs" });
  return embeddings;
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
