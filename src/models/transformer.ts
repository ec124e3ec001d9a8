import * as torch from "../torch/index.ts";
import { type Packing, unpack } from "./packing.ts";

const { nn } = torch;
type Activation = torch.nn.Activation;

export interface TransformerOptions {
  readonly layers: number;
  readonly heads: number;
  readonly dim: number;
  /** Width of the feed-forward part; default 4 x `dim`. */
  readonly feedForward?: number | null;
  /** Default 0.1: on attention weights, attention output, feed-forward hidden and output. */
  readonly dropout?: number;
  /** `gelu` (default) is the exact form. */
  readonly activation?: Activation;
  /**
   * Compute the layers a second time in the backward pass instead of keeping their values. Only in training.
   */
  readonly gradientCheckpointing?: boolean;
}

/**
 * What attention needs to know of padding: [n, 1, 1, T] bool, true where a key may be
 * attended to; null where all may.
 */
export type KeyMask = torch.Tensor | null;

/** The mask for attention from [n, T] bool, true where there is something. */
export function keyMask(valid: torch.Tensor | null): KeyMask {
  return valid?.unsqueeze(1).unsqueeze(1) ?? null;
}

/**
 * How the tokens [N, D] that a layer gets belong to sequences: rows of one length and a mask, or runs
 * of rows without padding.
 */
export type LayerWork =
  | { readonly sizes: readonly [rows: number, length: number]; readonly mask: KeyMask }
  | { readonly runs: readonly number[]; readonly recompute: boolean };

/**
 * One pre-norm layer (Xiong et al. 2020), with PyTorch's names and numbers:
 * x = x + attention(norm1(x)), then x = x + linear2(activation(linear1(norm2(x)))).
 * Where every key is padding, attention gives zeros.
 */
export class TransformerLayer extends nn.Module {
  static override readonly names = { selfAttn: "self_attn" };
  readonly selfAttn: torch.nn.MultiheadAttention;
  readonly linear1: torch.nn.Linear;
  readonly linear2: torch.nn.Linear;
  readonly norm1: torch.nn.LayerNorm;
  readonly norm2: torch.nn.LayerNorm;
  readonly #options: TransformerOptions;
  readonly #activation: (input: torch.Tensor) => torch.Tensor;

  constructor(options: TransformerOptions) {
    super();
    const { dim, heads, feedForward, activation = "gelu" } = options;
    const hidden = feedForward ?? 4 * dim;
    this.selfAttn = new nn.MultiheadAttention(dim, heads, { batchFirst: true });
    this.linear1 = new nn.Linear(dim, hidden);
    this.linear2 = new nn.Linear(hidden, dim);
    this.norm1 = new nn.LayerNorm(dim);
    this.norm2 = new nn.LayerNorm(dim);
    this.#options = options;
    this.#activation = nn.activationFunction(activation);
  }

  /** Another layer with the same weights; draws no random numbers. */
  override clone(): this {
    const copy = torch.forkRng(() => new TransformerLayer(this.#options));
    copy.loadStateDict(this.stateDict());
    return copy as this;
  }

  /** Whether `runs` can be given for such tokens: the layer is then one operator. */
  canFuse(input: torch.Tensor): boolean {
    const { dropout = 0.1 } = this.#options;
    if ((this.training && dropout > 0) || nn.hasHooks(this)) return false;
    return nn.canFuseLayer(input) && nn.canFuseLayer(this.linear1.weight);
  }

  /**
   * [N, D] -> [N, D]. Two dimensions, so that a product's result is no view and the
   * residual can be added in place.
   */
  forward(input: torch.Tensor, work: LayerWork): torch.Tensor {
    if ("runs" in work) {
      const { heads, activation = "gelu" } = this.#options;
      return nn.fusedTransformerLayer(input, this, { ...work, heads, activation });
    }
    return torch.tidy(() => {
      const attended = this.#dropped(this.#attend(this.norm1.forward(input), work.sizes, work.mask)).add_(
        input,
      );
      const hidden = this.#activation(this.linear1.forward(this.norm2.forward(attended)));
      return this.#dropped(this.linear2.forward(this.#dropped(hidden))).add_(attended);
    });
  }

  #attend(input: torch.Tensor, sizes: readonly [number, number], mask: KeyMask): torch.Tensor {
    const { heads, dim, dropout = 0.1 } = this.#options;
    const { inProjWeight, inProjBias, outProj } = this.selfAttn;
    const [q, k, v] = torch
      .linear(input, inProjWeight!, inProjBias)
      .view([...sizes, 3, heads, dim / heads])
      .unbind(2)
      .map((part) => part.transpose(1, 2));
    const mixed = torch.scaledDotProductAttention(q, k, v, mask, this.training ? dropout : 0);
    return outProj.forward(mixed.transpose(1, 2).reshape(input.shape));
  }

  #dropped(input: torch.Tensor): torch.Tensor {
    const { dropout = 0.1 } = this.#options;
    return this.training && dropout > 0 ? torch.dropout(input, dropout, true) : input;
  }
}

/** The layers' container, which gives their names `encoder.layers.<i>`. */
class LayerStack extends nn.Module {
  readonly layers: torch.nn.ModuleList<TransformerLayer>;

  constructor(options: TransformerOptions) {
    super();
    const first = new TransformerLayer(options);
    this.layers = new nn.ModuleList([
      first,
      ...Array.from({ length: options.layers - 1 }, () => first.clone()),
    ]);
  }

  forward(input: torch.Tensor, work: LayerWork): torch.Tensor {
    let value = input;
    for (const layer of this.layers) value = layer.forward(value, work);
    return value;
  }
}

/** Pre-norm layers that start with equal weights, and a layer norm (eps 1e-6) behind the last. */
export class PreNormEncoder extends nn.Module {
  readonly encoder: LayerStack;
  readonly norm: torch.nn.LayerNorm;
  readonly #checkpointing: boolean;

  /** @throws RangeError for no layers, or heads that do not divide `dim`. */
  constructor(options: TransformerOptions) {
    super();
    if (!(Number.isInteger(options.layers) && options.layers >= 1)) {
      throw new RangeError(`A transformer needs at least one layer, got ${options.layers}`);
    }
    this.encoder = new LayerStack(options);
    this.norm = new nn.LayerNorm(options.dim, { eps: 1e-6 });
    this.#checkpointing = options.gradientCheckpointing ?? false;
  }

  /**
   * [n, T, D] -> [n, T, D]. What stands at masked positions has no meaning. With `packing`, which says the
   * same as the mask, they cost nothing where the device allows it.
   */
  forward(input: torch.Tensor, mask: KeyMask, packing: Packing | null = null): torch.Tensor {
    const [rows, length, dim] = input.shape;
    const recompute = this.#checkpointing && this.training;
    const flat = input.reshape([rows * length, dim]);
    if ((mask === null || packing !== null) && this.encoder.layers.at(0).canFuse(flat)) {
      const tokens = packing ? flat.indexSelect(0, packing.positions) : flat;
      const runs = packing ? packing.runs : [rows, length];
      const output = this.norm.forward(this.encoder.forward(tokens, { runs, recompute }));
      return (packing ? unpack(output, packing, rows * length) : output).view([rows, length, dim]);
    }
    const run = (value: torch.Tensor) => this.encoder.forward(value, { sizes: [rows, length], mask });
    const output = recompute ? torch.checkpoint(run, flat) : run(flat);
    return this.norm.forward(output).view([rows, length, dim]);
  }
}
