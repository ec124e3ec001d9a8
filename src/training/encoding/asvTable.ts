import type { Batch } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { Encoder } from "../../models/encoder.ts";
import { withEmptyRow } from "../../models/sampleSequenceEncoder.ts";
import * as torch from "../../torch/index.ts";
import { asvsOf, type EncodeAsvsOptions, encodeAsvs } from "./encodeAsvs.ts";

/**
 * Embeddings of all ASVs of some samples, computed once without dropout. Used while
 * the ASV encoder is frozen.
 */
export class AsvTable implements Disposable {
  /** [n + 1, D], row 0 zeros. */
  readonly #table: torch.Tensor;
  /** The row of each of the data set's ASVs; 0 of those that none of the samples has. */
  readonly #rowOf: Int32Array;
  readonly #device: torch.Device;

  constructor(encoder: Encoder, dataset: Dataset, samples: Int32Array, options: EncodeAsvsOptions) {
    const { asvEncoder } = encoder;
    const asvs = asvsOf(dataset, samples);
    this.#device = options.device;
    this.#rowOf = new Int32Array(dataset.asvCount);
    asvs.forEach((asv, i) => {
      this.#rowOf[asv] = i + 1;
    });
    const wasTraining = encoder.training;
    encoder.eval();
    this.#table = torch.noGrad(() =>
      torch
        .tidy(() => withEmptyRow(encodeAsvs(asvEncoder, dataset, asvs, options)).to("float32"))
        .detachFromScope(),
    );
    encoder.train(wasTraining);
  }

  /**
   * [U + 1, D]: the embeddings of a batch's ASVs behind a row of zeros, as
   * `EncodeRequest.asvEmbeddings` wants them.
   */
  ofBatch(batch: Batch): torch.Tensor {
    const rows = BigInt64Array.from({ length: batch.distinct + 1 }, (_, i) =>
      i === 0 ? 0n : BigInt(this.#rowOf[batch.asvRows[i - 1]]),
    );
    return this.#table.indexSelect(0, torch.tensor(rows).to(this.#device));
  }

  dispose(): void {
    this.#table.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
