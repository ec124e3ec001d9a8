import { forkRng } from "../../core/generator.ts";
import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { ModuleList } from "../base/containers.ts";
import { type BatchFirstOption, needBatchFirst } from "../base/layerOptions.ts";
import { Module } from "../base/module.ts";
import { Dropout } from "../layers/dropout.ts";
import { Linear } from "../layers/linear.ts";
import { LayerNorm } from "../normalization/layerNorm.ts";
import { MultiheadAttention } from "./multiheadAttention.ts";

export type Activation = "relu" | "gelu" | "gelu_tanh";

/** The function of an activation's name. @throws RangeError for another name. */
export function activationFunction(name: Activation): (input: Tensor) => Tensor {
  if (name === "relu") return (input) => ops.relu(input);
  if (name === "gelu") return (input) => ops.gelu(input);
  if (name === "gelu_tanh") return (input) => ops.gelu(input, { approximate: "tanh" });
  throw new RangeError(`Unknown activation ${JSON.stringify(name)}; expected "relu", "gelu" or "gelu_tanh"`);
}

export interface TransformerLayerOptions extends BatchFirstOption {
  dimFeedforward?: number;
  dropout?: number;
  activation?: Activation;
  layerNormEps?: number;
  normFirst?: boolean;
}

export interface EncoderMasks {
  /** [length, length] or [batch * heads, length, length]. */
  srcMask?: Tensor | null;
  /** [batch, length] bool: true where a position is padding. */
  srcKeyPaddingMask?: Tensor | null;
}

/** Self-attention and a feed-forward network with residuals, on [batch, length, dModel]; PyTorch's names and defaults. */
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
  readonly #activation: (input: Tensor) => Tensor;
  readonly #options: TransformerLayerOptions;

  constructor(
    readonly dModel: number,
    readonly nhead: number,
    options: TransformerLayerOptions = {},
  ) {
    super();
    const {
      dimFeedforward = 2048,
      dropout = 0.1,
      activation = "relu",
      layerNormEps = 1e-5,
      normFirst = false,
      batchFirst,
      ...others
    } = options;
    needBatchFirst("TransformerEncoderLayer", { batchFirst });
    refuseOthers(
      "TransformerEncoderLayer",
      others,
      "dimFeedforward, dropout, activation, layerNormEps, normFirst, batchFirst",
    );
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout });
    this.linear1 = new Linear(dModel, dimFeedforward);
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel);
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps });
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.normFirst = normFirst;
    this.#activation = activationFunction(activation);
    this.#options = options;
  }

  /** A new layer with the same settings and a copy of the weights. Draws no random numbers. */
  clone(): TransformerEncoderLayer {
    const copy = forkRng(() => new TransformerEncoderLayer(this.dModel, this.nhead, this.#options));
    copy.loadStateDict(this.stateDict());
    return copy;
  }

  forward(input: Tensor, masks: EncoderMasks = {}): Tensor {
    if (this.normFirst) {
      const attended = input.add(this.#attend(this.norm1.forward(input), masks));
      return attended.add(this.#feedForward(this.norm2.forward(attended)));
    }
    const attended = this.norm1.forward(input.add(this.#attend(input, masks)));
    return this.norm2.forward(attended.add(this.#feedForward(attended)));
  }

  #attend(input: Tensor, { srcMask, srcKeyPaddingMask, ...others }: EncoderMasks): Tensor {
    refuseOthers("TransformerEncoderLayer", others, "srcMask, srcKeyPaddingMask");
    const [mixed] = this.selfAttn.forward(input, input, input, {
      attnMask: srcMask,
      keyPaddingMask: srcKeyPaddingMask,
    });
    return this.dropout1.forward(mixed);
  }

  #feedForward(input: Tensor): Tensor {
    const hidden = this.dropout.forward(this.#activation(this.linear1.forward(input)));
    return this.dropout2.forward(this.linear2.forward(hidden));
  }
}

/** A stack of copies of one layer, then an optional norm; all layers start with the same weights, as in PyTorch. */
export class TransformerEncoder extends Module {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  readonly norm: LayerNorm | null;

  constructor(layer: TransformerEncoderLayer, numLayers: number, options: { norm?: LayerNorm | null } = {}) {
    super();
    const copies = Array.from({ length: Math.max(numLayers - 1, 0) }, () => layer.clone());
    this.layers = new ModuleList(numLayers > 0 ? [layer, ...copies] : []);
    this.norm = options.norm ?? null;
  }

  forward(input: Tensor, masks: EncoderMasks = {}): Tensor {
    let value = input;
    for (const layer of this.layers) value = layer.forward(value, masks);
    return this.norm ? this.norm.forward(value) : value;
  }
}
