import * as torch from "../torch/index.ts";
import { AsvBlocks } from "./asvBlocks.ts";
import { AsvSum } from "./asvSum.ts";
import { AttentionPooling } from "./attentionPooling.ts";
import { CategoricalEmbedder, type CategoryIds } from "./categoricalEmbedder.ts";
import type { Encoder } from "./encoder.ts";
import {
  type AttentionFusionOptions,
  CrossAttentionFusion,
  type Fusion,
  fusions,
  GatedUnit,
  glorot,
  PerceiverFusion,
  type PerceiverOptions,
} from "./fusion.ts";
import type { RaggedBatch } from "./raggedBatch.ts";
import type { EncodeRequest } from "./sampleSequenceEncoder.ts";
import { SequenceEncoder, type SequenceEncoderOptions, type SequenceEncoding } from "./sequenceEncoder.ts";
import { SetEncoder } from "./setEncoder.ts";
import { initializeHead, makeTargetHead, type TargetHead } from "./targetHead.ts";
import { type OutputOptions, TargetOutput } from "./targetOutput.ts";
import { keyMask, PreNormEncoder, type TransformerOptions } from "./transformer.ts";

const { nn } = torch;

export interface CategoryOptions {
  /** Categories of each column, the unknown one (0) included. */
  readonly cardinalities: Readonly<Record<string, number>>;
  /** Values of a category's vector; default 16. */
  readonly columnDim?: number;
  /** Default `concat`. */
  readonly fusion?: Fusion;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Heads of cross-attention and perceiver; default 8. */
  readonly heads?: number;
  /** Latent vectors and layers of a perceiver; default 64 and 2. */
  readonly latents?: number;
  readonly layers?: number;
}

export interface SequencePredictorOptions extends OutputOptions {
  /** The encoder to build on, or what to make one of. */
  readonly base: Encoder | SequenceEncoderOptions;
  /**
   * Leave the encoder's weights as they are. It then works as in evaluation, without dropout
   * and masks. Default false.
   */
  readonly freezeBase?: boolean;
  /** Transformer of the count head; null for no count head. */
  readonly count: TransformerOptions | null;
  /** `sigmoid` (default) for counts scaled to 0 ... 1, `none` for counts as they are. */
  readonly countActivation?: "sigmoid" | "none";
  readonly target: TransformerOptions;
  /**
   * Predict from the sum over ASVs of so many features of their embeddings (see `AsvSum`) instead
   * of the target transformer and its pooling. Needs a frozen encoder, and goes without categories
   * and counts. Default null.
   */
  readonly sumFeatures?: number | null;
  /**
   * Predict from blocks (see `AsvBlocks`): what is known of so many ASVs of the training samples, of codes,
   * and `sumFeatures` sums over ASVs. Null for none (default).
   */
  readonly knownAsvs?: { readonly asvs: number; readonly tokens: number } | null;
  /**
   * Predict from the codes that a set encoder finds in the sample, and how much of its counts has
   * them, instead of the target transformer and its pooling. Goes without categories that attend to
   * single ASVs. Default false.
   */
  readonly fromCodes?: boolean;
  /** A layer norm before the target head; default true. */
  readonly targetNorm?: boolean;
  /** Sizes of the target head's hidden layers; see `TargetHeadOptions`. */
  readonly hidden?: readonly number[] | null;
  readonly headDropout?: number;
  readonly residualHead?: boolean;
  /** Start target and count head with Glorot weights and no bias; default true. */
  readonly glorotHeads?: boolean;
  readonly categories?: CategoryOptions | null;
}

export interface PredictRequest extends EncodeRequest {
  /** Categories by column; columns that are absent are unknown. */
  readonly categories?: CategoryIds | null;
  /** What the encoder gave for these samples, where that is known already. */
  readonly encoding?: SequenceEncoding | null;
  /** [B, F]: what `AsvSum` or `AsvBlocks` gave for these samples, where that is known already. */
  readonly sums?: torch.Tensor | null;
}

export interface Prediction {
  /** [B, outputs]; [B, outputs, Q] for quantiles; log-probabilities [B, classes] for a classifier. */
  readonly target: torch.Tensor;
  /** [B, S, 1], also for empty slots. */
  readonly count: torch.Tensor | null;
  readonly base: SequenceEncoding;
  /** [B, D] of a gated unit. */
  readonly gate: torch.Tensor | null;
  /** [B, H, queries, keys] of cross-attention or a perceiver. */
  readonly fusionWeights: torch.Tensor | null;
}

/** Predicts targets of samples, and counts of their ASVs, from an encoder's embeddings. */
export class SequencePredictor extends nn.Module {
  static override readonly names = {
    outputScale: "output_scale",
    outputBias: "output_bias",
    baseModel: "base_model",
    countEncoder: "count_encoder",
    countHead: "count_head",
    targetEncoder: "target_encoder",
    targetPooling: "target_pooling",
    asvSum: "asv_sum",
    asvBlocks: "asv_blocks",
    slotProjection: "slot_projection",
    codeProjection: "code_projection",
    targetNorm: "target_norm",
    targetHead: "target_head",
    categoricalEmbedder: "categorical_embedder",
    categoricalProjection: "categorical_projection",
    crossAttnFusion: "cross_attn_fusion",
    perceiverFusion: "perceiver_fusion",
    outputScales: "output_scales",
    outputBiases: "output_biases",
  };
  readonly baseModel: Encoder;
  readonly countEncoder: PreNormEncoder | null;
  readonly countHead: torch.nn.Linear | null;
  readonly targetEncoder: PreNormEncoder | null;
  readonly targetPooling: AttentionPooling | null;
  readonly asvSum: AsvSum | null;
  readonly asvBlocks: AsvBlocks | null;
  /** A set encoder's codes of an ASV -> the width of the transformers. */
  readonly slotProjection: torch.nn.Linear | null;
  /** A sample's codes -> that width. */
  readonly codeProjection: torch.nn.Linear | null;
  readonly targetNorm: torch.nn.LayerNorm | null;
  readonly targetHead: TargetHead;
  readonly outputScale: torch.Tensor | null;
  readonly outputBias: torch.Tensor | null;
  readonly categoricalEmbedder: CategoricalEmbedder | null;
  readonly categoricalProjection: torch.nn.Linear | null = null;
  readonly gmu: GatedUnit | null = null;
  readonly crossAttnFusion: CrossAttentionFusion | null = null;
  readonly perceiverFusion: PerceiverFusion | null = null;
  readonly outputScales: torch.nn.ModuleDict<torch.nn.Embedding> | null;
  readonly outputBiases: torch.nn.ModuleDict<torch.nn.Embedding> | null;
  readonly frozen: boolean;
  readonly #options: SequencePredictorOptions;
  readonly #output: TargetOutput;
  readonly #fusion: Fusion;

  /** @throws RangeError for options that make no sense. */
  constructor(options: SequencePredictorOptions) {
    super();
    const { base, count, target, targetNorm = true, freezeBase = false, glorotHeads = true } = options;
    const { categories = null, sumFeatures = null, knownAsvs = null } = options;
    if (sumFeatures !== null && (!freezeBase || categories || count))
      throw new RangeError("Sums over ASVs need a frozen encoder, and go without categories and counts.");
    this.#options = options;
    this.frozen = freezeBase;
    this.#fusion = categories?.fusion ?? "concat";
    if (!fusions.includes(this.#fusion)) {
      throw new RangeError(`Unknown fusion "${this.#fusion}"; expected one of ${fusions.join(", ")}.`);
    }
    this.#output = new TargetOutput(options, Object.keys(categories?.cardinalities ?? {}));
    this.baseModel = base instanceof nn.Module ? base : new SequenceEncoder(base);
    if (freezeBase) this.baseModel.requiresGrad_(false);
    const isSet = this.baseModel instanceof SetEncoder;
    const dim = sumFeatures === null ? target.dim : this.baseModel.asvDim;
    if (options.fromCodes && !isSet) throw new RangeError("Only a set encoder has codes to predict from.");
    const attends = this.#fusion === "cross-attention" || this.#fusion === "perceiver";
    if (options.fromCodes && categories && attends)
      throw new RangeError(
        `Predicting from codes does not go with ${this.#fusion}, which attends to single ASVs.`,
      );
    this.countEncoder = count && new PreNormEncoder(count);
    this.countHead = count && new nn.Linear(dim, 1);
    // A perceiver takes the place of both.
    const pools =
      sumFeatures === null &&
      !options.fromCodes &&
      (!(categories && this.#fusion === "perceiver") || this.poolsBesides());
    this.targetEncoder = pools ? new PreNormEncoder(target) : null;
    this.targetPooling = pools ? new AttentionPooling(dim) : null;
    this.slotProjection =
      isSet && (pools || count || attends) ? new nn.Linear(this.baseModel.dim, dim) : null;
    this.codeProjection = options.fromCodes ? new nn.Linear(2 * this.baseModel.dim, dim) : null;
    if (knownAsvs && sumFeatures === null) throw new RangeError("Blocks need sums over ASVs.");
    this.asvSum = sumFeatures === null || knownAsvs ? null : new AsvSum(dim, sumFeatures);
    const codes = isSet ? this.baseModel.dim : 0;
    this.asvBlocks = knownAsvs
      ? new AsvBlocks({
          ...{ dim, codes, sumFeatures: sumFeatures!, known: knownAsvs.asvs, tokens: knownAsvs.tokens },
        })
      : null;
    // A norm would take the size of the sums away.
    this.targetNorm = targetNorm && sumFeatures === null ? new nn.LayerNorm(dim) : null;
    this.targetHead = makeTargetHead({
      dim: this.asvBlocks?.features ?? sumFeatures ?? dim,
      outputs: this.#output.headOutputs,
      hidden: options.hidden,
      dropout: options.headDropout,
      residual: options.residualHead,
    });
    const { scale, bias } = this.#output.makeScale();
    this.outputScale = scale;
    this.outputBias = bias;
    this.categoricalEmbedder = categories && makeEmbedder(categories);
    if (categories && this.categoricalEmbedder) {
      const inner = this.categoricalEmbedder.dim;
      const attention = attentionOptions(dim, categories, this.categoricalEmbedder);
      const { latents = 64, layers = 2 } = categories;
      if (this.#fusion === "concat") this.categoricalProjection = new nn.Linear(dim + inner, dim);
      else if (this.#fusion === "add") this.categoricalProjection = new nn.Linear(inner, dim);
      else if (this.#fusion === "gmu") this.gmu = new GatedUnit(dim, inner);
      else if (this.#fusion === "cross-attention") this.crossAttnFusion = this.makeCrossAttention(attention);
      else this.perceiverFusion = this.makePerceiver({ ...attention, latents, layers });
    }
    const { scales, biases } = this.#output.makeConditionalScale(categories?.cardinalities ?? {});
    this.outputScales = scales;
    this.outputBiases = biases;
    if (glorotHeads) {
      initializeHead(this.targetHead);
      if (this.countHead) glorot(this.countHead);
    }
    // What training says nothing of must count for nothing.
    if (this.asvBlocks && this.targetHead instanceof nn.Linear) nn.init.zeros_(this.targetHead.weight);
    if (this.categoricalProjection) glorot(this.categoricalProjection);
  }

  protected makeCrossAttention(options: AttentionFusionOptions): CrossAttentionFusion {
    return new CrossAttentionFusion(options);
  }

  protected makePerceiver(options: PerceiverOptions): PerceiverFusion {
    return new PerceiverFusion(options);
  }

  /** Whether there are a target transformer and a pooling also where a perceiver takes their place. */
  protected poolsBesides(): boolean {
    return false;
  }

  /** Categories by column: none are all unknown. Null: there is no fusion. */
  protected idsOf(request: PredictRequest): CategoryIds | null {
    return request.categories ?? {};
  }

  /** A frozen encoder stays in evaluation mode. */
  override train(on = true): this {
    super.train(on);
    if (this.frozen) this.baseModel.train(false);
    return this;
  }

  forward(batch: RaggedBatch, request: PredictRequest = {}): Prediction {
    const sums = this.asvSum || this.asvBlocks ? this.#sums(batch, request) : null;
    const encode = () => (sums ? onlySums(sums) : this.baseModel.forward(batch, request));
    const base = request.encoding ?? (this.frozen ? torch.noGrad(encode) : encode());
    const { valid, packing } = base;
    const needsSlots = this.countEncoder || (!sums && !this.codeProjection);
    const sampleEmbeddings = needsSlots ? this.#slots(base) : null;
    const count = this.countEncoder?.forward(sampleEmbeddings!, keyMask(valid), packing);
    const ids = this.idsOf(request);
    const categories = ids && this.categoricalEmbedder?.forward(ids, batch.asvIndex.size(0));
    const { pooled, weights } = sums
      ? { pooled: sums, weights: null }
      : this.codeProjection
        ? { pooled: this.#fromCodes(base, categories ?? null), weights: null }
        : this.#pool(sampleEmbeddings!, base, categories ?? null);
    const normed = this.targetNorm ? this.targetNorm.forward(pooled) : pooled;
    const gated = this.gmu && categories ? this.gmu.forward(normed, categories) : null;
    const raw = this.targetHead.forward(gated?.output ?? normed);
    return {
      target: this.#output.apply(raw, ids ?? {}, this),
      count: count ? this.#activateCount(this.countHead!.forward(count)) : null,
      base,
      gate: gated?.gate ?? null,
      fusionWeights: weights,
    };
  }

  /** [B, S, D], zeros where a slot is empty. */
  #slots({ sampleEmbeddings, valid }: SequenceEncoding): torch.Tensor {
    if (!this.slotProjection) return sampleEmbeddings;
    const slots = this.slotProjection.forward(sampleEmbeddings);
    return valid ? slots.mul(valid.unsqueeze(-1)) : slots;
  }

  /** [B, D] from a sample's codes, with the categories that are put beside them. */
  #fromCodes({ features }: SequenceEncoding, categories: torch.Tensor | null): torch.Tensor {
    const projected = this.codeProjection!.forward(features!);
    if (!this.categoricalProjection || !categories) return projected;
    return this.#fusion === "concat"
      ? this.categoricalProjection.forward(torch.cat([projected, categories], -1))
      : projected.add(this.categoricalProjection.forward(categories));
  }

  #sums(batch: RaggedBatch, request: PredictRequest): torch.Tensor {
    if (request.sums) return request.sums;
    return torch.noGrad(() => {
      const slots = this.baseModel.asvSlots(batch, request);
      if (this.asvBlocks) return this.asvBlocks.forward(batch, slots);
      return this.asvSum!.forward(slots, batch.hasSamplePadding ? batch.asvIndex.ne(0) : null);
    });
  }

  #activateCount(values: torch.Tensor): torch.Tensor {
    return this.#options.countActivation === "none" ? values : values.sigmoid();
  }

  /** [B, S, D] -> [B, D] with the categories where they enter before the pooling. */
  #pool(
    slots: torch.Tensor,
    { valid, packing }: SequenceEncoding,
    categories: torch.Tensor | null,
  ): { pooled: torch.Tensor; weights: torch.Tensor | null } {
    if (this.perceiverFusion && categories) {
      const { output, weights } = this.perceiverFusion.forward(slots, categories, valid);
      return { pooled: output, weights };
    }
    let fused = slots;
    let weights: torch.Tensor | null = null;
    if (this.categoricalProjection && categories) {
      const spread = categories.unsqueeze(1);
      fused =
        this.#fusion === "concat"
          ? this.categoricalProjection.forward(torch.cat([slots, spread.expand([-1, slots.size(1), -1])], -1))
          : slots.add(this.categoricalProjection.forward(spread));
    } else if (this.crossAttnFusion && categories) {
      const attended = this.crossAttnFusion.forward(slots, categories);
      fused = attended.output;
      weights = attended.weights;
    }
    const encoded = this.targetEncoder!.forward(fused, keyMask(valid), packing);
    return { pooled: this.targetPooling!.forward(encoded, valid), weights };
  }
}

/** Stands for the encoding of samples of which nothing but the sums [B, F] is asked. */
function onlySums(sums: torch.Tensor): SequenceEncoding {
  return {
    sampleEmbeddings: sums.unsqueeze(1),
    valid: null,
    packing: null,
    embeddings: null,
    features: null,
    basePrediction: null,
    combined: null,
    nucleotides: null,
  };
}

function makeEmbedder({
  cardinalities,
  columnDim = 16,
  dropout = 0.1,
}: CategoryOptions): CategoricalEmbedder {
  return new CategoricalEmbedder(cardinalities, columnDim, dropout);
}

function attentionOptions(
  dim: number,
  { heads = 8, dropout = 0.1 }: CategoryOptions,
  { columns, columnDim }: CategoricalEmbedder,
): AttentionFusionOptions {
  return { dim, columns: columns.length, columnDim, heads, dropout };
}
