import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { warn } from "../../core/warn.ts";
import { ones, tensor, zeros } from "../../functions/creation.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { buffer, Module, parameter } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";
import { batchNorm, instanceNorm } from "../functional/index.ts";

export interface BatchNormLayerOptions extends LayerOptions {
  readonly eps?: number;
  /** The share of the batch's figures in the new running ones; null for the plain average of all batches. */
  readonly momentum?: number | null;
  readonly affine?: boolean;
  readonly trackRunningStats?: boolean;
}

/** Scale, shift and running figures per channel: what batch and instance norm have in common. */
abstract class ChannelNorm extends Module {
  static override readonly names = {
    runningMean: "running_mean",
    runningVar: "running_var",
    numBatchesTracked: "num_batches_tracked",
  };
  weight: Tensor | null;
  bias: Tensor | null;
  runningMean: Tensor | null;
  runningVar: Tensor | null;
  numBatchesTracked: Tensor | null;
  readonly eps: number;
  momentum: number | null;

  constructor(
    readonly numFeatures: number,
    options: BatchNormLayerOptions,
    standard: { affine: boolean; trackRunningStats: boolean },
  ) {
    super();
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = standard.affine,
      trackRunningStats = standard.trackRunningStats,
      ...creation
    } = options;
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

  /** Forgets the running figures. */
  resetRunningStats(): void {
    noGrad(() => {
      this.runningMean?.zero_();
      this.runningVar?.fill_(1);
      this.numBatchesTracked?.zero_();
    });
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`;
  }
}

/** @throws TorchError unless the input has one of the numbers of dimensions. */
function needDimensions(layer: Module, input: Tensor, dimensions: readonly number[]): void {
  if (!dimensions.includes(input.ndim))
    refuse(
      layer.constructor.name,
      `takes tensors of ${dimensions.join(" or ")} dimensions, got ${shown(input.shape)}`,
    );
}

/**
 * Normalizes each channel over the batch in training, by running averages otherwise (Ioffe and Szegedy 2015).
 * `dimensions` are the numbers of dimensions that it takes.
 */
abstract class BatchNorm extends ChannelNorm {
  protected abstract readonly dimensions: readonly number[];

  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(numFeatures, options, { affine: true, trackRunningStats: true });
  }

  forward(input: Tensor): Tensor {
    needDimensions(this, input, this.dimensions);
    const { runningMean, runningVar, numBatchesTracked, weight, bias, eps } = this;
    let momentum = this.momentum ?? 0;
    if (this.training && numBatchesTracked) {
      noGrad(() => numBatchesTracked.add_(1));
      if (this.momentum === null) momentum = 1 / numBatchesTracked.item();
    }
    const training = this.training || runningMean === null;
    return batchNorm(input, runningMean, runningVar, { weight, bias, training, momentum, eps });
  }
}

/** Batch normalization of [N, C] or [N, C, L]. @throws TorchError for one value per channel in training. */
export class BatchNorm1d extends BatchNorm {
  protected readonly dimensions = [2, 3];
}

/** Batch normalization of [N, C, H, W]. @throws TorchError for one value per channel in training. */
export class BatchNorm2d extends BatchNorm {
  protected readonly dimensions = [4];
}

/** Batch normalization of [N, C, D, H, W]. @throws TorchError for one value per channel in training. */
export class BatchNorm3d extends BatchNorm {
  protected readonly dimensions = [5];
}

/**
 * Normalizes each channel of each example over its positions (Ulyanov et al. 2017). Without scale and shift,
 * and without running figures, unless asked for. `dimensions`: without and with a batch.
 */
abstract class InstanceNorm extends ChannelNorm {
  protected abstract readonly dimensions: readonly [number, number];

  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(numFeatures, options, { affine: false, trackRunningStats: false });
  }

  forward(input: Tensor): Tensor {
    needDimensions(this, input, this.dimensions);
    const isSingle = input.ndim === this.dimensions[0];
    const channels = input.size(isSingle ? 0 : 1);
    if (channels !== this.numFeatures) {
      const text = `expected ${this.numFeatures} channels, got an input of shape ${shown(input.shape)}`;
      if (this.weight) refuse(this.constructor.name, text);
      warn(`${this.constructor.name}: ${text}; without affine: true the number does not matter`);
    }
    const { runningMean, runningVar, weight, bias, eps } = this;
    const options = {
      weight,
      bias,
      useInputStats: this.training || runningMean === null,
      momentum: this.momentum ?? 0,
      eps,
    };
    if (!isSingle) return instanceNorm(input, runningMean, runningVar, options);
    using batch = input.unsqueeze(0);
    using normalized = instanceNorm(batch, runningMean, runningVar, options);
    return normalized.squeeze(0);
  }
}

/** Instance normalization of [N, C, L] or [C, L]. @throws TorchError for one position. */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly dimensions = [2, 3] as const;
}

/** Instance normalization of [N, C, H, W] or [C, H, W]. @throws TorchError for one position. */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly dimensions = [3, 4] as const;
}

/** Instance normalization of [N, C, D, H, W] or [C, D, H, W]. @throws TorchError for one position. */
export class InstanceNorm3d extends InstanceNorm {
  protected readonly dimensions = [4, 5] as const;
}
