import type { Tensor } from "../../core/tensor.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { ModuleList } from "../base/containers.ts";
import { Module } from "../base/module.ts";
import { Dropout } from "../layers/dropout.ts";
import { Linear } from "../layers/linear.ts";
import { LayerNorm } from "../normalization/layerNorm.ts";
import {
  activationFunction,
  copiesOf,
  layerSettings,
  type TransformerLayerOptions,
} from "./layerSettings.ts";
import { MultiheadAttention } from "./multiheadAttention.ts";

export interface EncoderMasks {
  /** [length, length] or [batch * heads, length, length]. */
  readonly srcMask?: Tensor | null;
  /** [batch, length] bool: true where a position is padding. */
  readonly srcKeyPaddingMask?: Tensor | null;
  /** Says that `srcMask` forbids what comes later and nothing else: faster. */
  readonly isCausal?: boolean;
}

/**
 * Self-attention and a feed-forward network with residuals, on [length, batch, dModel], or with `batchFirst`
 * [batch, length, dModel]; PyTorch's names and defaults.
 */
export class TransformerEncoderLayer extends Module {
  static override readonly names = { selfAttn: "self_attn" };
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly dropout: Dropout;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout1: Dropout;
  readonly dropout2: Dropout;
  readonly normFirst: boolean;
  readonly activation: (input: Tensor) => Tensor;

  constructor(
    readonly dModel: number,
    readonly nhead: number,
    options: TransformerLayerOptions = {},
  ) {
    super();
    const settings = layerSettings("TransformerEncoderLayer", options);
    const { dimFeedforward, dropout, activation, layerNormEps: eps, normFirst, bias } = settings;
    const { batchFirst, creation } = settings;
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...creation });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, ...creation });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, ...creation });
    this.norm1 = new LayerNorm(dModel, { eps, bias, ...creation });
    this.norm2 = new LayerNorm(dModel, { eps, bias, ...creation });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.activation = activationFunction(activation);
  }

  forward(input: Tensor, masks: EncoderMasks = {}): Tensor {
    const { srcMask, srcKeyPaddingMask, isCausal, ...others } = masks;
    refuseOthers("TransformerEncoderLayer", others, "srcMask, srcKeyPaddingMask, isCausal");
    const attend = (x: Tensor): Tensor => {
      const [mixed] = this.selfAttn.forward(x, x, x, {
        attnMask: srcMask,
        keyPaddingMask: srcKeyPaddingMask,
        isCausal,
      });
      return this.dropout1.forward(mixed);
    };
    const feedForward = (x: Tensor): Tensor => {
      const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
      return this.dropout2.forward(this.linear2.forward(hidden));
    };
    if (this.normFirst) {
      const attended = input.add(attend(this.norm1.forward(input)));
      return attended.add(feedForward(this.norm2.forward(attended)));
    }
    const attended = this.norm1.forward(input.add(attend(input)));
    return this.norm2.forward(attended.add(feedForward(attended)));
  }
}

/**
 * A stack of copies of one layer, then an optional norm; all layers start with the
 * same weights, as in PyTorch.
 */
export class TransformerEncoder extends Module {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  readonly norm: LayerNorm | null;

  constructor(layer: TransformerEncoderLayer, numLayers: number, options: { norm?: LayerNorm | null } = {}) {
    super();
    const { norm = null, ...others } = options;
    refuseOthers("TransformerEncoder", others, "norm");
    this.layers = new ModuleList(copiesOf(layer, numLayers));
    this.norm = norm;
  }

  forward(input: Tensor, masks: EncoderMasks = {}): Tensor {
    let value = input;
    for (const layer of this.layers) value = layer.forward(value, masks);
    return this.norm ? this.norm.forward(value) : value;
  }
}
