import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { ones, tensor, zeros } from "../../functions/creation.ts";
import { TorchError } from "../../native/errors.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { buffer, Module, parameter } from "../base/module.ts";
import { batchNorm, groupNorm } from "../functional/index.ts";

/** Divides by the root mean square over the last dimensions (Zhang and Sennrich 2019), then scales. */
export class RMSNorm extends Module {
  readonly weight: Tensor | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number | null;

  /** Without `eps` it is the smallest step of the input's dtype, as in PyTorch. */
  constructor(
    normalizedShape: number | readonly number[],
    options: LayerOptions & { eps?: number; elementwiseAffine?: boolean } = {},
  ) {
    super();
    const { eps, elementwiseAffine = true, ...creation } = options;
    refuseLayerOptions("RMSNorm", creation, "eps, elementwiseAffine");
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
    this.eps = eps ?? null;
    this.weight = elementwiseAffine ? parameter(ones(this.normalizedShape, creation)) : null;
  }

  forward(input: Tensor): Tensor {
    return ops.rmsNorm(input, this.normalizedShape, this.weight, this.eps);
  }

  override extraRepr(): string {
    return `[${this.normalizedShape.join(", ")}], eps=${this.eps}`;
  }
}

/** Normalizes groups of channels of each example (Wu and He 2018): [N, C, ...]. */
export class GroupNorm extends Module {
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly eps: number;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: LayerOptions & { eps?: number; affine?: boolean } = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, ...creation } = options;
    refuseLayerOptions("GroupNorm", creation, "eps, affine");
    if (numChannels % numGroups !== 0)
      throw new RangeError(`GroupNorm: ${numChannels} channels cannot be split into ${numGroups} groups`);
    this.eps = eps;
    this.weight = affine ? parameter(ones([numChannels], creation)) : null;
    this.bias = affine ? parameter(zeros([numChannels], creation)) : null;
  }

  forward(input: Tensor): Tensor {
    return groupNorm(input, this.numGroups, this.weight, this.bias, this.eps);
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}`;
  }
}

export interface BatchNormLayerOptions extends LayerOptions {
  eps?: number;
  /** The share of the batch's figures in the new running ones; null for the plain average of all batches. */
  momentum?: number | null;
  affine?: boolean;
  trackRunningStats?: boolean;
}

/**
 * Normalizes each channel over the batch in training, by running averages otherwise (Ioffe and Szegedy 2015). `shapes` are the
 * numbers of dimensions that it takes.
 */
abstract class BatchNorm extends Module {
  static override readonly names = {
    runningMean: "running_mean",
    runningVar: "running_var",
    numBatchesTracked: "num_batches_tracked",
  };
  protected abstract readonly shapes: readonly number[];
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  readonly numBatchesTracked: Tensor | null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(
    readonly numFeatures: number,
    options: BatchNormLayerOptions = {},
  ) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true, ...creation } = options;
    refuseLayerOptions(new.target.name, creation, "eps, momentum, affine, trackRunningStats");
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? parameter(ones([numFeatures], creation)) : null;
    this.bias = affine ? parameter(zeros([numFeatures], creation)) : null;
    this.runningMean = trackRunningStats ? buffer(zeros([numFeatures], creation)) : null;
    this.runningVar = trackRunningStats ? buffer(ones([numFeatures], creation)) : null;
    const count = () => buffer(tensor(0, { dtype: "int64", device: options.device }));
    this.numBatchesTracked = trackRunningStats ? count() : null;
  }

  forward(input: Tensor): Tensor {
    if (!this.shapes.includes(input.ndim)) {
      throw new TorchError(
        `${this.constructor.name}: takes tensors of ${this.shapes.join(" or ")} dimensions, got [${input.shape.join(", ")}]`,
        "value",
      );
    }
    const { runningMean, runningVar, numBatchesTracked, weight, bias, eps } = this;
    let momentum = this.momentum ?? 0;
    if (this.training && numBatchesTracked) {
      noGrad(() => numBatchesTracked.add_(1));
      if (this.momentum === null) momentum = 1 / numBatchesTracked.item();
    }
    const training = this.training || runningMean === null;
    return batchNorm(input, runningMean, runningVar, { weight, bias, training, momentum, eps });
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`;
  }
}

/** Batch normalization of [N, C] or [N, C, L]. */
export class BatchNorm1d extends BatchNorm {
  protected readonly shapes = [2, 3];
}

/** Batch normalization of [N, C, H, W]. */
export class BatchNorm2d extends BatchNorm {
  protected readonly shapes = [4];
}
