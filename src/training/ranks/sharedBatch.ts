import type { Batch } from "../../data/batches/batch.ts";
import type { NucleotidePrediction } from "../../models/asvEncoder.ts";
import type { EncoderOfAsvs } from "../../models/encoder.ts";
import { packingOn } from "../../models/packing.ts";
import { atLeastFloat32 } from "../../models/precision.ts";
import type { RaggedBatch } from "../../models/raggedBatch.ts";
import { withEmptyRow } from "../../models/sampleSequenceEncoder.ts";
import * as torch from "../../torch/index.ts";
import { gatherRows, partOf, type Share } from "./share.ts";

/** What a rank made of its ASVs, and all ranks of all. */
export interface SharedAsvs {
  /** [U + 1, D] of the whole batch behind a row of zeros: a leaf, into which gradients come. */
  readonly table: torch.Tensor;
  /** Of this rank's ASVs, where they were asked for; they refer to `SharedBatch.asvs`. */
  readonly nucleotides: NucleotidePrediction | null;
  /**
   * Carries the table's gradients of all ranks back through each rank's own ASVs: to be called by all ranks
   * after the losses' backward pass. `more` is a loss of this rank's own nucleotides, taken along in the same
   * pass, as both go through the same layers.
   */
  backward(more: torch.Tensor | null): void;
}

/**
 * A rank's part of a batch that all ranks have in full: some of its samples, in a row, and every `size`-th of
 * its distinct ASVs. Each ASV is encoded by one rank alone, and the embeddings go to all.
 */
export class SharedBatch {
  /**
   * This rank's samples (at least one); `asvIndex` refers to the whole batch's ASVs,
   * whose tokens are all there.
   */
  readonly input: RaggedBatch;
  /** This rank's ASVs (at least one), tokens and how often each occurs in the whole batch; no samples. */
  readonly asvs: RaggedBatch;
  /** Which samples these are, of the data set. */
  readonly samples: Int32Array;
  /** These samples as a batch on the host, without tokens; it refers to the whole batch's ASVs. */
  readonly part: Batch;
  readonly #batch: Batch;
  readonly #share: Share;
  readonly #ownAsvs: number;

  constructor(batch: Batch, device: torch.Device, share: Share) {
    this.#batch = batch;
    this.#share = share;
    const { slots } = batch;
    const { from, to } = atLeastOne(partOf(batch.samples, share), batch.samples);
    this.samples = batch.sampleIndices.slice(from, to);
    const index = batch.asvIndex.slice(from * slots, to * slots);
    const counts = batch.counts.slice(from * slots, to * slots);
    this.part = { ...batch, samples: to - from, sampleIndices: this.samples, asvIndex: index, counts };
    const shape = [to - from, slots];
    this.input = {
      // Of the whole batch, for encoders that look at a sample's sequences themselves.
      asvTokens: torch.tensor(batch.asvTokens, {
        shape: [batch.distinct, batch.tokens],
        dtype: "int64",
        device,
      }),
      multiplicity: torch.empty([0], { device }),
      asvIndex: torch.tensor(index, { shape, dtype: "int64", device }),
      counts: torch.tensor(counts, { shape, device }),
      hasAsvPadding: batch.asvTokens.includes(0),
      hasSamplePadding: index.includes(0),
      samplePacking: packingOn(device, index, to - from, slots),
    };
    this.#ownAsvs = Math.ceil(Math.max(0, batch.distinct - share.rank) / share.size);
    this.asvs = this.#asvsOf(device);
  }

  /** Every `size`-th ASV: they are ordered by length, so all ranks have as long ones. */
  #asvsOf(device: torch.Device): RaggedBatch {
    const { asvTokens, tokens, multiplicity, distinct } = this.#batch;
    const { rank, size } = this.#share;
    const hasOwn = this.#ownAsvs > 0;
    const rows = hasOwn
      ? Array.from({ length: this.#ownAsvs }, (_, i) => rank + i * size)
      : [Math.min(rank, distinct - 1)];
    const values = new Uint8Array(asvTokens.length === 0 ? 0 : rows.length * tokens);
    if (values.length > 0)
      for (const [i, row] of rows.entries())
        values.set(asvTokens.subarray(row * tokens, (row + 1) * tokens), i * tokens);
    const times = Float32Array.from(rows, (row) => (hasOwn ? multiplicity[row] : 0));
    return {
      asvTokens: torch.tensor(values, {
        shape: [values.length === 0 ? 0 : rows.length, tokens],
        dtype: "int64",
        device,
      }),
      asvIndex: torch.empty([0, 0], { dtype: "int64", device }),
      counts: torch.empty([0, 0], { device }),
      multiplicity: torch.tensor(times, { device }),
      hasAsvPadding: values.includes(0),
      hasSamplePadding: false,
      asvPacking: values.length === 0 ? null : packingOn(device, values, rows.length, tokens),
    };
  }

  /** One rank's rows of something per sample, [n, ...], as those of the whole batch. */
  gather(own: torch.Tensor): torch.Tensor {
    return gatherRows(atLeastFloat32(own), this.#batch.samples, this.#share);
  }

  /**
   * Encodes the batch's distinct ASVs, each on one rank. `lessMemory` is asked for a remedy where
   * this rank has too little.
   */
  encodeAsvs(
    encoder: EncoderOfAsvs,
    options: { nucleotides: boolean; lessMemory: () => boolean },
  ): SharedAsvs {
    const { asvTokens, hasAsvPadding: hasPadding, asvPacking: packing } = this.asvs;
    const request = { hasPadding, packing, nucleotides: options.nucleotides };
    const { embeddings, nucleotides } = withRemedy(
      () => encoder.forward(asvTokens, request),
      options.lessMemory,
    );
    const own = atLeastFloat32(embeddings);
    const { size } = this.#share;
    const { distinct } = this.#batch;
    const most = Math.ceil(distinct / size);
    const dim = own.size(1);
    const { dtype, device } = own;
    const table = torch.noGrad(() => {
      const padded = torch.zeros([most, dim], { dtype, device });
      padded.narrow(0, 0, this.#ownAsvs).copy_(own.narrow(0, 0, this.#ownAsvs));
      const all = torch.empty([size, most, dim], { dtype, device });
      torch.distributed.allGatherIntoTensor(all, padded);
      return withEmptyRow(
        all
          .transpose(0, 1)
          .reshape([size * most, dim])
          .narrow(0, 0, distinct),
      );
    });
    table.requiresGrad_(true);
    return { table, nucleotides, backward: (more) => this.#backward(own, table, more) };
  }

  #backward(own: torch.Tensor, table: torch.Tensor, more: torch.Tensor | null): void {
    const { size } = this.#share;
    const { distinct } = this.#batch;
    const most = Math.ceil(distinct / size);
    const { dtype, device } = own;
    const gradient = torch.noGrad(() => {
      const all = torch.zeros([size * most, own.size(1)], { dtype, device });
      const found = table.grad;
      if (found) all.narrow(0, 0, distinct).copy_(found.narrow(0, 1, distinct));
      const sent = all
        .view([most, size, own.size(1)])
        .transpose(0, 1)
        .contiguous();
      const received = torch.empty([most, own.size(1)], { dtype, device });
      torch.distributed.reduceScatterTensor(received, sent.view([size * most, own.size(1)]));
      const whole = torch.zeros(own.shape, { dtype, device });
      whole.narrow(0, 0, this.#ownAsvs).copy_(received.narrow(0, 0, this.#ownAsvs));
      return whole;
    });
    if (more) torch.backward([own, more], [gradient, null]);
    else own.backward({ gradient });
  }
}

/** A rank without samples computes one all the same, so that all ranks do the same; nothing of it is used. */
function atLeastOne({ from, to }: { from: number; to: number }, total: number): { from: number; to: number } {
  if (to > from) return { from, to };
  const place = Math.min(from, total - 1);
  return { from: place, to: place + 1 };
}

/** Work of this rank alone, made again for as long as memory is short and there is a remedy. */
function withRemedy<T>(work: () => T, lessMemory: () => boolean): T {
  for (;;) {
    try {
      return work();
    } catch (error) {
      const isMemory = error instanceof torch.TorchError && error.kind === "out-of-memory";
      if (!isMemory || !lessMemory()) throw error;
      torch.emptyCache();
    }
  }
}
