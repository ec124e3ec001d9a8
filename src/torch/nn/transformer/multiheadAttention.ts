import { type DType, isFloatingDtype } from "../../core/dtype.ts";
import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { empty, zeros, zerosLike } from "../../functions/creation.ts";
import { constant_, xavierUniform_ } from "../base/init.ts";
import {
  type BatchFirstOption,
  type LayerOptions,
  needBatchFirst,
  refuseLayerOptions,
} from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { needProbability, refuse, shown } from "../functional/checks.ts";
import { Linear } from "../layers/linear.ts";

export interface AttentionOptions {
  /**
   * [batch, keys]: bool, true where a key is padding and must not be attended to; or a float
   * that is added to the scores.
   */
  readonly keyPaddingMask?: Tensor | null;
  /**
   * [queries, keys] or [batch * heads, queries, keys]: bool (true forbids) or a float
   * that is added to the scores.
   */
  readonly attnMask?: Tensor | null;
  /** Return the weights averaged over heads; slower, since the fused kernel cannot give them. */
  readonly needWeights?: boolean;
}

/**
 * Multi-head attention (Vaswani et al. 2017) with PyTorch's parameters: `in_proj_weight` [3D, D] in the order
 * query, key, value. Inputs are [batch, length, D].
 */
export class MultiheadAttention extends Module {
  static override readonly names = {
    inProjWeight: "in_proj_weight",
    inProjBias: "in_proj_bias",
    outProj: "out_proj",
  };
  readonly inProjWeight: Tensor;
  readonly inProjBias: Tensor | null;
  readonly outProj: Linear;
  readonly headDim: number;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: LayerOptions & BatchFirstOption & { dropout?: number; bias?: boolean } = {},
  ) {
    super();
    const { dropout = 0, bias = true, batchFirst, ...creation } = options;
    needBatchFirst("MultiheadAttention", { batchFirst });
    refuseLayerOptions("MultiheadAttention", creation, "dropout, bias, batchFirst");
    if (embedDim % numHeads !== 0) {
      throw new RangeError(
        `MultiheadAttention: the embedding size ${embedDim} is not divisible by ${numHeads} heads`,
      );
    }
    needProbability("MultiheadAttention", dropout);
    this.dropout = dropout;
    this.headDim = embedDim / numHeads;
    this.inProjWeight = parameter(empty([3 * embedDim, embedDim], creation));
    this.inProjBias = bias ? parameter(zeros([3 * embedDim], creation)) : null;
    // The order of draws is PyTorch's: the output projection first (its bias drawn and then cleared).
    this.outProj = new Linear(embedDim, embedDim, { ...creation, bias });
    xavierUniform_(this.inProjWeight);
    if (this.outProj.bias) constant_(this.outProj.bias, 0);
  }

  readonly dropout: number;

  /**
   * Self- or cross-attention; the result is [batch, queries, D] and the weights
   * [batch, queries, keys] or null.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionOptions = {},
  ): [Tensor, Tensor | null] {
    const { keyPaddingMask: _, attnMask: __, needWeights, ...others } = options;
    refuseOthers("MultiheadAttention", others, "keyPaddingMask, attnMask, needWeights");
    checkInputs(this, query, key, value);
    const [batch, queries] = query.shape;
    const keys = key.size(1);
    const [q, k, v] = project(this, query, key, value);
    const mask = maskOf(this, options, batch, queries, keys);
    const p = this.training ? this.dropout : 0;
    if (!needWeights) {
      const mixed = ops.scaledDotProductAttention(q, k, v, mask, p);
      return [merge(this, mixed), null];
    }
    let scores = q.matmul(k.transpose(-2, -1)).div(Math.sqrt(this.headDim));
    if (mask)
      scores = mask.dtype === "bool" ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask);
    let weights = scores.softmax(-1);
    if (p > 0) weights = ops.dropout(weights, p, true);
    return [merge(this, weights.matmul(v)), weights.mean(1)];
  }

  override extraRepr(): string {
    return `embedDim=${this.embedDim}, numHeads=${this.numHeads}`;
  }
}

function checkInputs(layer: MultiheadAttention, query: Tensor, key: Tensor, value: Tensor): void {
  const shapes = [query.shape, key.shape, value.shape];
  const [q, k, v] = shapes;
  const fit =
    shapes.every((shape) => shape.length === 3 && shape[0] === q[0] && shape[2] === layer.embedDim) &&
    k[1] === v[1];
  if (!fit)
    refuse(
      "MultiheadAttention",
      `takes query [batch, queries, ${layer.embedDim}], key and value [batch, keys, ${layer.embedDim}], got ${shapes.map(shown).join(", ")}`,
    );
}

/**
 * [batch, heads, queries, headDim] -> [batch, queries, D]. With dropout its elements lie in memory as
 * PyTorch's do, queries first: random numbers are drawn in that order, so that a dropout behind hits the same
 * elements at the same seed.
 */
function merge(layer: MultiheadAttention, mixed: Tensor): Tensor {
  if (!layer.training || layer.dropout === 0) return layer.outProj.forward(mixed.transpose(1, 2).flatten(2));
  return layer.outProj.forward(mixed.permute([2, 0, 1, 3]).flatten(2)).transpose(0, 1);
}

/** [batch, length, D] each -> [batch, heads, length, headDim] each. */
function project(layer: MultiheadAttention, query: Tensor, key: Tensor, value: Tensor): Tensor[] {
  const split = (projected: Tensor) =>
    projected.unflatten(-1, [layer.numHeads, layer.headDim]).transpose(1, 2);
  if (query === key && key === value) {
    return ops.linear(query, layer.inProjWeight, layer.inProjBias).chunk(3, -1).map(split);
  }
  const weights = layer.inProjWeight.chunk(3);
  const biases = layer.inProjBias?.chunk(3);
  return [query, key, value].map((input, i) => split(ops.linear(input, weights[i], biases?.[i] ?? null)));
}

/** What `scaledDotProductAttention` takes: bool, true where attention is allowed; or float, added. */
function maskOf(
  layer: MultiheadAttention,
  { keyPaddingMask, attnMask }: AttentionOptions,
  batch: number,
  queries: number,
  keys: number,
): Tensor | null {
  const padding = keyPaddingMask
    ? allowing("keyPaddingMask", keyPaddingMask, [[batch, keys]]).view([batch, 1, 1, keys])
    : null;
  const heads = batch * layer.numHeads;
  let attention = attnMask
    ? allowing("attnMask", attnMask, [
        [queries, keys],
        [heads, queries, keys],
      ])
    : null;
  if (attention?.ndim === 3) attention = attention.view([batch, layer.numHeads, queries, keys]);
  if (!padding || !attention) return padding ?? attention;
  if (attention.dtype === "bool" && padding.dtype === "bool") return attention.logicalAnd(padding);
  const dtype = attention.dtype === "bool" ? padding.dtype : attention.dtype;
  return added(attention, dtype).expand([batch, -1, queries, keys]).add(added(padding, dtype));
}

/**
 * A mask as attention's kernels take it: bool with true where attention is allowed, or float.
 * @throws TorchError for another shape or dtype.
 */
function allowing(name: string, mask: Tensor, shapes: readonly (readonly number[])[]): Tensor {
  if (!shapes.some((shape) => shown(shape) === shown(mask.shape)))
    refuse(
      "MultiheadAttention",
      `${name} has the shape ${shown(mask.shape)}, expected ${shapes.map(shown).join(" or ")}`,
    );
  if (mask.dtype === "bool") return mask.logicalNot();
  if (isFloatingDtype(mask.dtype)) return mask;
  return refuse("MultiheadAttention", `${name} must be bool or floating point, got ${mask.dtype}`);
}

/** A mask of `allowing` as what is added to scores. */
function added(mask: Tensor, dtype: DType): Tensor {
  return mask.dtype === "bool" ? zerosLike(mask, { dtype }).maskedFill(mask.logicalNot(), -Infinity) : mask;
}
