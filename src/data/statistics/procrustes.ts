import { checkedWhole } from "../../common/checkedWhole.ts";
import { UserError } from "../../common/userError.ts";
import * as torch from "../../torch/index.ts";
import type { Ordination } from "./ordination.ts";
import { type PermutationOptions, Permutations, permutationCount, permutationP } from "./permutations.ts";

export interface ProcrustesOptions extends PermutationOptions {
  /** Axes to compare, at most as many as both have. Default 5, as in QIIME 2. */
  readonly dimensions?: number;
}

export interface Procrustes {
  /**
   * What is left of the squared distances between the samples' two places: 0 for the same shape, 1 for none
   * in common.
   */
  readonly m2: number;
  /** NaN without permutations. */
  readonly p: number;
  readonly permutations: number;
  readonly samples: number;
  readonly dimensions: number;
  /**
   * Both on the same scale, the second one moved, turned and stretched onto the first: [samples,
   * dimensions].
   */
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** Permutations whose products are made together. */
const perChunk = 64;

/**
 * Procrustes analysis (Gower 1975) of two ordinations with the same samples in the same order: one is
 * moved, turned, mirrored and stretched so that its samples come as near to the other's as can be. m² is
 * the sum of squares that is left where both have a sum of squares of 1; p is the share of permutations of
 * the samples whose m² is as small (Jackson 1995).
 * @throws UserError for fewer than three samples, and for an ordination in which all samples are at one
 * place.
 * @example
 * const { m2, p } = procrustes(pcoa(predicted), pcoa(unifrac));
 */
export function procrustes(a: Ordination, b: Ordination, options: ProcrustesOptions = {}): Procrustes {
  const { seed = 0, onProgress } = options;
  const permutations = permutationCount(options);
  const n = a.ids.length;
  if (a.ids.some((id, i) => id !== b.ids[i]) || b.ids.length !== n)
    throw new RangeError("The ordinations must have the same samples in the same order.");
  if (n < 3) throw new UserError(`Procrustes analysis needs at least three samples in both, not ${n}.`);
  const dimensions = Math.min(
    checkedWhole("dimensions", options.dimensions ?? 5, 1),
    a.eigenvalues.length,
    b.eigenvalues.length,
  );
  return torch.tidy(() => {
    const [x, y] = [a, b].map((one) => standardized(one, dimensions));
    const [left, strengths, right] = x.t().matmul(y).linalgSvd(false);
    const strength = strengths.sum().item();
    const turn = left.matmul(right).t();
    const orders = new Permutations(n, seed);
    const permuted = new Float64Array(permutations);
    for (let from = 0; from < permutations; from += perChunk) {
      using _scope = torch.scope();
      const count = Math.min(perChunk, permutations - from);
      const all = new Int32Array(n * count);
      for (let k = 0; k < count; k++) all.set(orders.next(), n * k);
      const moved = y.indexSelect(0, torch.tensor(all)).view([count, n, dimensions]);
      permuted.set(x.t().matmul(moved).linalgSvdvals().sum(-1).toFloat64Array(), from);
      onProgress?.(from + count);
    }
    return {
      m2: Math.max(0, 1 - strength ** 2),
      // The smaller m², the larger is the strength.
      p: permutationP(strength, permuted),
      permutations,
      samples: n,
      dimensions,
      first: x.contiguous().toFloat64Array(),
      second: y.matmul(turn).mul(strength).contiguous().toFloat64Array(),
    };
  });
}

/** The first axes, their centre at 0, with a sum of squares of 1. */
function standardized({ ids, eigenvalues, coordinates }: Ordination, dimensions: number): torch.Tensor {
  const all = torch.tensor(coordinates, { shape: [ids.length, eigenvalues.length] });
  const some = all.narrow(1, 0, dimensions);
  const centred = some.sub(some.mean(0, true));
  const size = centred.norm().item();
  if (!(size > 0))
    throw new UserError(
      "All samples of one ordination are at the same place, so it has no shape to compare.",
    );
  return centred.div(size);
}
