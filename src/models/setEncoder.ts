import * as torch from "../torch/index.ts";
import { AsvCodes, type AsvCodesOptions } from "./asvCodes.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import { type EncodeRequest, withEmptyRow } from "./sampleSequenceEncoder.ts";
import type { SequenceEncoding } from "./sequenceEncoder.ts";
import { SetDistance, type SetDistanceOptions } from "./setDistance.ts";
import { SetPooling, type SetPoolingKind, slotWeights } from "./setPooling.ts";

export interface SetEncoderOptions extends AsvCodesOptions {
  readonly pooling: SetPoolingKind;
  /** What the encoder is trained on: distances between samples (default), or a value of each. */
  readonly encoderType?: "unifrac" | "faith_pd";
  /** How samples are compared as sets; null where their Euclidean distances are meant, or for values. */
  readonly distance: SetDistanceOptions | null;
}

/** Slots times codes that are looked up at a time, where samples are not pooled by a product. */
const denseShare = 16;

/**
 * Samples as sets of codes: every ASV has codes (`AsvCodes`), a sample has those of its ASVs (`SetPooling`), and what two samples share of
 * them gives their distance (`SetDistance`). This is the form of UniFrac itself, which compares the sets of branches above two
 * samples' ASVs: a code takes the place of a branch, and what has to be learned is which sequences lie below it.
 *
 * @example
 * const encoder = new SetEncoder({
 *   source: "kmer", codes: 512, pooling: "union", distance: { kind: "tanimoto" },
 *   words: { kinds: [{ length: 6, stretch: 0 }], maxBases: 150, dim: 128, buckets: 65536 }, asv,
 * });
 * const { embeddings } = encoder.forward(batch); // [B, 512]
 * const distances = encoder.distance!.forward(embeddings!, embeddings!); // [B, B]
 */
export class SetEncoder extends torch.nn.Module {
  static override readonly names = { asvEncoder: "asv_encoder", valueHead: "value_head" };
  readonly asvEncoder: AsvCodes;
  readonly pooling: SetPooling;
  readonly distance: SetDistance | null;
  /** Faith's PD from |z|²: two numbers. Null for distances. */
  readonly valueHead: torch.nn.Linear | null;
  readonly encoderType: "unifrac" | "faith_pd";
  /** Codes: the width of embeddings, of ASVs and of samples. */
  readonly dim: number;

  constructor(options: SetEncoderOptions) {
    super();
    this.dim = options.codes;
    this.encoderType = options.encoderType ?? "unifrac";
    this.asvEncoder = new AsvCodes(options);
    this.pooling = new SetPooling(options.pooling, options.codes);
    const isValue = this.encoderType === "faith_pd";
    this.distance = options.distance && !isValue ? new SetDistance(options.distance) : null;
    this.valueHead = isValue ? new torch.nn.Linear(1, 1) : null;
  }

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SequenceEncoding {
    const { codes, nucleotides } = this.#codesOf(batch, request);
    const coordinates = this.pooling.forward(this.sums(codes, batch));
    const { asvIndex } = batch;
    const featuresOf = () => this.#features(codes, batch);
    return {
      embeddings: coordinates,
      basePrediction: this.valueHead?.forward(coordinates.square().sum([1], true)) ?? null,
      combined: null,
      get features() {
        return featuresOf();
      },
      // Looked up where somebody asks for them only: they are as many as all slots.
      get sampleEmbeddings() {
        return torch.embedding(withEmptyRow(codes), asvIndex, 0);
      },
      valid: batch.hasSamplePadding ? asvIndex.ne(0) : null,
      packing: batch.samplePacking ?? null,
      nucleotides,
    };
  }

  /** [B, S, K]: the codes of the ASV in each slot, zeros where a slot is empty. */
  asvSlots(batch: RaggedBatch, request: EncodeRequest = {}): torch.Tensor {
    return torch.embedding(withEmptyRow(this.#codesOf(batch, request).codes), batch.asvIndex, 0);
  }

  /** Codes [U, K] of ASVs -> sums [B, K] over those of each sample, as the pooling (by default the encoder's own) weighs them. */
  sums(
    codes: torch.Tensor,
    batch: Pick<RaggedBatch, "asvIndex" | "counts">,
    kind = this.pooling.kind,
  ): torch.Tensor {
    const { asvIndex, counts } = batch;
    const weights = slotWeights(kind, counts, asvIndex).to(codes.dtype);
    const [samples, slots] = asvIndex.shape;
    const distinct = codes.size(0);
    if (distinct > denseShare * slots) {
      return torch.embedding(withEmptyRow(codes), asvIndex, 0).mul(weights.unsqueeze(-1)).sum([1]);
    }
    // A product is faster than looking up each slot while ASVs are not many more than slots.
    const members = torch
      .zeros([samples, distinct + 1], { dtype: codes.dtype, device: codes.device })
      .scatterAdd(1, asvIndex, weights);
    return members.narrow(1, 1, distinct).matmul(codes);
  }

  /** [B, 2 K]: additive and saturating, like the taxa that carry what metadata tell of. */
  #features(codes: torch.Tensor, batch: RaggedBatch): torch.Tensor {
    const present = this.sums(codes, batch, "union").neg().expm1().neg();
    const share = this.sums(codes, batch, "share").log1p();
    return torch.cat([present, share], 1);
  }

  /** How surely each ASV has each code: [U, K], at least 0, in float32 or float64. */
  #codesOf(
    batch: RaggedBatch,
    { asvEmbeddings, nucleotides: wanted, mask, separateMasking }: EncodeRequest,
  ): { codes: torch.Tensor; nucleotides: SequenceEncoding["nucleotides"] } {
    if (asvEmbeddings) {
      const known = asvEmbeddings.narrow(0, 1, asvEmbeddings.size(0) - 1);
      return { codes: atLeastFloat32(known).softplus(), nucleotides: null };
    }
    const padding = { hasPadding: batch.hasAsvPadding, packing: batch.asvPacking };
    const first = this.asvEncoder.forward(batch.asvTokens, { ...padding, nucleotides: wanted, mask });
    const hidden = separateMasking && first.nucleotides?.mask;
    const { embeddings } = hidden ? this.asvEncoder.forward(batch.asvTokens, padding) : first;
    return { codes: atLeastFloat32(embeddings).softplus(), nucleotides: first.nucleotides };
  }
}
