/** The losses of functional.ts as layers, with PyTorch's names. */
import type { Tensor } from "../../core/tensor.ts";
import type { LayerClass } from "../base/layerClass.ts";
import { buffer, Module } from "../base/module.ts";
import * as functional from "../functional/losses.ts";

interface LossLayer<Options extends object, Inputs extends Tensor[]> extends Module {
  readonly options: Options;
  forward(...inputs: Inputs): Tensor;
}

/** Makes a loss layer whose options are those of a function. */
function lossLayer<Options extends object, Inputs extends Tensor[]>(
  apply: (...args: [...Inputs, Options]) => Tensor,
): LayerClass<[options?: Options], LossLayer<Options, Inputs>> {
  return class extends Module {
    readonly options: Options;

    constructor(options: Options = {} as Options) {
      super();
      this.options = options;
    }

    forward(...inputs: Inputs): Tensor {
      return apply(...inputs, this.options);
    }

    override extraRepr(): string {
      return Object.entries(this.options)
        .filter(([, value]) => typeof value !== "object")
        .map(([name, value]) => `${name}=${value}`)
        .join(", ");
    }
  };
}

type Weights = { readonly weight?: Tensor | null };

interface WeightedLossLayer<Options extends object> extends LossLayer<Options, [Tensor, Tensor]> {
  readonly weight: Tensor | null;
  forward(input: Tensor, target: Tensor): Tensor;
}

/** A loss with a weight per class (or element), which moves and is saved with the model. */
function weightedLossLayer<Options extends Weights>(
  apply: (input: Tensor, target: Tensor, options: Options) => Tensor,
): LayerClass<[options?: Options], WeightedLossLayer<Options>> {
  return class extends lossLayer<Options, [Tensor, Tensor]>(apply) {
    readonly weight: Tensor | null;

    constructor(options: Options = {} as Options) {
      super(options);
      this.weight = options.weight ? buffer(options.weight) : null;
    }

    override forward(input: Tensor, target: Tensor): Tensor {
      return apply(input, target, { ...this.options, weight: this.weight });
    }
  };
}

type TwoInputs = [Tensor, Tensor];
type ThreeInputs = [Tensor, Tensor, Tensor];

/** (input - target)^2. */
export class MSELoss extends lossLayer<functional.LossOptions, TwoInputs>(functional.mseLoss) {}
/** |input - target|. */
export class L1Loss extends lossLayer<functional.LossOptions, TwoInputs>(functional.l1Loss) {}
/** Quadratic below `delta`, linear above (Huber 1964). */
export class HuberLoss extends lossLayer<functional.LossOptions & { delta?: number }, TwoInputs>(
  functional.huberLoss,
) {}
/** Huber's loss divided by `beta`. */
export class SmoothL1Loss extends lossLayer<functional.LossOptions & { beta?: number }, TwoInputs>(
  functional.smoothL1Loss,
) {}
/** Logits [N, C, ...] against classes [N, ...] (int64) or probabilities [N, C, ...]. */
export class CrossEntropyLoss extends weightedLossLayer<
  functional.ClassOptions & { labelSmoothing?: number }
>(functional.crossEntropy) {}
/** Log-probabilities [N, C, ...] against classes [N, ...]. */
export class NLLLoss extends weightedLossLayer<functional.ClassOptions>(functional.nllLoss) {}
/** Probabilities against targets between 0 and 1. */
export class BCELoss extends weightedLossLayer<functional.LossOptions & Weights>(
  functional.binaryCrossEntropy,
) {}
/** Kullback-Leibler divergence; `input` holds log-probabilities. */
export class KLDivLoss extends lossLayer<functional.KlDivOptions, TwoInputs>(functional.klDiv) {}
/** 1 - cos(x1, x2) where the target is 1; max(0, cos(x1, x2) - margin) where it is -1. */
export class CosineEmbeddingLoss extends lossLayer<functional.MarginOptions, ThreeInputs>(
  functional.cosineEmbeddingLoss,
) {}
/** max(0, -target (x1 - x2) + margin): x1 is to be above x2 where the target is 1, below where it is -1. */
export class MarginRankingLoss extends lossLayer<functional.MarginOptions, ThreeInputs>(
  functional.marginRankingLoss,
) {}
/** x where the target is 1; max(0, margin - x) where it is -1. */
export class HingeEmbeddingLoss extends lossLayer<functional.MarginOptions, TwoInputs>(
  functional.hingeEmbeddingLoss,
) {}
/** max(0, |anchor - positive| - |anchor - negative| + margin) with the norm `p` (Balntas et al. 2016). */
export class TripletMarginLoss extends lossLayer<functional.TripletOptions, ThreeInputs>(
  functional.tripletMarginLoss,
) {}
/** max(0, d(anchor, positive) - d(anchor, negative) + margin) with a distance of one's own. */
export class TripletMarginWithDistanceLoss extends lossLayer<functional.TripletDistanceOptions, ThreeInputs>(
  functional.tripletMarginWithDistanceLoss,
) {}
/** log(1 + exp(-target x)) for targets of 1 and -1. */
export class SoftMarginLoss extends lossLayer<functional.LossOptions, TwoInputs>(functional.softMarginLoss) {}
/** Negative log-likelihood of counts under a Poisson distribution of mean `input` or exp(`input`). */
export class PoissonNLLLoss extends lossLayer<functional.PoissonOptions, TwoInputs>(
  functional.poissonNllLoss,
) {}
/** Half of log(variance) + (input - target)^2 / variance. */
export class GaussianNLLLoss extends lossLayer<Omit<functional.PoissonOptions, "logInput">, ThreeInputs>(
  functional.gaussianNllLoss,
) {}

type BinaryOptions = functional.LossOptions & Weights & { readonly posWeight?: Tensor | null };

/** Logits against targets between 0 and 1; `posWeight` weighs the positive ones. */
export class BCEWithLogitsLoss extends weightedLossLayer<BinaryOptions>(
  functional.binaryCrossEntropyWithLogits,
) {
  static override readonly names = { posWeight: "pos_weight" };
  readonly posWeight: Tensor | null;

  constructor(options: BinaryOptions = {}) {
    super(options);
    this.posWeight = options.posWeight ? buffer(options.posWeight) : null;
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, posWeight } = this;
    return functional.binaryCrossEntropyWithLogits(input, target, { ...this.options, weight, posWeight });
  }
}

/** Labels [N, C], ended by -1, against all other classes. */
export class MultiLabelMarginLoss extends lossLayer<functional.LossOptions, TwoInputs>(
  functional.multilabelMarginLoss,
) {}
/** Logits [N, C] against targets of 0 and 1. */
export class MultiLabelSoftMarginLoss extends weightedLossLayer<functional.LossOptions & Weights>(
  functional.multilabelSoftMarginLoss,
) {}
/** Logits [N, C] against classes [N]. */
export class MultiMarginLoss extends weightedLossLayer<functional.MultiMarginOptions>(
  functional.multiMarginLoss,
) {}

/** `functional.ctcLoss` as a layer. */
export class CTCLoss extends Module {
  constructor(readonly options: functional.CtcOptions = {}) {
    super();
  }

  forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Tensor | readonly number[],
    targetLengths: Tensor | readonly number[],
  ): Tensor {
    return functional.ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
