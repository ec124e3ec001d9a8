import { Random } from "../../common/random/random.ts";
import * as torch from "../../torch/index.ts";

export interface LeadingAxesOptions {
  /** How many, at most the size of the matrix. */
  readonly count: number;
  /** Draws the vectors that the search starts from. */
  readonly seed: number;
  /** Is told how far the search has come, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

export interface LeadingAxes {
  /** From the largest on; [count], float64. */
  readonly eigenvalues: Float64Array;
  /** Eigenvectors of length 1 as columns: [size, count]. */
  readonly vectors: torch.Tensor;
  /** The smallest eigenvalue that was met, an upper bound of the true one. */
  readonly lowest: number;
  /**
   * The largest length of A v - λ v, as a share of the largest eigenvalue: eigenvalues are off by this at
   * most.
   */
  readonly residual: number;
}

/** Vectors beyond those that are asked for, which make the search quicker. */
const additional = 8;
const mostRounds = 60;
/** Residuals at which the search ends, above what rounding leaves. */
const goals = { float32: 1e-6, float64: 1e-9 };

/**
 * The largest eigenvalues of a symmetric matrix and their vectors, by products with a block of random
 * vectors: the block Krylov form of the randomized SVD (Halko, Martinsson, Shkolnisky and Tygert 2011;
 * Musco and Musco 2015). The block grows by one product with the matrix at a time until the residuals say
 * that the axes are found, where a fixed number of products would leave it open.
 */
export function leadingAxes(matrix: torch.Tensor, options: LeadingAxesOptions): LeadingAxes {
  const { count, seed, onProgress } = options;
  const n = matrix.size(0);
  const width = Math.min(n, count + additional);
  const goal = goals[matrix.dtype === "float32" ? "float32" : "float64"];
  let space = begin(matrix, width, new Random(seed));
  let firstResidual = 0;
  try {
    for (let round = 1; ; round++) {
      const found = axesWithin(space, count);
      const { residual } = found;
      if (residual <= goal || round === mostRounds || space.basis.size(1) === n) return found;
      found.vectors.dispose();
      firstResidual ||= residual;
      onProgress?.(Math.min(1, Math.log(firstResidual / residual) / Math.log(firstResidual / goal)));
      const wider = widened(matrix, space, width);
      dispose(space);
      space = wider;
    }
  } finally {
    dispose(space);
  }
}

/** Vectors of length 1 at right angles, as columns, and what the matrix makes of them. */
interface Space {
  readonly basis: torch.Tensor;
  readonly product: torch.Tensor;
}

function dispose({ basis, product }: Space): void {
  basis.dispose();
  product.dispose();
}

function begin(matrix: torch.Tensor, width: number, random: Random): Space {
  return torch.tidy(() => {
    const n = matrix.size(0);
    const drawn = Float64Array.from({ length: n * width }, () => random.normal());
    const [basis] = torch
      .tensor(drawn, { shape: [n, width] })
      .to(matrix.dtype)
      .linalgQr();
    return { basis, product: matrix.matmul(basis) };
  });
}

/** The best axes within a space (Rayleigh and Ritz). */
function axesWithin({ basis, product }: Space, count: number): LeadingAxes {
  return torch.tidy(() => {
    const m = basis.size(1);
    const [values, turns] = basis.t().matmul(product).to("float64").linalgEigh();
    const top = values.narrow(0, m - count, count).flip([0]);
    const turn = turns
      .narrow(1, m - count, count)
      .flip([1])
      .to(basis.dtype);
    const vectors = basis.matmul(turn);
    const eigenvalues = top.toFloat64Array();
    const left = product.matmul(turn).sub(vectors.mul(top.to(basis.dtype)));
    const residual = left.to("float64").norm(2, 0).max().item();
    return {
      eigenvalues,
      vectors,
      lowest: values.select(0, 0).item(),
      residual: residual / Math.max(Math.abs(eigenvalues[0]), Number.MIN_VALUE),
    };
  });
}

/** The space with what the matrix makes of its last vectors. */
function widened(matrix: torch.Tensor, { basis, product }: Space, width: number): Space {
  return torch.tidy(() => {
    const m = basis.size(1);
    const fresh = Math.min(width, matrix.size(0) - m);
    let next = product.narrow(1, m - width, fresh);
    // Twice, since once leaves what rounding does.
    for (let pass = 0; pass < 2; pass++) [next] = next.sub(basis.matmul(basis.t().matmul(next))).linalgQr();
    return {
      basis: torch.cat([basis, next], 1),
      product: torch.cat([product, matrix.matmul(next)], 1),
    };
  });
}
