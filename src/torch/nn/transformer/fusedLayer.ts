import { isAutocastEnabled } from "../../autograd/autocast.ts";
import type { Tensor } from "../../core/tensor.ts";
import { ops } from "../../dispatch/operators.ts";
import type { Linear } from "../layers/linear.ts";
import type { LayerNorm } from "../normalization/layerNorm.ts";
import type { MultiheadAttention } from "./multiheadAttention.ts";

/** The parts of a pre-norm transformer layer, all with biases and norms of eps 1e-5. */
export interface LayerParts {
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
}

export interface FusedLayerOptions {
  /** Pairs: so many sequences of such a length, in the order in which their tokens lie. */
  readonly runs: readonly number[];
  readonly heads: number;
  readonly activation: "gelu" | "gelu_tanh" | "relu";
  /** Keep the input alone for the backward pass and compute the rest again there. Default false. */
  readonly recompute?: boolean;
}

/** Whether `fusedTransformerLayer` can take such an input: float32 on the CPU, not in mixed precision. */
export function canFuseLayer(input: Tensor): boolean {
  return input.device === "cpu" && input.dtype === "float32" && !isAutocastEnabled("cpu");
}

/**
 * A pre-norm transformer layer as one operator with its own backward pass (native/transformerLayer.cpp):
 * tokens [N, D] -> [N, D], where sequences of different lengths lie one after the other without padding.
 * Without dropout. The same numbers as from single operators, except for rounding; no second derivatives.
 */
export function fusedTransformerLayer(input: Tensor, parts: LayerParts, options: FusedLayerOptions): Tensor {
  const { selfAttn, linear1, linear2, norm1, norm2 } = parts;
  const weights = [
    ...[selfAttn.inProjWeight!, selfAttn.inProjBias, selfAttn.outProj.weight, selfAttn.outProj.bias],
    ...[linear1.weight, linear1.bias, linear2.weight, linear2.bias],
    ...[norm1.weight, norm1.bias, norm2.weight, norm2.bias],
  ];
  const { runs, heads, activation, recompute = false } = options;
  return ops.aamt.transformer_layer(input, weights, runs, heads, activation, recompute) as Tensor;
}
