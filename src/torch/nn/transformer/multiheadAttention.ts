import { type DType, isFloatingDtype } from "../../core/dtype.ts";
import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { empty, zeros, zerosLike } from "../../functions/creation.ts";
import { constant_, xavierNormal_, xavierUniform_ } from "../base/init.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module, parameter } from "../base/module.ts";
import { needProbability, refuse, shown } from "../functional/checks.ts";
import { Linear } from "../layers/linear.ts";

export interface MultiheadAttentionOptions extends LayerOptions {
  readonly dropout?: number;
  readonly bias?: boolean;
  /** A learned key and a learned value behind those of the input. */
  readonly addBiasKv?: boolean;
  /** A key and a value of zeros behind those of the input. */
  readonly addZeroAttn?: boolean;
  /** The keys' size, if it is not the queries'. */
  readonly kdim?: number | null;
  /** The values' size, if it is not the queries'. */
  readonly vdim?: number | null;
  /**
   * Whether inputs are [batch, length, size]; else, as PyTorch has it, [length, batch, size]. Default false.
   */
  readonly batchFirst?: boolean;
}

export interface AttentionOptions {
  /**
   * Of shape [batch, keys]: bool, true where a key is padding and must not be attended to; or a float
   * that is added to the scores.
   */
  readonly keyPaddingMask?: Tensor | null;
  /**
   * [queries, keys] or [batch * heads, queries, keys]: bool (true forbids) or a float
   * that is added to the scores.
   */
  readonly attnMask?: Tensor | null;
  /**
   * Return the weights; slower, since the fused kernel cannot give them. Default false (Python's is true).
   */
  readonly needWeights?: boolean;
  /**
   * Whether those weights are the mean over heads [batch, queries, keys], or [batch, heads, queries, keys].
   * Default true.
   */
  readonly averageAttnWeights?: boolean;
  /**
   * Says that `attnMask` forbids what comes later and nothing else, which kernels know without looking at it.
   */
  readonly isCausal?: boolean;
}

/**
 * Multi-head attention (Vaswani et al. 2017) with PyTorch's parameters: `in_proj_weight` [3E, E] in the order
 * query, key, value, or `q_proj_weight` and its sisters where `kdim` or `vdim` differ. Inputs are [length,
 * batch, size], with `batchFirst` [batch, length, size], or without a batch [length, size].
 */
export class MultiheadAttention extends Module {
  static override readonly names = {
    qProjWeight: "q_proj_weight",
    kProjWeight: "k_proj_weight",
    vProjWeight: "v_proj_weight",
    inProjWeight: "in_proj_weight",
    inProjBias: "in_proj_bias",
    outProj: "out_proj",
    biasK: "bias_k",
    biasV: "bias_v",
  };
  qProjWeight: Tensor | null;
  kProjWeight: Tensor | null;
  vProjWeight: Tensor | null;
  inProjWeight: Tensor | null;
  inProjBias: Tensor | null;
  readonly outProj: Linear;
  biasK: Tensor | null;
  biasV: Tensor | null;
  readonly headDim: number;
  readonly kdim: number;
  readonly vdim: number;
  readonly dropout: number;
  readonly addZeroAttn: boolean;
  readonly batchFirst: boolean;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    super();
    const { dropout = 0, bias = true, addBiasKv = false, addZeroAttn = false, ...sizes } = options;
    const { kdim, vdim, batchFirst = false, ...creation } = sizes;
    const known = "dropout, bias, addBiasKv, addZeroAttn, kdim, vdim, batchFirst";
    refuseLayerOptions("MultiheadAttention", creation, known);
    if (!(embedDim > 0 && numHeads > 0))
      throw new RangeError(
        `MultiheadAttention: the embedding size and the heads must be above 0, got ${embedDim} and ${numHeads}`,
      );
    if (embedDim % numHeads !== 0) {
      throw new RangeError(
        `MultiheadAttention: the embedding size ${embedDim} is not divisible by ${numHeads} heads`,
      );
    }
    needProbability("MultiheadAttention", dropout);
    this.dropout = dropout;
    this.headDim = embedDim / numHeads;
    this.kdim = kdim ?? embedDim;
    this.vdim = vdim ?? embedDim;
    this.addZeroAttn = addZeroAttn;
    this.batchFirst = batchFirst;
    const own = (shape: readonly number[]) => parameter(empty(shape, creation));
    const alike = this.kdim === embedDim && this.vdim === embedDim;
    this.qProjWeight = alike ? null : own([embedDim, embedDim]);
    this.kProjWeight = alike ? null : own([embedDim, this.kdim]);
    this.vProjWeight = alike ? null : own([embedDim, this.vdim]);
    this.inProjWeight = alike ? own([3 * embedDim, embedDim]) : null;
    this.inProjBias = bias ? parameter(zeros([3 * embedDim], creation)) : null;
    this.biasK = addBiasKv ? own([1, 1, embedDim]) : null;
    this.biasV = addBiasKv ? own([1, 1, embedDim]) : null;
    // The order of draws is PyTorch's: the output projection first (its bias drawn and then cleared).
    this.outProj = new Linear(embedDim, embedDim, { ...creation, bias });
    for (const weight of [this.inProjWeight, this.qProjWeight, this.kProjWeight, this.vProjWeight])
      if (weight) xavierUniform_(weight);
    if (this.outProj.bias) constant_(this.outProj.bias, 0);
    for (const extra of [this.biasK, this.biasV]) if (extra) xavierNormal_(extra);
  }

  /**
   * Self- or cross-attention: the result has the queries' shape with `embedDim` numbers each, and comes with
   * the weights or null.
   * @throws TorchError for shapes that do not fit.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionOptions = {},
  ): [Tensor, Tensor | null] {
    if (query.ndim !== 2) return attend(this, [query, key, value], options);
    const { keyPaddingMask } = options;
    const one = this.batchFirst ? 0 : 1;
    const [output, weights] = attend(
      this,
      query === key && key === value
        ? Array.from({ length: 3 }, () => query.unsqueeze(one))
        : [query, key, value].map((input) => input.unsqueeze(one)),
      { ...options, keyPaddingMask: keyPaddingMask?.unsqueeze(0) },
    );
    return [output.squeeze(one), weights?.squeeze(0) ?? null];
  }

  override extraRepr(): string {
    return `embedDim=${this.embedDim}, numHeads=${this.numHeads}, batchFirst=${this.batchFirst}`;
  }
}

function attend(
  layer: MultiheadAttention,
  inputs: readonly Tensor[],
  options: AttentionOptions,
): [Tensor, Tensor | null] {
  const { keyPaddingMask, attnMask, needWeights, averageAttnWeights = true, isCausal, ...others } = options;
  refuseOthers(
    "MultiheadAttention",
    others,
    "keyPaddingMask, attnMask, needWeights, averageAttnWeights, isCausal",
  );
  checkInputs(layer, inputs);
  if (isCausal && !attnMask)
    throw new TypeError("MultiheadAttention: isCausal says what attnMask is, so it needs that mask too");
  const [q, k, v] = project(layer, inputs);
  const p = layer.training ? layer.dropout : 0;
  const added = (layer.biasK ? 1 : 0) + (layer.addZeroAttn ? 1 : 0);
  if (isCausal && !needWeights && !keyPaddingMask && added === 0)
    return [merge(layer, ops.scaledDotProductAttention(q, k, v, null, p, true)), null];
  const mask = behind(maskOf(layer, options, [q.size(0), q.size(2), k.size(2) - added]), added);
  if (!needWeights) return [merge(layer, ops.scaledDotProductAttention(q, k, v, mask, p)), null];
  let scores = q.matmul(k.transpose(-2, -1)).div(Math.sqrt(layer.headDim));
  if (mask)
    scores = mask.dtype === "bool" ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask);
  let weights = scores.softmax(-1);
  if (p > 0) weights = ops.dropout(weights, p, true);
  return [merge(layer, weights.matmul(v)), averageAttnWeights ? weights.mean(1) : weights];
}

function checkInputs(layer: MultiheadAttention, inputs: readonly Tensor[]): void {
  const { embedDim, kdim, vdim, batchFirst } = layer;
  const shapes = inputs.map((input) => input.shape);
  const [q, k, v] = shapes;
  const [batch, length] = batchFirst ? [0, 1] : [1, 0];
  const fit =
    shapes.every((shape, i) => {
      return shape.length === 3 && shape[batch] === q[batch] && shape[2] === [embedDim, kdim, vdim][i];
    }) && k[length] === v[length];
  if (fit) return;
  const form = (what: string, size: number) =>
    batchFirst ? `[batch, ${what}, ${size}]` : `[${what}, batch, ${size}]`;
  refuse(
    "MultiheadAttention",
    `takes query ${form("queries", embedDim)}, key ${form("keys", kdim)} and value ${form("keys", vdim)}, got ${shapes.map(shown).join(", ")}`,
  );
}

/**
 * [batch, heads, queries, headDim] -> the output. With dropout, or where lengths come first, its elements lie
 * in memory as PyTorch's do, queries first: random numbers are drawn in that order, so that a dropout behind
 * hits the same elements at the same seed.
 */
function merge(layer: MultiheadAttention, mixed: Tensor): Tensor {
  const { batchFirst } = layer;
  if (batchFirst && (!layer.training || layer.dropout === 0))
    return layer.outProj.forward(mixed.transpose(1, 2).flatten(2));
  const output = layer.outProj.forward(mixed.permute([2, 0, 1, 3]).flatten(2));
  return batchFirst ? output.transpose(0, 1) : output;
}

/** The inputs -> [batch, heads, length, headDim] each, with what is put behind keys and values. */
function project(layer: MultiheadAttention, inputs: readonly Tensor[]): Tensor[] {
  const { inProjWeight, inProjBias, batchFirst, biasK, biasV, addZeroAttn } = layer;
  const [query, key, value] = inputs;
  const length = batchFirst ? 1 : 0;
  let projected: Tensor[];
  if (inProjWeight && query === key && key === value)
    projected = ops.linear(query, inProjWeight, inProjBias).chunk(3, -1);
  else {
    const weights = inProjWeight?.chunk(3) ?? [layer.qProjWeight!, layer.kProjWeight!, layer.vProjWeight!];
    const biases = inProjBias?.chunk(3);
    projected = inputs.map((input, i) => ops.linear(input, weights[i], biases?.[i] ?? null));
  }
  const learned = [null, biasK, biasV];
  return projected.map((tensor, i) => {
    const extra = learned[i]?.expand(batchFirst ? [tensor.size(0), 1, -1] : [1, tensor.size(1), -1]);
    const longer = extra ? ops.cat([tensor, extra], length) : tensor;
    const heads = longer.unflatten(-1, [layer.numHeads, layer.headDim]);
    const split = batchFirst ? heads.transpose(1, 2) : heads.permute([1, 2, 0, 3]);
    return addZeroAttn && i > 0 ? ops.pad(split, [0, 0, 0, 1]) : split;
  });
}

/** A mask that lets all queries attend to keys that were put behind. */
function behind(mask: Tensor | null, count: number): Tensor | null {
  if (mask === null || count === 0) return mask;
  return ops.pad(mask, [0, count], "constant", mask.dtype === "bool" ? 1 : 0);
}

/** What `scaledDotProductAttention` takes: bool, true where attention is allowed; or float, added. */
function maskOf(
  layer: MultiheadAttention,
  { keyPaddingMask, attnMask }: AttentionOptions,
  [batch, queries, keys]: readonly number[],
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
  return added(attention, dtype).add(added(padding, dtype));
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
