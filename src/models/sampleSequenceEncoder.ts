import * as torch from "../torch/index.ts";
import { AsvEncoder, type AsvEncoderOptions, type NucleotidePrediction } from "./asvEncoder.ts";
import { type CountEmbeddingMethod, embedCounts, makeCountLayers } from "./embeddings/countEmbedding.ts";
import { PositionEmbedding } from "./embeddings/positionEmbedding.ts";
import type { Packing } from "./packing.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import { keyMask, PreNormEncoder, type TransformerOptions } from "./transformer.ts";

export interface SampleEncoderOptions {
  readonly asv: AsvEncoderOptions;
  readonly sample: TransformerOptions;
  /** ASVs that a sample may have. Default 1024. */
  readonly tokenLimit?: number;
  /** How counts enter; default null, not at all. */
  readonly countEmbedding?: CountEmbeddingMethod | null;
}

export interface EncodeRequest {
  /** Predict nucleotides; see `AsvRequest`. Default false. */
  readonly nucleotides?: boolean;
  /** [U, L] bool: the positions to hide, instead of random ones. */
  readonly mask?: torch.Tensor | null;
  /**
   * Hide bases for the prediction of nucleotides alone: samples are encoded from the whole sequences, in a
   * second pass. Default false, as the original AAM: one pass serves both.
   */
  readonly separateMasking?: boolean;
  /**
   * [U + 1, D] embeddings of ASVs that are known already, row 0 zeros: `asvIndex` refers to its rows and
   * `asvTokens` is not looked at.
   */
  readonly asvEmbeddings?: torch.Tensor | null;
}

export interface SampleEncoding {
  /** [B, S, D], zeros where a slot is empty. */
  readonly sampleEmbeddings: torch.Tensor;
  readonly nucleotides: NucleotidePrediction | null;
  /** [B, S] bool; null where every slot is filled. */
  readonly valid: torch.Tensor | null;
  /** The same for the host, where it knows. */
  readonly packing: Packing | null;
}

/** The original AAM keeps five more positions than ASVs. */
const sparePositions = 5;

/** Encodes the ASVs of samples in view of each other. */
export class SampleSequenceEncoder extends torch.nn.Module {
  static override readonly names = {
    asvEncoder: "asv_encoder",
    samplePositionEmbedding: "sample_position_embedding",
    sampleTransformer: "sample_transformer",
    countEmbed: "count_embed",
    countProject: "count_proj",
    countFilm: "count_film",
  };
  readonly asvEncoder: AsvEncoder;
  readonly samplePositionEmbedding: PositionEmbedding;
  readonly sampleTransformer: PreNormEncoder;
  readonly countEmbed: torch.nn.Linear | null;
  readonly countProject: torch.nn.Linear | null;
  readonly countFilm: torch.nn.Linear | null;
  readonly countEmbedding: CountEmbeddingMethod | null;

  constructor(options: SampleEncoderOptions) {
    super();
    const { asv, sample, tokenLimit = 1024, countEmbedding = null } = options;
    this.countEmbedding = countEmbedding;
    this.asvEncoder = new AsvEncoder(asv);
    this.samplePositionEmbedding = new PositionEmbedding(tokenLimit + sparePositions, sample.dim);
    this.sampleTransformer = new PreNormEncoder(sample);
    const layers = makeCountLayers(countEmbedding, sample.dim);
    this.countEmbed = layers.embed;
    this.countProject = layers.project;
    this.countFilm = layers.film;
  }

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SampleEncoding {
    const { table, nucleotides } = this.#asvTable(batch, request);
    const valid = batch.hasSamplePadding ? batch.asvIndex.ne(0) : null;
    const filled = valid?.unsqueeze(-1) ?? null;
    let asvs = torch.embedding(table, batch.asvIndex, 0);
    if (this.countEmbedding) {
      const layers = { embed: this.countEmbed, project: this.countProject, film: this.countFilm };
      asvs = embedCounts(layers, asvs, batch.counts);
      if (filled) asvs = asvs.mul(filled);
    }
    const placed = this.samplePositionEmbedding.forward(asvs);
    const encoded = this.sampleTransformer.forward(placed, keyMask(valid), batch.samplePacking);
    return {
      sampleEmbeddings: filled ? encoded.mul(filled) : encoded,
      nucleotides,
      valid,
      packing: batch.samplePacking ?? null,
    };
  }

  /**
   * [B, S, D]: the embedding of the ASV in each slot, before samples come in; zeros where a slot is empty.
   */
  asvSlots(batch: RaggedBatch, request: EncodeRequest = {}): torch.Tensor {
    return torch.embedding(this.#asvTable(batch, request).table, batch.asvIndex, 0);
  }

  /** Embeddings of the batch's ASVs behind a row of zeros, which stands for an empty slot. */
  #asvTable(
    batch: RaggedBatch,
    request: EncodeRequest,
  ): { table: torch.Tensor; nucleotides: NucleotidePrediction | null } {
    if (request.asvEmbeddings) return { table: request.asvEmbeddings, nucleotides: null };
    const asvRequest = {
      hasPadding: batch.hasAsvPadding,
      packing: batch.asvPacking,
      nucleotides: request.nucleotides,
      mask: request.mask,
    };
    const first = this.asvEncoder.forward(batch.asvTokens, asvRequest);
    const separate = request.separateMasking && first.nucleotides?.mask;
    const { embeddings } = separate
      ? this.asvEncoder.forward(batch.asvTokens, {
          hasPadding: batch.hasAsvPadding,
          packing: batch.asvPacking,
        })
      : first;
    return { table: withEmptyRow(embeddings), nucleotides: first.nucleotides };
  }
}

/** [U, D] -> [U + 1, D]: a row of zeros in front. */
export function withEmptyRow(embeddings: torch.Tensor): torch.Tensor {
  const zeros = torch.zeros([1, embeddings.size(1)], { dtype: embeddings.dtype, device: embeddings.device });
  return torch.cat([zeros, embeddings], 0);
}
