import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import type { Module } from "../base/module.ts";

export type Activation = "relu" | "gelu" | "gelu_tanh";

/**
 * The function of an activation's name; one of the caller's own is taken as it is. @throws RangeError for
 * another name.
 */
export function activationFunction(
  name: Activation | ((input: Tensor) => Tensor),
): (input: Tensor) => Tensor {
  if (typeof name === "function") return name;
  if (name === "relu") return (input) => ops.relu(input);
  if (name === "gelu") return (input) => ops.gelu(input);
  if (name === "gelu_tanh") return (input) => ops.gelu(input, { approximate: "tanh" });
  throw new RangeError(`Unknown activation ${JSON.stringify(name)}; expected "relu", "gelu" or "gelu_tanh"`);
}

export interface TransformerLayerOptions extends LayerOptions {
  readonly dimFeedforward?: number;
  readonly dropout?: number;
  readonly activation?: Activation | ((input: Tensor) => Tensor);
  readonly layerNormEps?: number;
  /**
   * Whether inputs are [batch, length, dModel]; else, as PyTorch has it, [length, batch, dModel]. Default
   * false.
   */
  readonly batchFirst?: boolean;
  readonly normFirst?: boolean;
  /** Whether linear maps and norms have biases. */
  readonly bias?: boolean;
}

type LayerSettings = Required<Omit<TransformerLayerOptions, keyof LayerOptions>> & {
  readonly creation: LayerOptions;
};

/** The settings of a layer with PyTorch's defaults. @throws TypeError for one that it does not know. */
export function layerSettings(name: string, options: TransformerLayerOptions): LayerSettings {
  const {
    dimFeedforward = 2048,
    dropout = 0.1,
    activation = "relu",
    layerNormEps = 1e-5,
    batchFirst = false,
    normFirst = false,
    bias = true,
    ...creation
  } = options;
  refuseLayerOptions(
    name,
    creation,
    "dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias",
  );
  return { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias, creation };
}

/** A layer and copies of it, as many as wanted in all. */
export function copiesOf<M extends Module>(layer: M, count: number): M[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? layer : layer.clone()));
}
