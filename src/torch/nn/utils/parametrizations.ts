/** `torch.nn.utils.parametrizations`: weights with a norm of their own, of spectral norm 1, or orthogonal. */
import { noGrad } from "../../autograd/modes.ts";
import { isComplexDtype } from "../../core/dtype.ts";
import { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { ops as anyOp } from "../../dispatch/operators.ts";
import * as ops from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { empty, eye, randn, zeros, zerosLike } from "../../functions/creation.ts";
import { finfo } from "../../functions/dtypeInfo.ts";
import { TorchError } from "../../native/errors.ts";
import { buffer, Module } from "../base/module.ts";
import { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from "../convolution/transposed.ts";
import { refuse, shown } from "../functional/checks.ts";
import { normalize } from "../functional/index.ts";
import { type Parametrized, registerParametrization } from "./parametrize.ts";

/** @throws TypeError where a module has no such tensor. */
function tensorOf(what: string, module: Module, name: string): Tensor {
  const value = (module as unknown as Record<string, unknown>)[name];
  if (value instanceof Tensor) return value;
  throw new TypeError(`${what}: ${module.constructor.name} has no parameter or buffer "${name}"`);
}

class WeightNorm extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(length: Tensor, direction: Tensor): Tensor {
    return anyOp.unsafe.aten._weight_norm(direction, length, this.dim) as Tensor;
  }

  rightInverse(weight: Tensor): Tensor[] {
    return [anyOp.aten.norm_except_dim(weight, 2, this.dim) as Tensor, weight];
  }
}

/**
 * Learns the length and the direction of a weight apart (Salimans and Kingma 2016): `original0` holds the
 * norms for each index of `dim` (0; null for one norm of the whole), `original1` the weight.
 * @example const layer = nn.utils.parametrizations.weightNorm(new nn.Linear(20, 40));
 */
export function weightNorm<M extends Module>(
  module: M,
  name = "weight",
  options: { dim?: number | null } = {},
): M & Parametrized {
  const { dim = 0, ...others } = options;
  refuseOthers("weightNorm", others, "dim");
  return registerParametrization(module, name, new WeightNorm(dim ?? -1), { unsafe: true });
}

export interface SpectralNormOptions {
  /** Steps of the power iteration each time the weight is computed in training mode. Default 1. */
  readonly nPowerIterations?: number;
  readonly eps?: number;
  /** The dimension of the outputs: 1 in transposed convolutions, else 0. */
  readonly dim?: number | null;
}

class SpectralNorm extends Module {
  static override readonly names = { u: "_u", v: "_v" };
  readonly dim: number;
  /** Approximations of the first singular vectors, for weights of several dimensions. */
  declare u: Tensor;
  declare v: Tensor;

  constructor(
    weight: Tensor,
    readonly nPowerIterations: number,
    dim: number,
    readonly eps: number,
  ) {
    super();
    const { ndim } = weight;
    if (!Number.isInteger(dim) || dim >= ndim || dim < -ndim)
      throw new RangeError(
        `spectralNorm: the dimension must lie between ${-ndim} and ${ndim - 1}, got ${dim}`,
      );
    if (!(nPowerIterations > 0))
      throw new RangeError(`spectralNorm: nPowerIterations must be above 0, got ${nPowerIterations}`);
    this.dim = dim < 0 ? dim + ndim : dim;
    if (ndim === 1) return;
    noGrad(() =>
      tidy(() => {
        const matrix = this.asMatrix(weight);
        const like = { dtype: weight.dtype, device: weight.device };
        const drawn = matrix.shape.map((size) => empty([size], like).normal_(0, 1));
        this.u = buffer(normalize(drawn[0], { dim: 0, eps }));
        this.v = buffer(normalize(drawn[1], { dim: 0, eps }));
        this.improve(matrix, 15);
      }),
    );
  }

  private asMatrix(weight: Tensor): Tensor {
    return (this.dim === 0 ? weight : weight.movedim(this.dim, 0)).flatten(1);
  }

  private improve(matrix: Tensor, steps: number): void {
    const { u, v, eps } = this;
    noGrad(() => {
      for (let i = 0; i < steps; i++) {
        u.copy_(normalize(matrix.mv(v), { dim: 0, eps }));
        v.copy_(normalize(matrix.adjoint().mv(u), { dim: 0, eps }));
      }
    });
  }

  forward(weight: Tensor): Tensor {
    if (weight.ndim === 1) return normalize(weight, { dim: 0, eps: this.eps });
    return tidy(() => {
      const matrix = this.asMatrix(weight);
      if (this.training) this.improve(matrix, this.nPowerIterations);
      // Copies: the backward pass of this call may come after another call has changed them.
      return weight.div(this.u.clone().vdot(matrix.mv(this.v.clone())));
    });
  }

  rightInverse(value: Tensor): Tensor {
    return value;
  }
}

/**
 * Divides a weight by its largest singular value (Miyato et al. 2018), which is estimated by power iteration
 * whenever the weight is asked for in training mode.
 * @throws RangeError for a dimension that the weight does not have, and for fewer than 1 iterations.
 * @example const layer = nn.utils.parametrizations.spectralNorm(new nn.Conv2d(3, 64, 4));
 */
export function spectralNorm<M extends Module>(
  module: M,
  name = "weight",
  options: SpectralNormOptions = {},
): M & Parametrized {
  const { nPowerIterations = 1, eps = 1e-12, dim = null, ...others } = options;
  refuseOthers("spectralNorm", others, "nPowerIterations, eps, dim");
  const transposed = [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d].some(
    (kind) => module instanceof kind,
  );
  const weight = tensorOf("spectralNorm", module, name);
  const norm = new SpectralNorm(weight, nPowerIterations, dim ?? (transposed ? 1 : 0), eps);
  return registerParametrization(module, name, norm);
}

const orthogonalMaps = ["matrix_exp", "cayley", "householder"] as const;
type OrthogonalMap = (typeof orthogonalMaps)[number];

export interface OrthogonalOptions {
  /** How matrices are made orthogonal; "householder" unless the weight is square or complex. */
  readonly orthogonalMap?: OrthogonalMap | null;
  /** Learn the change from a matrix that is kept in the buffer `base` (Lezcano Casado 2019). Default true. */
  readonly useTrivialization?: boolean;
}

/** Whether the columns of a tall matrix are orthonormal. */
function isOrthogonal(matrix: Tensor): boolean {
  const [rows, columns] = matrix.shape.slice(-2);
  const atol = 10 * rows * finfo(matrix.dtype).eps;
  const one = eye(columns, { dtype: matrix.dtype, device: matrix.device });
  return ops.allclose(matrix.adjoint().matmul(matrix), one, { atol });
}

/** The Q of a tall matrix's QR decomposition whose R has a positive diagonal. */
function orthogonalized(matrix: Tensor): Tensor {
  const [packed, scales] = anyOp.aten.geqrf(matrix) as [Tensor, Tensor];
  const signs = packed.diagonal(0, -2, -1).sgn().unsqueeze(-2);
  return ops.linalgHouseholderProduct(packed, scales).mul(signs);
}

class Orthogonal extends Module {
  base: Tensor | null = null;

  constructor(
    readonly shape: readonly number[],
    readonly map: OrthogonalMap,
    readonly useTrivialization: boolean,
  ) {
    super();
  }

  forward(input: Tensor): Tensor {
    return tidy(() => {
      const isWide = input.size(-2) < input.size(-1);
      const tall = isWide ? input.mT : input;
      const made = this.map === "householder" ? reflected(tall) : rotated(tall, this.map);
      const moved = this.base ? this.base.matmul(made) : made;
      return isWide ? moved.mT : moved;
    });
  }

  rightInverse(value: Tensor): Tensor {
    if (shown(value.shape) !== shown(this.shape))
      refuse("orthogonal", `expected matrices of the shape ${shown(this.shape)}, got ${shown(value.shape)}`);
    return noGrad(() =>
      tidy(() => {
        const isWide = value.size(-2) < value.size(-1);
        const tall = isWide ? value.mT : value;
        if (!this.useTrivialization) {
          const reflections = this.reflectionsOf(tall);
          return isWide ? reflections.mT : reflections;
        }
        this.base = buffer(completed(tall));
        // Minus the identity is where the product of reflections begins at `base`.
        const start = zerosLike(value);
        start.diagonal(0, -2, -1).fill_(-1);
        return start;
      }),
    );
  }

  private reflectionsOf(tall: Tensor): Tensor {
    if (this.map !== "householder")
      throw new TorchError(
        `orthogonal: with "${this.map}" and without trivialization the weight cannot be assigned`,
        "not-implemented",
      );
    const [packed, scales] = anyOp.aten.geqrf(tall) as [Tensor, Tensor];
    const diagonal = packed.diagonal(0, -2, -1);
    const signs = diagonal.sign();
    // LAPACK gives exactly zero where it has no use for a reflection.
    diagonal.copy_(ops.where(scales.eq(0), signs.neg(), signs));
    return packed;
  }
}

/** A tall matrix [.., n, k] completed to an orthogonal one [.., n, n]; a square one made orthogonal. */
function completed(tall: Tensor): Tensor {
  const [rows, columns] = tall.shape.slice(-2);
  if (rows === columns) return isOrthogonal(tall) ? tall.clone() : orthogonalized(tall);
  const like = { dtype: tall.dtype, device: tall.device };
  const rest = randn([...tall.shape.slice(0, -2), rows, rows - columns], like);
  return orthogonalized(ops.cat([tall, rest], -1));
}

/** The product of the reflections in the columns below the diagonal; the diagonal holds signs. */
function reflected(tall: Tensor): Tensor {
  const vectors = tall.tril(-1);
  const scales = vectors.mul(vectors).sum(-2).add(1).reciprocal().mul(2);
  const signs = tall.diagonal(0, -2, -1).int().unsqueeze(-2);
  return ops.linalgHouseholderProduct(vectors, scales).mul(signs);
}

/** The first columns of the rotation that a skew matrix stands for. */
function rotated(tall: Tensor, map: "matrix_exp" | "cayley"): Tensor {
  const [rows, columns] = tall.shape.slice(-2);
  const like = { dtype: tall.dtype, device: tall.device };
  const lower = tall.tril();
  const square =
    rows === columns
      ? lower
      : ops.cat([lower, zeros([...tall.shape.slice(0, -2), rows, rows - columns], like)], -1);
  const skew = square.sub(square.adjoint());
  const one = eye(rows, like);
  const whole =
    map === "matrix_exp"
      ? skew.matrixExp()
      : ops.linalgSolve(one.add(skew, { alpha: -0.5 }), one.add(skew, { alpha: 0.5 }));
  return whole.narrow(-1, 0, columns);
}

/**
 * Keeps a matrix [.., m, n] orthogonal: its columns, or where it is wide its rows, are orthonormal. At first
 * it is the given one if that is orthogonal, else the Q of its QR decomposition.
 * @throws TorchError for what is no matrix, TypeError for an unknown map and for complex reflections.
 * @example const layer = nn.utils.parametrizations.orthogonal(new nn.Linear(20, 40));
 */
export function orthogonal<M extends Module>(
  module: M,
  name = "weight",
  options: OrthogonalOptions = {},
): M & Parametrized {
  const { orthogonalMap = null, useTrivialization = true, ...others } = options;
  refuseOthers("orthogonal", others, "orthogonalMap, useTrivialization");
  const weight = tensorOf("orthogonal", module, name);
  if (weight.ndim < 2)
    refuse("orthogonal", `expected a matrix or a batch of matrices, got ${shown(weight.shape)}`);
  const isComplex = isComplexDtype(weight.dtype);
  const isSquare = weight.size(-2) === weight.size(-1);
  const map = orthogonalMap ?? (isSquare || isComplex ? "matrix_exp" : "householder");
  if (!orthogonalMaps.includes(map))
    throw new TypeError(
      `orthogonal: orthogonalMap must be one of ${orthogonalMaps.join(", ")}, got ${JSON.stringify(map)}`,
    );
  if (isComplex && map === "householder")
    throw new TypeError('orthogonal: "householder" does not take complex weights');
  const parametrization = new Orthogonal(weight.shape, map, useTrivialization);
  return registerParametrization(module, name, parametrization, { unsafe: true });
}
