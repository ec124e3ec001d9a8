import type { Tensor } from "../../core/tensor.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { full } from "../../functions/creation.ts";
import { ModuleList } from "../base/containers.ts";
import { xavierUniform_ } from "../base/init.ts";
import { Module } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";
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
  /** Says that `tgtMask` forbids what comes later and nothing else: faster. */
  readonly tgtIsCausal?: boolean;
  /** The same of `memoryMask`. */
  readonly memoryIsCausal?: boolean;
}

const maskNames = "tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, tgtIsCausal, memoryIsCausal";

/**
 * Self-attention, attention to a memory and a feed-forward network, on [length, batch, dModel], or with
 * `batchFirst` [batch, length, dModel]; PyTorch's names and defaults.
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
    const settings = layerSettings("TransformerDecoderLayer", options);
    const { dimFeedforward, dropout, activation, layerNormEps: eps, normFirst, bias } = settings;
    const { batchFirst, creation } = settings;
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...creation });
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...creation });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, ...creation });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, ...creation });
    this.norm1 = new LayerNorm(dModel, { eps, bias, ...creation });
    this.norm2 = new LayerNorm(dModel, { eps, bias, ...creation });
    this.norm3 = new LayerNorm(dModel, { eps, bias, ...creation });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activationFunction(activation);
  }

  forward(target: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const { tgtMask, memoryMask, tgtKeyPaddingMask, memoryKeyPaddingMask, ...hints } = masks;
    const { tgtIsCausal, memoryIsCausal, ...others } = hints;
    refuseOthers("TransformerDecoderLayer", others, maskNames);
    const attendSelf = (x: Tensor): Tensor => {
      const [mixed] = this.selfAttn.forward(x, x, x, {
        attnMask: tgtMask,
        keyPaddingMask: tgtKeyPaddingMask,
        isCausal: tgtIsCausal,
      });
      return this.dropout1.forward(mixed);
    };
    const attendMemory = (x: Tensor): Tensor => {
      const options = {
        attnMask: memoryMask,
        keyPaddingMask: memoryKeyPaddingMask,
        isCausal: memoryIsCausal,
      };
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

/**
 * Masks of both halves; `srcIsCausal` says of `srcMask` that it forbids what comes later and nothing else.
 */
export type TransformerMasks = Omit<EncoderMasks, "isCausal"> & DecoderMasks & { srcIsCausal?: boolean };

/**
 * Encoder and decoder (Vaswani et al. 2017), on [length, batch, dModel], or with `batchFirst` [batch, length,
 * dModel]; PyTorch's names and defaults.
 */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;
  readonly batchFirst: boolean;

  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...layer } = options;
    const { layerNormEps: eps, bias, batchFirst, creation } = layerSettings("Transformer", layer);
    this.batchFirst = batchFirst;
    const norm = () => new LayerNorm(dModel, { eps, bias, ...creation });
    const encoderLayer = new TransformerEncoderLayer(dModel, nhead, layer);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, { norm: norm() });
    const decoderLayer = new TransformerDecoderLayer(dModel, nhead, layer);
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, { norm: norm() });
    for (const value of this.parameters()) if (value.ndim > 1) xavierUniform_(value);
  }

  /**
   * Source [S, batch, dModel] and target [T, batch, dModel] -> [T, batch, dModel]; with `batchFirst` the
   * batch comes first.
   */
  forward(source: Tensor, target: Tensor, masks: TransformerMasks = {}): Tensor {
    const { srcMask, srcKeyPaddingMask, srcIsCausal, ...decoderMasks } = masks;
    const batch = this.batchFirst ? 0 : 1;
    if (source.ndim === 3 && target.ndim === 3 && source.size(batch) !== target.size(batch))
      refuse(
        "Transformer",
        `source ${shown(source.shape)} and target ${shown(target.shape)} must have the same batch (dimension ${batch})`,
      );
    const memory = this.encoder.forward(source, { srcMask, srcKeyPaddingMask, isCausal: srcIsCausal });
    return this.decoder.forward(target, memory, decoderMasks);
  }

  /** [size, size] to add to scores: minus infinity for positions that come later, zero elsewhere. */
  static generateSquareSubsequentMask(size: number): Tensor {
    using all = full([size, size], Number.NEGATIVE_INFINITY);
    return all.triu(1);
  }
}
