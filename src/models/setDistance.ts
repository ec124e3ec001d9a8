import * as torch from "../torch/index.ts";
import { exactProduct } from "./precision.ts";

/** Ways to compare two sets of codes. */
export type SetDistanceKind = "tanimoto" | "l1";

export interface SetDistanceOptions {
  readonly kind: SetDistanceKind;
  /**
   * Divide by what both samples have together, as metrics that end at 1 do. Always so for
   * `tanimoto`. Default true.
   */
  readonly normalized?: boolean;
  /**
   * What the coordinates from some columns on are worth, up to those of the next: on another tree words and
   * own branches are longer or shorter beside codes. Default 1 for all.
   */
  readonly weights?: readonly { readonly from: number; readonly weight: number }[];
  /** The coordinates that count, of those of an encoder of several metrics. Default all. */
  readonly part?: (coordinates: torch.Tensor) => torch.Tensor;
}

/** softplus of it is 0.049: the branches that all samples share, as a share of a sample's. */
const fewShared = -3;
const smallest = 1e-12;

/**
 * Distances between samples' coordinates a and b (see `SetPooling`), as UniFrac is between sets of branches:
 *
 *     tanimoto   u = 2 |a - b|² / (|a|² + |b|² + |a - b|² + 2 C)
 *     l1         u = |a - b|_1 / (|a|_1 + |b|_1 + 2 C)
 *     l1, not normalized   u = |a - b|_1 / unit
 *
 * and the prediction scale (slope u + offset + curve u²). C stands for branches that every sample has:
 * they lengthen the whole and separate nobody, so no code learns them. All of this is learned, from a
 * start that `fit` computes.
 */
export class SetDistance extends torch.nn.Module {
  readonly kind: SetDistanceKind;
  readonly normalized: boolean;
  /** [3]: slope, offset, curve. */
  readonly calibration: torch.Tensor;
  /** [1]: C in units of `unit` after a softplus. */
  readonly shared: torch.Tensor;
  /** [1]: a usual distance at the start, the unit of predictions. */
  readonly scale: torch.Tensor;
  /** [1]: the size of a usual sample at the start: mean of |z|² or |z|_1. */
  readonly unit: torch.Tensor;

  readonly #weights: NonNullable<SetDistanceOptions["weights"]>;
  /** The coordinates [n, K] that count, of all of an encoder's. */
  readonly partOf: (coordinates: torch.Tensor) => torch.Tensor;

  constructor({ kind, normalized = true, weights = [], part = (all) => all }: SetDistanceOptions) {
    super();
    this.#weights = weights;
    this.partOf = part;
    this.kind = kind;
    this.normalized = normalized || kind === "tanimoto";
    this.calibration = torch.nn.parameter(torch.tensor([1, 0, 0]));
    this.shared = torch.nn.parameter(torch.full([1], fewShared));
    this.scale = torch.nn.buffer(torch.ones([1]));
    this.unit = torch.nn.buffer(torch.ones([1]));
  }

  /** [n, K] x [N, K] -> predicted distances [n, N]. */
  forward(some: torch.Tensor, all: torch.Tensor): torch.Tensor {
    const raw = this.uncalibrated(some, all);
    const [slope, offset, curve] = this.calibration.unbind();
    return raw.mul(curve).add(slope).mul(raw).add(offset).mul(this.scale);
  }

  /** The distances u [n, N]. */
  uncalibrated(given: torch.Tensor, others: torch.Tensor): torch.Tensor {
    const some = this.#weighted(this.partOf(given));
    const all = given === others ? some : this.#weighted(this.partOf(others));
    const { apart, together } = this.differences(some, all);
    return this.relative(apart, together);
  }

  /**
   * What samples differ in, |a - b|² or |a - b|_1, and what they have together, |a|² + |b|² or |a|_1 + |b|_1:
   * [n, N] each, the sums of those of any parts of the coordinates.
   */
  differences(
    some: torch.Tensor,
    all: torch.Tensor,
  ): { readonly apart: torch.Tensor; readonly together: torch.Tensor } {
    const together = this.sizes(some).unsqueeze(1).add(this.sizes(all));
    if (this.kind === "l1") return { apart: torch.cdist(some, all, 1), together };
    return { apart: together.sub(exactProduct(some, all.t()).mul(2)).clampMin(0), together };
  }

  /** The distances u of `differences`. */
  relative(apart: torch.Tensor, together: torch.Tensor): torch.Tensor {
    if (!this.normalized) return apart.div(this.unit);
    const whole = together.add(this.shared.softplus().mul(this.unit).mul(2));
    if (this.kind === "l1") return apart.div(whole.clampMin(smallest));
    return apart.mul(2).div(whole.add(apart).clampMin(smallest));
  }

  #weighted(coordinates: torch.Tensor): torch.Tensor {
    if (this.#weights.length === 0) return coordinates;
    const columns = coordinates.size(1);
    const factors = new Float32Array(columns).fill(1);
    for (const { from, weight } of this.#weights)
      factors.fill(this.kind === "tanimoto" ? Math.sqrt(weight) : weight, from);
    return coordinates.mul(torch.tensor(factors, { dtype: coordinates.dtype, device: coordinates.device }));
  }

  /** What `unit` is the mean of: |z|² [B] or |z|_1 [B] of coordinates [B, K]. */
  sizes(coordinates: torch.Tensor): torch.Tensor {
    return (this.kind === "tanimoto" ? coordinates.square() : coordinates).sum([1]);
  }
}
