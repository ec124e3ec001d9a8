import type { Tensor } from "../../core/tensor.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { full } from "../../functions/creation.ts";
import { ModuleList } from "../base/containers.ts";
import { xavierUniform_ } from "../base/init.ts";
import { Module } from "../base/module.ts";
import { Dropout } from "../layers/dropout.ts";
import { Linear } from "../layers/linear.ts";
import { LayerNorm } from "../normalization/layerNorm.ts";
import { type EncoderMasks, TransformerEncoder, TransformerEncoderLayer } from "./encoder.ts";
import {
  activationFunction,
  copiesOf,
  layerSettings,
  type TransformerLayerOptions,
} from "./layerSettings.ts";
import { MultiheadAttention } from "./multiheadAttention.ts";

/** Masks as `MultiheadAttention` takes them, for the target itself and for the memory. */
export interface DecoderMasks {
  readonly tgtMask?: Tensor | null;
  readonly memoryMask?: Tensor | null;
  readonly tgtKeyPaddingMask?: Tensor | null;
  readonly memoryKeyPaddingMask?: Tensor | null;
}

const maskNames = "tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask";

/**
 * Self-attention, attention to a memory and a feed-forward network, on [batch, length, dModel];
 * PyTorch's names and defaults.
 */
export class TransformerDecoderLayer extends Module {
  static override readonly names = { selfAttn: "self_attn", multiheadAttn: "multihead_attn" };
  readonly selfAttn: MultiheadAttention;
  readonly multiheadAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly dropout3: Dropout;
  readonly normFirst: boolean;
  readonly activation: (input: Tensor) => Tensor;

  constructor(
    readonly dModel: number,
    readonly nhead: number,
    options: TransformerLayerOptions = {},
  ) {
    super();
    const { dimFeedforward, dropout, activation, layerNormEps, normFirst, bias } = layerSettings(
      "TransformerDecoderLayer",
      options,
    );
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias });
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, { dropout, bias });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias });
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.norm3 = new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activationFunction(activation);
  }

  forward(target: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const { tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, ...others } = masks;
    refuseOthers("TransformerDecoderLayer", others, maskNames);
    const attendSelf = (x: Tensor): Tensor => {
      const [mixed] = this.selfAttn.forward(x, x, x, {
        attnMask: tgtMask,
        keyPaddingMask: tgtKeyPaddingMask,
      });
      return this.dropout1.forward(mixed);
    };
    const attendMemory = (x: Tensor): Tensor => {
      const options = { attnMask: memoryMask, keyPaddingMask: memoryKeyPaddingMask };
      const [mixed] = this.multiheadAttn.forward(x, memory, memory, options);
      return this.dropout2.forward(mixed);
    };
    const feedForward = (x: Tensor): Tensor => {
      const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
      return this.dropout3.forward(this.linear2.forward(hidden));
    };
    if (this.normFirst) {
      const own = target.add(attendSelf(this.norm1.forward(target)));
      const both = own.add(attendMemory(this.norm2.forward(own)));
      return both.add(feedForward(this.norm3.forward(both)));
    }
    const own = this.norm1.forward(target.add(attendSelf(target)));
    const both = this.norm2.forward(own.add(attendMemory(own)));
    return this.norm3.forward(both.add(feedForward(both)));
  }
}

/**
 * A stack of copies of one layer, then an optional norm; all layers start with the
 * same weights, as in PyTorch.
 */
export class TransformerDecoder extends Module {
  readonly layers: ModuleList<TransformerDecoderLayer>;
  readonly norm: LayerNorm | null;

  constructor(layer: TransformerDecoderLayer, numLayers: number, options: { norm?: LayerNorm | null } = {}) {
    super();
    const { norm = null, ...others } = options;
    refuseOthers("TransformerDecoder", others, "norm");
    this.layers = new ModuleList(copiesOf(layer, numLayers));
    this.norm = norm;
  }

  forward(target: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    let value = target;
    for (const layer of this.layers) value = layer.forward(value, memory, masks);
    return this.norm ? this.norm.forward(value) : value;
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  readonly dModel?: number;
  readonly nhead?: number;
  readonly numEncoderLayers?: number;
  readonly numDecoderLayers?: number;
}

/** Encoder and decoder (Vaswani et al. 2017), on [batch, length, dModel]; PyTorch's names and defaults. */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...layer } = options;
    const { layerNormEps: eps, bias } = layerSettings("Transformer", layer);
    const encoderLayer = new TransformerEncoderLayer(dModel, nhead, layer);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, {
      norm: new LayerNorm(dModel, { eps, bias }),
    });
    const decoderLayer = new TransformerDecoderLayer(dModel, nhead, layer);
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, {
      norm: new LayerNorm(dModel, { eps, bias }),
    });
    for (const value of this.parameters()) if (value.ndim > 1) xavierUniform_(value);
  }

  /** Source [batch, S, dModel] and target [batch, T, dModel] -> [batch, T, dModel]. */
  forward(source: Tensor, target: Tensor, masks: EncoderMasks & DecoderMasks = {}): Tensor {
    const { srcMask, srcKeyPaddingMask, ...decoderMasks } = masks;
    const memory = this.encoder.forward(source, { srcMask, srcKeyPaddingMask });
    return this.decoder.forward(target, memory, decoderMasks);
  }

  /** [size, size] to add to scores: minus infinity for positions that come later, zero elsewhere. */
  static generateSquareSubsequentMask(size: number): Tensor {
    using all = full([size, size], Number.NEGATIVE_INFINITY);
    return all.triu(1);
  }
}
