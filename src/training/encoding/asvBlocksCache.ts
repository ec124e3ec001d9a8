import type { Batch } from "../../data/batches/batch.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { tokenCount } from "../../data/sequences/tokenizer.ts";
import type { AsvBlocks } from "../../models/asvBlocks.ts";
import type { Encoder } from "../../models/encoder.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import * as torch from "../../torch/index.ts";
import { mapSampleSet, type SampleSetOptions } from "./mapSampleSet.ts";

/** Values of the features of a chunk's slots at most, which bounds memory. */
const mostValues = 2 ** 24;
/** ASVs with effects of their own at most, and values of all samples' features that are kept (1 GiB). */
const mostKnown = 2 ** 14;
const mostKept = 2 ** 28;

/**
 * The tokens of the ASVs that get effects of their own: those that the most training samples have, as far as
 * memory allows, and of several that read alike the first.
 */
export function knownAsvs(dataset: Dataset, train: Int32Array, maxBp = 150): Uint8Array[] {
  const samplesWith = new Int32Array(dataset.asvCount);
  for (const sample of train) for (const asv of dataset.sample(sample).asvs) samplesWith[asv]++;
  const found = new Map<string, { asv: number; samples: number }>();
  samplesWith.forEach((samples, asv) => {
    if (samples === 0) return;
    const key = dataset.asvTokens(asv).subarray(0, tokenCount(maxBp)).join();
    const own = found.get(key);
    found.set(key, { asv: own?.asv ?? asv, samples: samples + (own?.samples ?? 0) });
  });
  const most = Math.min(mostKnown, Math.max(1, Math.floor(mostKept / 2 / dataset.sampleCount)));
  return [...found.values()]
    .sort((a, b) => b.samples - a.samples || a.asv - b.asv)
    .slice(0, most)
    .map(({ asv }) => dataset.asvTokens(asv).slice(0, tokenCount(maxBp)));
}

/**
 * Fits `AsvBlocks` to a frozen encoder and the training samples, and keeps the features of all samples: they
 * never change.
 */
export class AsvBlocksCache {
  /** [samples of the data set, F] */
  readonly #features: torch.Tensor;
  readonly #device: torch.Device;

  constructor(
    encoder: Encoder,
    blocks: AsvBlocks,
    dataset: Dataset,
    { train, known }: { readonly train: Int32Array; readonly known: readonly Uint8Array[] },
    options: SampleSetOptions,
  ) {
    this.#device = options.device;
    const depths = Array.from(train, (sample) => dataset.sample(sample).counts.reduce((a, b) => a + b, 0));
    blocks.know(known, depths.reduce((a, b) => a + b, 0) / train.length);
    const slotsPerChunk = Math.max(1, Math.floor(mostValues / blocks.asvSum.features));
    const own = { ...options, slotsPerChunk, columnOf: blocks.lookUp() };
    const rawOf = (samples: Int32Array, first: (asvs: torch.Tensor) => void) => {
      let isFirst = true;
      return mapSampleSet(encoder.asvEncoder, dataset, samples, own, ({ input, asvEmbeddings }) => {
        if (isFirst) first(asvEmbeddings.narrow(0, 1, asvEmbeddings.size(0) - 1));
        isFirst = false;
        return blocks.raw(input, torch.embedding(asvEmbeddings, input.asvIndex, 0));
      });
    };
    torch.tidy(() => blocks.fit(rawOf(train, (asvs) => blocks.asvSum.fitWidth(asvs)).to(options.device)));
    const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
    // A plain copy: what is made in inference mode cannot be used where gradients are recorded.
    this.#features = torch.tidy(() => {
      const raw = rawOf(all, () => {});
      const plain = torch.tensor(raw.toFloat32Array(), { shape: raw.shape }).to(options.device);
      return blocks.finish(plain).detachFromScope();
    });
  }

  /** [samples, F] */
  featuresOf(samples: Int32Array): torch.Tensor {
    const rows = torch.tensor(BigInt64Array.from(samples, BigInt)).to(this.#device);
    return this.#features.indexSelect(0, rows);
  }

  /** What to give the predictor with a batch made without tokens. */
  request(batch: Batch, _input: RaggedBatch): { sums: torch.Tensor } {
    return { sums: this.featuresOf(batch.sampleIndices) };
  }

  dispose(): void {
    this.#features.dispose();
  }
}
