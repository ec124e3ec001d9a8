import type { Batch } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { AsvSum } from "../../models/asvSum.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import * as torch from "../../torch/index.ts";
import { mapSampleSet, type SampleSetOptions } from "./mapSampleSet.ts";

/** Values of the features of a chunk's slots at most, which bounds memory. */
const mostValues = 2 ** 24;

/**
 * Fits an `AsvSum` to a frozen encoder and the training samples, and keeps the sums of all
 * samples: they never change.
 */
export class AsvSumCache {
  /** [samples of the data set, F] */
  readonly #sums: torch.Tensor;

  readonly #options: SampleSetOptions;

  constructor(encoder: Encoder, sum: AsvSum, dataset: Dataset, train: Int32Array, options: SampleSetOptions) {
    this.#options = options;
    const { asvEncoder } = encoder;
    const slotsPerChunk = Math.max(1, Math.floor(mostValues / sum.features));
    const own = { ...options, slotsPerChunk };
    const sumsOf = (samples: Int32Array, first: (asvs: torch.Tensor) => void) => {
      let isFirst = true;
      return mapSampleSet(asvEncoder, dataset, samples, own, ({ input, asvEmbeddings }) => {
        if (isFirst) first(asvEmbeddings.narrow(0, 1, asvEmbeddings.size(0) - 1));
        isFirst = false;
        const slots = torch.embedding(asvEmbeddings, input.asvIndex, 0);
        return sum.forward(slots, input.hasSamplePadding ? input.asvIndex.ne(0) : null);
      });
    };
    torch.tidy(() => sum.fitScale(sumsOf(train, (asvs) => sum.fitWidth(asvs))));
    const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
    // A plain copy: what is made in inference mode cannot be used where gradients are recorded.
    this.#sums = torch.tidy(() => {
      const values = sumsOf(all, () => {});
      return torch
        .tensor(values.toFloat32Array(), { shape: values.shape })
        .to(options.device)
        .detachFromScope();
    });
  }

  /** What to give the predictor with a batch made without tokens. */
  request(batch: Batch, _input: RaggedBatch): { sums: torch.Tensor } {
    const rows = torch.tensor(BigInt64Array.from(batch.sampleIndices, BigInt)).to(this.#options.device);
    return { sums: this.#sums.indexSelect(0, rows) };
  }

  dispose(): void {
    this.#sums.dispose();
  }
}
