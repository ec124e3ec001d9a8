import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { cat, logSoftmax } from "../../dispatch/ops.gen.ts";
import { zeros } from "../../functions/creation.ts";
import { ModuleList, Sequential } from "../base/containers.ts";
import { type LayerOptions, refuseLayerOptions } from "../base/layerOptions.ts";
import { Module } from "../base/module.ts";
import { refuse, shown } from "../functional/checks.ts";
import { Linear } from "../layers/linear.ts";

export interface AdaptiveSoftmaxOptions extends LayerOptions {
  /** Cluster i (from 1) sees inFeatures / divValue^i features. Default 4. */
  readonly divValue?: number;
  /** A bias for the head. Default false. */
  readonly headBias?: boolean;
}

/**
 * A softmax over many classes sorted by frequency, the most frequent first (Grave et al. 2017): those below
 * the first cutoff are told apart by the head, the rarer ones by smaller clusters that are computed only for
 * the examples that need them.
 * @throws RangeError unless the cutoffs are rising integers between 1 and nClasses - 1.
 * @example
 * const criterion = new torch.nn.AdaptiveLogSoftmaxWithLoss(64, 20000, [200, 2000]);
 * const [logProbabilities, loss] = criterion.forward(hidden, words);
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  /** The given ones and nClasses. */
  readonly cutoffs: readonly number[];
  readonly head: Linear;
  readonly tail: ModuleList<Sequential>;

  constructor(
    readonly inFeatures: number,
    readonly nClasses: number,
    cutoffs: readonly number[],
    options: AdaptiveSoftmaxOptions = {},
  ) {
    super();
    const { divValue = 4, headBias = false, ...creation } = options;
    refuseLayerOptions("AdaptiveLogSoftmaxWithLoss", creation, "divValue, headBias");
    const areRising = cutoffs.every(
      (cutoff, i) => Number.isInteger(cutoff) && cutoff > (cutoffs[i - 1] ?? 0),
    );
    if (cutoffs.length === 0 || !areRising || Math.max(...cutoffs) > nClasses - 1)
      throw new RangeError(
        `AdaptiveLogSoftmaxWithLoss: cutoffs must be rising integers between 1 and nClasses - 1 (${nClasses - 1}), got ${shown(cutoffs)}`,
      );
    this.cutoffs = [...cutoffs, nClasses];
    this.head = new Linear(inFeatures, cutoffs[0] + cutoffs.length, { bias: headBias, ...creation });
    this.tail = new ModuleList(
      cutoffs.map((cutoff, i) => {
        const width = Math.floor(inFeatures / divValue ** (i + 1));
        return new Sequential(
          new Linear(inFeatures, width, { bias: false, ...creation }),
          new Linear(width, this.cutoffs[i + 1] - cutoff, { bias: false, ...creation }),
        );
      }),
    );
  }

  resetParameters(): void {
    this.head.resetParameters();
    for (const cluster of this.tail) for (const layer of cluster) (layer as Linear).resetParameters();
  }

  /**
   * Vectors [N, inFeatures] and classes [N] (or one vector [inFeatures] and a class []) give the classes'
   * log-probabilities [N] (or []) and the loss, the mean of their negatives.
   * @throws TorchError for other shapes, and for classes outside the range.
   */
  forward(input: Tensor, target: Tensor): [logProbabilities: Tensor, loss: Tensor] {
    const name = "AdaptiveLogSoftmaxWithLoss";
    if (
      target.ndim > 1 ||
      input.ndim !== target.ndim + 1 ||
      (target.ndim === 1 && input.size(0) !== target.size(0))
    )
      refuse(
        name,
        `expected an input [N, inFeatures] and a target [N], or [inFeatures] and [], got ${shown(input.shape)} and ${shown(target.shape)}`,
      );
    if (target.ndim === 0) {
      return tidy(() => {
        const [output, loss] = this.forward(input.unsqueeze(0), target.unsqueeze(0));
        return [output.squeeze(0), loss];
      });
    }
    return tidy(() => {
      const output = zeros(target.shape, { dtype: input.dtype, device: input.device });
      const places = target.clone();
      let used = 0;
      this.cutoffs.forEach((end, i) => {
        const start = i === 0 ? 0 : this.cutoffs[i - 1];
        const rows = target.ge(start).logicalAnd(target.lt(end)).nonzero().squeeze(1);
        used += rows.numel;
        if (i === 0 || rows.numel === 0) return;
        const within = target.indexSelect(0, rows).sub(start).unsqueeze(1);
        const cluster = logSoftmax(this.tail.at(i - 1).forward(input.indexSelect(0, rows)), 1);
        output.indexCopy_(0, rows, cluster.gather(1, within).squeeze(1));
        places.indexFill_(0, rows, this.cutoffs[0] + i - 1);
      });
      if (used !== target.numel)
        refuse(
          name,
          `the classes must lie in 0 to ${this.nClasses - 1}, but values from ${target.min().item()} to ${target.max().item()} were found`,
        );
      const head = logSoftmax(this.head.forward(input), 1);
      output.add_(head.gather(1, places.unsqueeze(1)).squeeze(1));
      return [output, output.neg().mean()];
    });
  }

  /** The log-probabilities of all classes: [N, inFeatures] -> [N, nClasses]. */
  logProb(input: Tensor): Tensor {
    return tidy(() => {
      const head = logSoftmax(this.head.forward(input), 1);
      const clusters = [...this.tail].map((cluster, i) =>
        logSoftmax(cluster.forward(input), 1).add(head.narrow(1, this.cutoffs[0] + i, 1)),
      );
      return cat([head.narrow(1, 0, this.cutoffs[0]), ...clusters], 1);
    });
  }

  /** The most probable class of each vector: [N, inFeatures] -> [N]. */
  predict(input: Tensor): Tensor {
    return tidy(() => {
      const best = this.head.forward(input).argmax(1);
      const rest = best.ge(this.cutoffs[0]).nonzero().squeeze(1);
      if (rest.numel === 0) return best;
      return best.indexCopy_(0, rest, this.logProb(input.indexSelect(0, rest)).argmax(1));
    });
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, nClasses=${this.nClasses}, cutoffs=${shown(this.cutoffs.slice(0, -1))}`;
  }
}
