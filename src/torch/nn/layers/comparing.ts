/** Layers that compare vectors with each other or channels with their neighbours. */
import type { Tensor } from "../../core/tensor.ts";
import { channelShuffle, cosineSimilarity } from "../../dispatch/ops.gen.ts";
import { Module } from "../base/module.ts";
import { type LocalResponseNormOptions, localResponseNorm, pairwiseDistance } from "../functional/index.ts";

/** The distance of vectors [N, D] and [N, D], or of the last dimension: see `functional.pairwiseDistance`. */
export class PairwiseDistance extends Module {
  constructor(
    readonly p = 2,
    readonly eps = 1e-6,
    readonly keepdim = false,
  ) {
    super();
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return pairwiseDistance(x1, x2, { p: this.p, eps: this.eps, keepdim: this.keepdim });
  }
}

/** The cosine of the angle between vectors along `dim`. */
export class CosineSimilarity extends Module {
  constructor(
    readonly dim = 1,
    readonly eps = 1e-8,
  ) {
    super();
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return cosineSimilarity(x1, x2, this.dim, this.eps);
  }
}

/** See `functional.localResponseNorm`: [N, C, ...]. */
export class LocalResponseNorm extends Module {
  constructor(
    readonly size: number,
    readonly options: LocalResponseNormOptions = {},
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return localResponseNorm(input, this.size, this.options);
  }

  override extraRepr(): string {
    return `${this.size}`;
  }
}

/** Channels [N, C, ...] of `groups` groups, one of each in turn (Zhang et al. 2018). */
export class ChannelShuffle extends Module {
  constructor(readonly groups: number) {
    super();
  }

  forward(input: Tensor): Tensor {
    return channelShuffle(input, this.groups);
  }

  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}
