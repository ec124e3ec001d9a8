import * as torch from "../torch/index.ts";
import { atLeastFloat32 } from "./precision.ts";

/**
 * How the codes of a sample's ASVs become the sample's: `union` asks whether any ASV has a code, as
 * unweighted UniFrac and Faith's PD ask of branches; `share` how much of the counts has it, as weighted
 * UniFrac does; `root` is the share's root, as generalized UniFrac with alpha 0.5.
 */
export const setPoolings = ["union", "share", "root"] as const;
export type SetPoolingKind = (typeof setPoolings)[number];

/** Keeps the slope of a root finite where a length is nearly 0. */
const shortest = 1e-12;
/** Keeps the slope of a root finite where a code is absent. */
const rootOffset = 1e-6;

/**
 * Codes of ASVs -> coordinates of samples, one for each code k, with a length that is
 * learned as a branch's is given:
 *
 *     union   z_k = sqrt(length_k) (1 - exp(-sum_i c_ik))
 *     share   z_k = length_k sum_i p_i c_ik
 *     root    z_k = length_k sqrt(sum_i p_i c_ik)
 *
 * and for each ASV i the coordinate of its own branch, the tip of a tree: sqrt(t_i) where the sample
 * has it, or p_i t_i, or sqrt(p_i) t_i. Without these an ASV that training has not seen would add
 * nothing that is its own.
 *
 * Here c_ik >= 0 says how surely ASV i has code k and p_i is its share of the sample's counts. If codes
 * were the branches of a tree, |z|² of the union would be Faith's PD, its Tanimoto distance unweighted
 * UniFrac (Lozupone and Knight 2005), and |a - b|_1 / (|a|_1 + |b|_1) of shares normalized weighted
 * UniFrac (Lozupone et al. 2007).
 */
export class SetPooling extends torch.nn.Module {
  static override readonly names = { ownUnit: "own_unit" };
  /** [K]: the length of each code's branch after a softplus. */
  readonly length: torch.Tensor;
  /** [1]: what own branches are multiplied by, set at the start. */
  readonly ownUnit: torch.Tensor;

  constructor(
    readonly kind: SetPoolingKind,
    codes: number,
  ) {
    super();
    this.length = torch.nn.parameter(torch.zeros([codes]));
    this.ownUnit = torch.nn.buffer(torch.ones([1]));
  }

  /**
   * Sums [B, K] over each sample's ASVs (`union`), or means weighted by counts (`share`,
   * `root`) -> coordinates [B, K].
   */
  forward(sums: torch.Tensor): torch.Tensor {
    const length = this.length.softplus();
    if (this.kind === "union") return sums.neg().expm1().neg().mul(length.clampMin(shortest).sqrt());
    if (this.kind === "share") return sums.mul(length);
    return root(sums).mul(length);
  }

  /**
   * Weights [B, U] of ASVs in samples (see `slotWeights`) and the lengths [U] of their own
   * branches -> coordinates [B, U].
   */
  own(weights: torch.Tensor, lengths: torch.Tensor): torch.Tensor {
    const scaled = lengths.mul(this.ownUnit);
    if (this.kind === "union") return weights.mul(scaled.clampMin(shortest).sqrt());
    return (this.kind === "share" ? weights : root(weights)).mul(scaled);
  }
}

function root(shares: torch.Tensor): torch.Tensor {
  return shares.add(rootOffset).sqrt().sub(Math.sqrt(rootOffset));
}

/**
 * Weights of a sample's ASVs in its sum: [B, S] from counts [B, S] and `RaggedBatch.asvIndex`,
 * 0 where a slot is empty.
 */
export function slotWeights(kind: SetPoolingKind, counts: torch.Tensor, index: torch.Tensor): torch.Tensor {
  const filled = index.ne(0).to("float32");
  if (kind === "union") return filled;
  // Without counts ASVs share alike.
  const given = atLeastFloat32(counts).mul(filled);
  const total = given.sum([1], true);
  const even = filled.div(filled.sum([1], true).clampMin(1));
  return torch.where(total.gt(0), given.div(total.clampMin(1e-12)), even);
}
