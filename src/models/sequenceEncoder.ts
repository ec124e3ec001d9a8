import * as torch from "../torch/index.ts";
import type { AsvEncoder, NucleotidePrediction } from "./asvEncoder.ts";
import { AttentionPooling } from "./attentionPooling.ts";
import type { Packing } from "./packing.ts";
import { atLeastFloat32 } from "./precision.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import {
  type EncodeRequest,
  type SampleEncoderOptions,
  SampleSequenceEncoder,
} from "./sampleSequenceEncoder.ts";
import { SetDistance, type SetDistanceOptions } from "./setDistance.ts";
import { SetPooling, type SetPoolingKind, slotWeights } from "./setPooling.ts";
import { keyMask, PreNormEncoder, type TransformerOptions } from "./transformer.ts";

/**
 * What the encoder is trained on: `unifrac` (also weighted) gives embeddings whose distances are
 * meant, the others values.
 */
export type EncoderType = "unifrac" | "faith_pd" | "taxonomy" | "combined";
export const encoderTypes: readonly EncoderType[] = ["unifrac", "faith_pd", "taxonomy", "combined"];

export interface SequenceEncoderOptions extends SampleEncoderOptions {
  readonly encoder: TransformerOptions;
  /** Default `unifrac`. */
  readonly encoderType?: EncoderType;
  /** Values predicted by `faith_pd` and `taxonomy`; default as many as the embedding has. */
  readonly outputs?: number | null;
  /**
   * How a sample's ASVs become one vector: the weighted average of the original
   * (default), or as a set of codes.
   */
  readonly pooling?: "attention" | SetPoolingKind;
  /** How samples are compared as sets; default null: by Euclidean distances. */
  readonly distance?: SetDistanceOptions | null;
}

export interface SequenceEncoding {
  /** [B, D] of a `unifrac` encoder. */
  readonly embeddings: torch.Tensor | null;
  /** [B, outputs] of a `faith_pd` or `taxonomy` encoder. */
  readonly basePrediction: torch.Tensor | null;
  /** Of a `combined` encoder: [B, 2] in (0, 1), [B, 1], [B, 7]. */
  readonly combined: {
    readonly unifrac: torch.Tensor;
    readonly faithPd: torch.Tensor;
    readonly taxonomy: torch.Tensor;
  } | null;
  /** [B, F] of a set encoder: which codes a sample has, and how much of its counts; null of others. */
  readonly features: torch.Tensor | null;
  /** [B, S, D] */
  readonly sampleEmbeddings: torch.Tensor;
  /** [B, S] bool; null where every slot is filled. */
  readonly valid: torch.Tensor | null;
  /** The same for the host, where it knows. */
  readonly packing: Packing | null;
  readonly nucleotides: NucleotidePrediction | null;
}

/** sigmoid(0.85) = 0.7, a usual UniFrac distance. */
const combinedUnifracBias = 0.85;

/** Samples of ASVs -> one vector for each sample, with a head by type. */
export class SequenceEncoder extends torch.nn.Module {
  static override readonly names = {
    sampleEncoder: "sample_encoder",
    encoderTransformer: "encoder_transformer",
    attentionPooling: "attention_pooling",
    setCodes: "set_codes",
    setPooling: "set_pooling",
    uniFf: "uni_ff",
    faithFf: "faith_ff",
    taxFf: "tax_ff",
    outputHead: "output_head",
  };
  readonly sampleEncoder: SampleSequenceEncoder;
  readonly encoderTransformer: PreNormEncoder;
  readonly attentionPooling: AttentionPooling | null;
  readonly setCodes: torch.nn.Linear | null;
  readonly setPooling: SetPooling | null;
  readonly distance: SetDistance | null;
  readonly uniFf: torch.nn.Linear | null = null;
  readonly faithFf: torch.nn.Linear | null = null;
  readonly taxFf: torch.nn.Linear | null = null;
  readonly outputHead: torch.nn.Linear | null = null;
  readonly encoderType: EncoderType;
  readonly dim: number;
  /** Width of what is known of an ASV. */
  readonly asvDim: number;

  /** @throws RangeError for options that make no sense. */
  constructor(options: SequenceEncoderOptions) {
    super();
    const { encoder, encoderType = "unifrac", outputs, pooling = "attention", distance = null } = options;
    if (!encoderTypes.includes(encoderType)) {
      throw new RangeError(
        `Unknown encoder type "${encoderType}"; expected one of ${encoderTypes.join(", ")}.`,
      );
    }
    const { Linear, init } = torch.nn;
    this.encoderType = encoderType;
    this.dim = encoder.dim;
    this.asvDim = encoder.dim;
    this.sampleEncoder = new SampleSequenceEncoder(options);
    this.encoderTransformer = new PreNormEncoder(encoder);
    const isSet = pooling !== "attention";
    this.attentionPooling = isSet ? null : new AttentionPooling(encoder.dim);
    this.setCodes = isSet ? new Linear(encoder.dim, encoder.dim) : null;
    this.setPooling = isSet ? new SetPooling(pooling, encoder.dim) : null;
    this.distance = distance && encoderType === "unifrac" ? new SetDistance(distance) : null;
    if (encoderType === "combined") {
      this.uniFf = new Linear(encoder.dim, 2);
      init.xavierUniform_(this.uniFf.weight);
      init.constant_(this.uniFf.bias!, combinedUnifracBias);
      this.faithFf = new Linear(encoder.dim, 1);
      this.taxFf = new Linear(encoder.dim, 7);
    } else if (encoderType !== "unifrac") {
      this.outputHead = new Linear(encoder.dim, outputs ?? encoder.dim);
    }
  }

  /** What encodes ASVs. */
  get asvEncoder(): AsvEncoder {
    return this.sampleEncoder.asvEncoder;
  }

  /**
   * [B, S, D]: the embedding of the ASV in each slot, before samples come in; zeros where a slot is empty.
   */
  asvSlots(batch: RaggedBatch, request: EncodeRequest = {}): torch.Tensor {
    return this.sampleEncoder.asvSlots(batch, request);
  }

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SequenceEncoding {
    const { sampleEmbeddings, nucleotides, valid, packing } = this.sampleEncoder.forward(batch, request);
    const encoded = this.encoderTransformer.forward(sampleEmbeddings, keyMask(valid), packing);
    const pooled = this.pool(encoded, valid, batch);
    const { uniFf, faithFf, taxFf, outputHead } = this;
    return {
      embeddings: this.encoderType === "unifrac" ? pooled : null,
      basePrediction: outputHead?.forward(pooled) ?? null,
      combined:
        uniFf && faithFf && taxFf
          ? {
              unifrac: uniFf.forward(pooled).sigmoid(),
              faithPd: faithFf.forward(pooled),
              taxonomy: taxFf.forward(pooled),
            }
          : null,
      features: null,
      sampleEmbeddings,
      valid,
      packing,
      nucleotides,
    };
  }

  /** Encoded ASVs [B, S, D] -> samples [B, D]. */
  pool(encoded: torch.Tensor, valid: torch.Tensor | null, batch: RaggedBatch): torch.Tensor {
    if (this.attentionPooling) return this.attentionPooling.forward(encoded, valid);
    const codes = atLeastFloat32(this.setCodes!.forward(encoded)).softplus();
    const weights = slotWeights(this.setPooling!.kind, batch.counts, batch.asvIndex).to(codes.dtype);
    return this.setPooling!.forward(codes.mul(weights.unsqueeze(-1)).sum([1]));
  }
}
