import type { Batch } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import type { SequenceEncoding } from "../../models/sequenceEncoder.ts";
import { SetEncoder } from "../../models/setEncoder.ts";
import * as torch from "../../torch/index.ts";
import { AsvTable } from "./asvTable.ts";
import { mapSampleSet, type SampleSetOptions } from "./mapSampleSet.ts";

/** Values kept for whole samples at most; beyond that only ASVs are kept and samples encoded anew. */
const mostValues = 2 ** 29;

/**
 * What a frozen encoder makes of a data set, computed once: of every slot of every sample where that is
 * always the same and fits into memory; else, and of a set encoder, of every ASV.
 */
export class FrozenEncoderCache {
  /** [slots of all samples + 1, D], row 0 zeros, and where each sample's begin; or null. */
  readonly #slots: torch.Tensor | null = null;
  readonly #starts: Float64Array;
  readonly #asvs: AsvTable | null = null;

  readonly #options: SampleSetOptions & { maxValues?: number };

  constructor(encoder: Encoder, dataset: Dataset, options: SampleSetOptions & { maxValues?: number }) {
    this.#options = options;
    const { batch, device, maxValues = mostValues } = options;
    const { tokenLimit = 1024 } = batch;
    this.#starts = new Float64Array(dataset.sampleCount + 1);
    let changes = false;
    for (let i = 0; i < dataset.sampleCount; i++) {
      const richness = dataset.richness(i);
      this.#starts[i + 1] = this.#starts[i] + Math.min(richness, tokenLimit);
      changes ||= richness > tokenLimit && batch.asvSampling === "random";
    }
    const slots = this.#starts[dataset.sampleCount];
    const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
    if (encoder instanceof SetEncoder || changes || slots * encoder.dim > maxValues) {
      this.#asvs = new AsvTable(encoder, dataset, all, options);
      return;
    }
    const kept = torch.noGrad(() => torch.zeros([slots + 1, encoder.dim], { device }).detachFromScope());
    // Encoded as in evaluation, then copied to their places row by row.
    mapSampleSet(encoder.asvEncoder, dataset, all, options, ({ input, asvEmbeddings, rows }) => {
      const { sampleEmbeddings } = encoder.sampleEncoder.forward(input, { asvEmbeddings });
      rows.forEach((row, i) => {
        const count = this.#starts[row + 1] - this.#starts[row];
        if (count === 0) return;
        const own = sampleEmbeddings.select(0, i).narrow(0, 0, count).to("float32");
        kept.narrow(0, 1 + this.#starts[row], count).copy_(own);
      });
      return torch.zeros([rows.length, 1]);
    });
    this.#slots = kept;
  }

  /** What to give the predictor with a batch made without tokens, and the batch's part of the request. */
  request(batch: Batch, input: RaggedBatch): { encoding?: SequenceEncoding; asvEmbeddings?: torch.Tensor } {
    if (this.#asvs) return { asvEmbeddings: this.#asvs.ofBatch(batch) };
    const index = new BigInt64Array(batch.samples * batch.slots);
    batch.sampleIndices.forEach((sample, i) => {
      const start = this.#starts[sample] + 1;
      for (let slot = 0; slot < batch.slots && batch.asvIndex[i * batch.slots + slot] !== 0; slot++)
        index[i * batch.slots + slot] = BigInt(start + slot);
    });
    const shape = [batch.samples, batch.slots];
    const places = torch.tensor(index, { shape }).to(this.#options.device);
    return {
      encoding: {
        sampleEmbeddings: torch.embedding(this.#slots!, places),
        valid: input.hasSamplePadding ? input.asvIndex.ne(0) : null,
        packing: input.samplePacking ?? null,
        embeddings: null,
        features: null,
        basePrediction: null,
        combined: null,
        nucleotides: null,
      },
    };
  }

  dispose(): void {
    this.#slots?.dispose();
    this.#asvs?.dispose();
  }
}
