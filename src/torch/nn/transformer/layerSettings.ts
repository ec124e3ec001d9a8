import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { type BatchFirstOption, needBatchFirst } from "../base/layerOptions.ts";
import type { Module } from "../base/module.ts";

export type Activation = "relu" | "gelu" | "gelu_tanh";

/** The function of an activation's name. @throws RangeError for another name. */
export function activationFunction(name: Activation): (input: Tensor) => Tensor {
  if (name === "relu") return (input) => ops.relu(input);
  if (name === "gelu") return (input) => ops.gelu(input);
  if (name === "gelu_tanh") return (input) => ops.gelu(input, { approximate: "tanh" });
  throw new RangeError(`Unknown activation ${JSON.stringify(name)}; expected "relu", "gelu" or "gelu_tanh"`);
}

export interface TransformerLayerOptions extends BatchFirstOption {
  readonly dimFeedforward?: number;
  readonly dropout?: number;
  readonly activation?: Activation;
  readonly layerNormEps?: number;
  readonly normFirst?: boolean;
  /** Whether linear maps and norms have biases. */
  readonly bias?: boolean;
}

/** The settings of a layer with PyTorch's defaults. @throws TypeError for one that it does not know. */
export function layerSettings(
  name: string,
  options: TransformerLayerOptions,
): Required<Omit<TransformerLayerOptions, "batchFirst">> {
  const {
    dimFeedforward = 2048,
    dropout = 0.1,
    activation = "relu",
    layerNormEps = 1e-5,
    normFirst = false,
    bias = true,
    batchFirst,
    ...others
  } = options;
  needBatchFirst(name, { batchFirst });
  refuseOthers(
    name,
    others,
    "dimFeedforward, dropout, activation, layerNormEps, normFirst, bias, batchFirst",
  );
  return { dimFeedforward, dropout, activation, layerNormEps, normFirst, bias };
}

/** A layer and copies of it, as many as wanted in all. */
export function copiesOf<M extends Module>(layer: M, count: number): M[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? layer : layer.clone()));
}
