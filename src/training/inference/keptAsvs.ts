import { type Batch, tokenMatrix } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { SequenceEncoder } from "../../models/sequenceEncoder.ts";
import * as torch from "../../torch/index.ts";
import type { SampleSetOptions } from "./sampleSets.ts";

/**
 * The embeddings of all ASVs of some samples, encoded once as in evaluation and kept: what follows is computed from them, without
 * gradients into the ASV encoder.
 */
export class KeptAsvs implements Disposable {
  /** [ASVs of the data set + 1, D], row 0 zeros. */
  readonly #table: torch.Tensor;

  constructor(
    encoder: SequenceEncoder,
    dataset: Dataset,
    samples: Int32Array,
    private readonly options: SampleSetOptions,
  ) {
    const wasTraining = encoder.training;
    encoder.eval();
    this.#table = torch.noGrad(() => encodeAsvs(encoder, dataset, samples, options).detachFromScope());
    encoder.train(wasTraining);
  }

  /** [U + 1, D]: the embeddings of a batch's ASVs behind a row of zeros, as `EncodeRequest.asvEmbeddings` wants them. */
  ofBatch(batch: Batch): torch.Tensor {
    const rows = BigInt64Array.from({ length: batch.distinct + 1 }, (_, i) =>
      i === 0 ? 0n : BigInt(batch.asvRows[i - 1] + 1),
    );
    return this.#table.indexSelect(0, torch.tensor(rows).to(this.options.device));
  }

  dispose(): void {
    this.#table.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function encodeAsvs(
  encoder: SequenceEncoder,
  dataset: Dataset,
  samples: Int32Array,
  options: SampleSetOptions,
): torch.Tensor {
  const { maxBases = 150 } = options.batch;
  const { device, asvsPerChunk = 256 } = options;
  return torch.tidy(() => {
    const used = new Set<number>();
    for (const sample of samples) for (const asv of dataset.sample(sample).asvs) used.add(asv);
    const rows = [...used].sort((a, b) => dataset.asvTokens(a).length - dataset.asvTokens(b).length);
    const table = torch.zeros([dataset.asvCount + 1, encoder.dim], { device });
    for (let from = 0; from < rows.length; from += asvsPerChunk) {
      torch.tidy(() => {
        const chunk = rows.slice(from, from + asvsPerChunk);
        const length = Math.min(maxBases + 1, dataset.asvTokens(chunk[chunk.length - 1]).length);
        const tokens = torch.tensor(tokenMatrix(dataset, chunk, length), {
          shape: [chunk.length, length],
          dtype: "int64",
        });
        const { embeddings } = encoder.sampleEncoder.asvEncoder.forward(tokens.to(device));
        const places = torch.tensor(BigInt64Array.from(chunk, (row) => BigInt(row + 1))).to(device);
        table.indexCopy_(0, places, embeddings.to("float32"));
      });
    }
    return table;
  });
}
