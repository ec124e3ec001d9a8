import * as torch from "../torch/index.ts";
import { crossAttention } from "./crossAttention.ts";
import { TransformerLayer } from "./transformer.ts";

const { nn } = torch;

/** How categories of samples enter the prediction of targets. */
export type Fusion = "concat" | "add" | "gmu" | "cross-attention" | "perceiver";
export const fusions: readonly Fusion[] = ["concat", "add", "gmu", "cross-attention", "perceiver"];

/** A linear layer with Glorot weights and no bias at the start. */
export function glorot(layer: torch.nn.Linear): torch.nn.Linear {
  nn.init.xavierUniform_(layer.weight);
  if (layer.bias) nn.init.zeros_(layer.bias);
  return layer;
}

/** Gated multimodal unit in residual form (after Arevalo et al. 2017): h + gate([h; c]) x tanh(T c). */
export class GatedUnit extends nn.Module {
  static override readonly names = { categoryTransform: "cat_transform" };
  readonly categoryTransform: torch.nn.Linear;
  readonly gate: torch.nn.Linear;

  constructor(dim: number, categoryDim: number) {
    super();
    this.categoryTransform = new nn.Linear(categoryDim, dim);
    this.gate = new nn.Linear(dim + categoryDim, dim);
    glorot(this.categoryTransform);
    glorot(this.gate);
  }

  /** [B, D] and [B, C] -> [B, D], and the gate [B, D]. */
  forward(pooled: torch.Tensor, categories: torch.Tensor): { output: torch.Tensor; gate: torch.Tensor } {
    const gate = this.gate.forward(torch.cat([pooled, categories], -1)).sigmoid();
    return { output: pooled.add(gate.mul(this.categoryTransform.forward(categories).tanh())), gate };
  }
}

export interface AttentionFusionOptions {
  readonly dim: number;
  /** Columns and the size of each column's vector. */
  readonly columns: number;
  readonly columnDim: number;
  readonly heads: number;
  readonly dropout: number;
}

export interface PerceiverOptions extends AttentionFusionOptions {
  readonly latents: number;
  readonly layers: number;
}

/** What a fusion by attention gives: the result and the weights of each head. */
export interface AttentionFusion {
  readonly output: torch.Tensor;
  readonly weights: torch.Tensor;
}

/**
 * Every slot attends to the sample's categories, each column a key of its own and one key of zeros, so that
 * slots differ in how much they take from which column; then a residual and a layer norm.
 */
export class CrossAttentionFusion extends nn.Module {
  static override readonly names = { categoryProjection: "cat_projection", crossAttn: "cross_attn" };
  readonly categoryProjection: torch.nn.Linear;
  readonly crossAttn: torch.nn.MultiheadAttention;
  readonly norm: torch.nn.LayerNorm;
  readonly #options: AttentionFusionOptions;

  constructor(options: AttentionFusionOptions) {
    super();
    const { dim, columns, columnDim, heads } = options;
    this.#options = options;
    this.categoryProjection = new nn.Linear(columns * columnDim, dim);
    this.crossAttn = new nn.MultiheadAttention(dim, heads, { batchFirst: true });
    this.norm = new nn.LayerNorm(dim);
    glorot(this.categoryProjection);
  }

  /** [B, S, D] and [B, C] -> [B, S, D]; weights [B, H, S, keys]. */
  forward(slots: torch.Tensor, categories: torch.Tensor): AttentionFusion {
    const { columns, columnDim } = this.#options;
    const own = torch.eye(columns, { dtype: categories.dtype, device: categories.device });
    return this.attend(slots, categories.unsqueeze(1).mul(own.repeatInterleave(columnDim, 1)));
  }

  /** The same with any keys [B, K, C], which are projected first; `zeroKey`: and one of zeros. */
  attend(slots: torch.Tensor, keys: torch.Tensor, zeroKey = true): AttentionFusion {
    const projected = this.categoryProjection.forward(keys);
    const { dropout } = this.#options;
    const { output, weights } = crossAttention(this.crossAttn, slots, projected, { zeroKey, dropout });
    return { output: this.norm.forward(slots.add(output)), weights };
  }
}

const latentScale = 0.02;

/**
 * Learned latent vectors attend to slots and categories, then to each other; their mean is the result (after
 * Jaegle et al. 2021). Takes the place of the target's transformer and pooling.
 */
export class PerceiverFusion extends nn.Module {
  static override readonly names = {
    slotProjection: "seq_projection",
    categoryProjection: "cat_projection",
    crossAttn: "cross_attn",
    crossNorm: "cross_norm",
    selfAttnLayers: "self_attn_layers",
    outputProjection: "output_projection",
  };
  readonly latents: torch.Tensor;
  readonly slotProjection: torch.nn.Linear;
  readonly categoryProjection: torch.nn.Linear;
  readonly crossAttn: torch.nn.MultiheadAttention;
  readonly crossNorm: torch.nn.LayerNorm;
  readonly selfAttnLayers: torch.nn.ModuleList<TransformerLayer>;
  readonly outputProjection: torch.nn.Linear;
  readonly #options: AttentionFusionOptions;

  constructor(options: PerceiverOptions) {
    super();
    const { dim, columns, columnDim, heads, dropout, layers } = options;
    this.#options = options;
    this.latents = nn.parameter(torch.randn([options.latents, dim]).mul(latentScale));
    this.slotProjection = new nn.Linear(dim, dim);
    this.categoryProjection = new nn.Linear(columns * columnDim, dim);
    this.crossAttn = new nn.MultiheadAttention(dim, heads, { batchFirst: true });
    this.crossNorm = new nn.LayerNorm(dim);
    const layer = () => new TransformerLayer({ layers: 1, dim, heads, dropout, activation: "relu" });
    this.selfAttnLayers = new nn.ModuleList(Array.from({ length: layers }, layer));
    this.outputProjection = new nn.Linear(dim, dim);
    for (const projection of [this.slotProjection, this.categoryProjection, this.outputProjection]) {
      glorot(projection);
    }
  }

  /** [B, S, D], [B, C] and which slots are filled [B, S] -> [B, D]; weights [B, H, latents, S + 1]. */
  forward(slots: torch.Tensor, categories: torch.Tensor, valid: torch.Tensor | null): AttentionFusion {
    const { dropout, dim } = this.#options;
    const samples = slots.size(0);
    const count = this.latents.size(0);
    const category = this.categoryProjection.forward(categories).unsqueeze(1);
    const inputs = torch.cat([this.slotProjection.forward(slots), category], 1);
    const mask = valid && torch.constantPadNd(valid, [0, 1], true);
    const start = this.latents.unsqueeze(0).expand([samples, -1, -1]);
    const { output, weights } = crossAttention(this.crossAttn, start, inputs, { valid: mask, dropout });
    let latents = this.crossNorm.forward(start.add(output)).flatten(0, 1);
    for (const layer of this.selfAttnLayers)
      latents = layer.forward(latents, { sizes: [samples, count], mask: null });
    const pooled = latents.view([samples, count, dim]).mean(1);
    return { output: this.outputProjection.forward(pooled), weights };
  }
}
