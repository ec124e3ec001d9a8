import * as torch from "../torch/index.ts";
import type { NucleotidePrediction } from "./asvEncoder.ts";
import { AttentionPooling } from "./attentionPooling.ts";
import type { Packing } from "./packing.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import {
  type EncodeRequest,
  type SampleEncoderOptions,
  SampleSequenceEncoder,
} from "./sampleSequenceEncoder.ts";
import { keyMask, PreNormEncoder, type TransformerOptions } from "./transformer.ts";

/** What the encoder is trained on: `unifrac` (also weighted) gives embeddings whose distances are meant, the others values. */
export type EncoderType = "unifrac" | "faith_pd" | "taxonomy" | "combined";
export const encoderTypes: readonly EncoderType[] = ["unifrac", "faith_pd", "taxonomy", "combined"];

export interface SequenceEncoderOptions extends SampleEncoderOptions {
  readonly encoder: TransformerOptions;
  /** Default `unifrac`. */
  readonly encoderType?: EncoderType;
  /** Values predicted by `faith_pd` and `taxonomy`; default as many as the embedding has. */
  readonly outputs?: number | null;
}

export interface SequenceEncoding {
  /** [B, D] of a `unifrac` encoder. */
  readonly embeddings: torch.Tensor | null;
  /** [B, outputs] of a `faith_pd` or `taxonomy` encoder. */
  readonly basePrediction: torch.Tensor | null;
  /** Of a `combined` encoder: [B, 2] in (0, 1), [B, 1], [B, 7]. */
  readonly combined: { unifrac: torch.Tensor; faithPd: torch.Tensor; taxonomy: torch.Tensor } | null;
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
    uniFf: "uni_ff",
    faithFf: "faith_ff",
    taxFf: "tax_ff",
    outputHead: "output_head",
  };
  readonly sampleEncoder: SampleSequenceEncoder;
  readonly encoderTransformer: PreNormEncoder;
  readonly attentionPooling: AttentionPooling;
  readonly uniFf: torch.nn.Linear | null = null;
  readonly faithFf: torch.nn.Linear | null = null;
  readonly taxFf: torch.nn.Linear | null = null;
  readonly outputHead: torch.nn.Linear | null = null;
  readonly encoderType: EncoderType;
  readonly dim: number;

  /** @throws RangeError for options that make no sense. */
  constructor(options: SequenceEncoderOptions) {
    super();
    const { encoder, encoderType = "unifrac", outputs } = options;
    if (!encoderTypes.includes(encoderType)) {
      throw new RangeError(
        `Unknown encoder type "${encoderType}"; expected one of ${encoderTypes.join(", ")}.`,
      );
    }
    const { Linear, init } = torch.nn;
    this.encoderType = encoderType;
    this.dim = encoder.dim;
    this.sampleEncoder = new SampleSequenceEncoder(options);
    this.encoderTransformer = new PreNormEncoder(encoder);
    this.attentionPooling = new AttentionPooling(encoder.dim);
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

  forward(batch: RaggedBatch, request: EncodeRequest = {}): SequenceEncoding {
    const { sampleEmbeddings, nucleotides, valid, packing } = this.sampleEncoder.forward(batch, request);
    const encoded = this.encoderTransformer.forward(sampleEmbeddings, keyMask(valid), packing);
    const pooled = this.attentionPooling.forward(encoded, valid);
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
      sampleEmbeddings,
      valid,
      packing,
      nucleotides,
    };
  }
}
