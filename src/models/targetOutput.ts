import * as torch from "../torch/index.ts";
import type { CategoryIds } from "./categoricalEmbedder.ts";

const { nn } = torch;

export type OutputActivation = "none" | "relu" | "softplus" | "exp";
export const outputActivations: readonly OutputActivation[] = ["none", "relu", "softplus", "exp"];

export interface OutputOptions {
  /** Targets, or classes. Default 1. */
  readonly outputs?: number;
  /** Give log-probabilities of classes. Default false. */
  readonly classifier?: boolean;
  /** Give values between 0 and 1 (sigmoid). Default false. */
  readonly bounded?: boolean;
  /** Default `none`. */
  readonly activation?: OutputActivation;
  /** A learned factor and offset for each output. Default false. */
  readonly learnedScale?: boolean;
  /** Predict so many quantiles of each output, which are left as they are. */
  readonly quantiles?: number | null;
  /** Columns whose categories have a learned factor and offset for each output, applied in this order. */
  readonly scaledColumns?: readonly string[] | null;
}

/** The parameters that their owner holds under its own names. */
interface ScaleParameters {
  readonly outputScale: torch.Tensor | null;
  readonly outputBias: torch.Tensor | null;
  readonly outputScales: torch.nn.ModuleDict<torch.nn.Embedding> | null;
  readonly outputBiases: torch.nn.ModuleDict<torch.nn.Embedding> | null;
}

type Tables = torch.nn.ModuleDict<torch.nn.Embedding>;

/**
 * What becomes of the target head's values: scaling by category, a common scale, then
 * one of several last steps.
 */
export class TargetOutput {
  readonly #options: OutputOptions;
  readonly #outputs: number;

  /** `columns` are those with categories. @throws RangeError for options that contradict each other. */
  constructor(options: OutputOptions, columns: readonly string[]) {
    const { outputs = 1, classifier, bounded, activation = "none", quantiles, scaledColumns } = options;
    this.#options = options;
    this.#outputs = outputs;
    if (!outputActivations.includes(activation)) {
      throw new RangeError(
        `Unknown output activation "${activation}"; expected one of ${outputActivations.join(", ")}.`,
      );
    }
    if (activation !== "none" && (bounded || classifier)) {
      throw new RangeError(
        `The output activation "${activation}" does not go with ${classifier ? "classes" : "bounded targets"}; leave it out.`,
      );
    }
    if (quantiles !== null && quantiles !== undefined) {
      if (classifier) throw new RangeError("Quantiles are for numbers, not for classes.");
      if (!(Number.isInteger(quantiles) && quantiles >= 1)) {
        throw new RangeError(`The number of quantiles must be a whole number from 1 on, got ${quantiles}.`);
      }
    }
    const unknown = scaledColumns?.find((column) => !columns.includes(column));
    if (unknown !== undefined) {
      throw new RangeError(
        `The outputs cannot be scaled by "${unknown}", which is no categorical column; there are ${columns.join(", ") || "none"}.`,
      );
    }
  }

  /** Values that the head has to give. */
  get headOutputs(): number {
    return this.#outputs * (this.#options.quantiles ?? 1);
  }

  makeScale(): { scale: torch.Tensor | null; bias: torch.Tensor | null } {
    if (!this.#options.learnedScale) return { scale: null, bias: null };
    return {
      scale: nn.parameter(torch.ones([this.#outputs])),
      bias: nn.parameter(torch.zeros([this.#outputs])),
    };
  }

  /** Tables that change nothing at first. */
  makeConditionalScale(cardinalities: Readonly<Record<string, number>>): {
    scales: Tables | null;
    biases: Tables | null;
  } {
    const columns = this.#options.scaledColumns ?? [];
    if (columns.length === 0) return { scales: null, biases: null };
    const scales: Record<string, torch.nn.Embedding> = {};
    const biases: Record<string, torch.nn.Embedding> = {};
    for (const column of columns) {
      scales[column] = new nn.Embedding(cardinalities[column], this.#outputs);
      biases[column] = new nn.Embedding(cardinalities[column], this.#outputs);
      nn.init.ones_(scales[column].weight);
      nn.init.zeros_(biases[column].weight);
    }
    return { scales: new nn.ModuleDict(scales), biases: new nn.ModuleDict(biases) };
  }

  /** The head's values [B, headOutputs] -> predictions [B, outputs] or [B, outputs, Q]. */
  apply(values: torch.Tensor, ids: CategoryIds, parameters: ScaleParameters): torch.Tensor {
    const { quantiles, scaledColumns, classifier, bounded, activation = "none" } = this.#options;
    if (quantiles) return values.view([-1, this.#outputs, quantiles]);
    let result = values;
    for (const column of scaledColumns ?? []) {
      if (!Object.hasOwn(ids, column)) continue;
      const scale = parameters.outputScales!.get(column).forward(ids[column]);
      result = result.mul(scale).add(parameters.outputBiases!.get(column).forward(ids[column]));
    }
    if (parameters.outputScale && parameters.outputBias)
      result = result.mul(parameters.outputScale).add(parameters.outputBias);
    if (classifier) return result.logSoftmax(-1);
    if (bounded) return result.sigmoid();
    if (activation === "relu") return result.relu();
    if (activation === "softplus") return result.softplus();
    return activation === "exp" ? result.exp() : result;
  }
}
