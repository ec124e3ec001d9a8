/**
 * Initializers, drawing the same random numbers in the same order as PyTorch's: equal
 * seeds give equal weights.
 */

import { noGrad } from "../../autograd/modes.ts";
import type { Tensor } from "../../core/tensor.ts";
import { tidy } from "../../core/tidy.ts";
import { copy_, linalgQr, where } from "../../dispatch/ops.gen.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";
import { empty, emptyLike, randperm, tensor } from "../../functions/creation.ts";

/** Inputs and outputs that one unit of a weight [out, in, ...] connects. */
export function fans(weight: Tensor): { fanIn: number; fanOut: number } {
  const shape = weight.shape;
  if (shape.length < 2)
    throw new TypeError(
      `fan in and fan out need a weight of at least 2 dimensions, got [${shape.join(", ")}]`,
    );
  const field = shape.slice(2).reduce((product, size) => product * size, 1);
  return { fanIn: shape[1] * field, fanOut: shape[0] * field };
}

/** Without gradients; what `fn` makes on its way is freed. */
const inPlace = (weight: Tensor, fn: () => void): Tensor => {
  tidy(() => noGrad(fn));
  return weight;
};

/** Fills `weight` with numbers uniform on [from, to). */
export function uniform_(weight: Tensor, from = 0, to = 1): Tensor {
  return inPlace(weight, () => weight.uniform_(from, to));
}

/** Fills `weight` with normal numbers of this mean and standard deviation. */
export function normal_(weight: Tensor, mean = 0, std = 1): Tensor {
  return inPlace(weight, () => weight.normal_(mean, std));
}

/** Fills `weight` with `value`. */
export function constant_(weight: Tensor, value: number): Tensor {
  return inPlace(weight, () => weight.fill_(value));
}

/** Fills `weight` with 0. */
export function zeros_(weight: Tensor): Tensor {
  return constant_(weight, 0);
}

/** Fills `weight` with 1. */
export function ones_(weight: Tensor): Tensor {
  return constant_(weight, 1);
}

/** Ones on the diagonal of a matrix, zeros elsewhere. */
export function eye_(weight: Tensor): Tensor {
  if (weight.ndim !== 2) throw new TypeError(`eye_: takes a matrix, got [${weight.shape.join(", ")}]`);
  return inPlace(weight, () => weight.zero_().fillDiagonal_(1));
}

/** The standard normal distribution function. */
function normalShare(x: number): number {
  using at = tensor(x / Math.SQRT2, { dtype: "float64" });
  using value = at.erf();
  return (1 + value.item()) / 2;
}

/**
 * Normal, cut off at `a` and `b`. What lies outside is drawn again; where that would be most of it, uniform
 * numbers are drawn and taken with the probability of their density. Both draw what PyTorch draws.
 */
export function truncNormal_(weight: Tensor, mean = 0, std = 1, a = -2, b = 2): Tensor {
  if (!(a < b)) throw new RangeError(`truncNormal_: ${a} is not below ${b}`);
  const inside = normalShare((b - mean) / std) - normalShare((a - mean) / std);
  return inPlace(weight, () => {
    if (inside > 0.3) redrawOutside(weight, [mean, std, a, b]);
    else drawByDensity(weight, [mean, std, a, b]);
  });
}

function redrawOutside(weight: Tensor, [mean, std, a, b]: readonly number[]): void {
  weight.normal_(mean, std);
  for (;;) {
    const outside = weight.lt(a).logicalOr(weight.gt(b));
    if (outside.any().item() === 0) return;
    copy_(weight, where(outside, emptyLike(weight).normal_(mean, std), weight));
  }
}

function drawByDensity(weight: Tensor, [mean, std, a, b]: readonly number[]): void {
  const highest = ((Math.max(a, Math.min(mean, b)) - mean) / std) ** 2 / -2;
  const refused = (values: Tensor) => {
    const density = values.sub(mean).div_(std).square_().mul_(-0.5).sub_(highest);
    return emptyLike(weight).uniform_(0, 1).log_().gt(density);
  };
  let pending = refused(weight.uniform_(a, b));
  while (pending.any().item() !== 0) {
    const candidates = emptyLike(weight).uniform_(a, b);
    copy_(weight, where(pending, candidates, weight));
    pending = pending.logicalAnd(refused(candidates));
  }
}

/** A (half-)orthogonal matrix [out, rest] times `gain` (Saxe et al. 2014). */
export function orthogonal_(weight: Tensor, gain = 1): Tensor {
  if (weight.ndim < 2)
    throw new TypeError(`orthogonal_: needs at least 2 dimensions, got [${weight.shape.join(", ")}]`);
  if (weight.numel === 0) return weight;
  return inPlace(weight, () => {
    const rows = weight.size(0);
    const columns = weight.numel / rows;
    const drawn = normal_(empty([rows, columns], { dtype: weight.dtype, device: weight.device }));
    const tall = rows < columns ? drawn.t() : drawn;
    const [q, r] = linalgQr(tall);
    const signed = q.mul(r.diag().sign());
    copy_(weight, (rows < columns ? signed.t() : signed).reshape(weight.shape));
    weight.mul_(gain);
  });
}

/** Uniform within sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierUniform_(weight: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = fans(weight);
  const bound = gain * Math.sqrt(2 / (fanIn + fanOut)) * Math.sqrt(3);
  return uniform_(weight, -bound, bound);
}

/** Normal with standard deviation sqrt(2 / (fanIn + fanOut)). */
export function xavierNormal_(weight: Tensor, gain = 1): Tensor {
  const { fanIn, fanOut } = fans(weight);
  return normal_(weight, 0, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

export interface KaimingOptions {
  /** Negative slope of the leaky ReLU behind. */
  readonly a?: number;
  readonly mode?: "fanIn" | "fanOut";
  readonly nonlinearity?: "relu" | "leakyRelu" | "linear" | "sigmoid" | "tanh" | "selu";
}

/** The factor that keeps variances through a nonlinearity. @throws TypeError for one that has none. */
export function calculateGain(nonlinearity: NonNullable<KaimingOptions["nonlinearity"]>, a = 0.01): number {
  const gains = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + a * a)),
    selu: 3 / 4,
  };
  if (!Object.hasOwn(gains, nonlinearity))
    throw new TypeError(
      `calculateGain: unknown nonlinearity ${JSON.stringify(nonlinearity)}; expected one of ${Object.keys(gains).join(", ")}`,
    );
  return gains[nonlinearity];
}

function kaimingStd(
  weight: Tensor,
  { a = 0, mode = "fanIn", nonlinearity = "leakyRelu", ...others }: KaimingOptions,
): number {
  refuseOthers("kaiming initializers", others, "a, mode, nonlinearity");
  if (mode !== "fanIn" && mode !== "fanOut")
    throw new TypeError(
      `kaiming initializers: mode must be "fanIn" or "fanOut", got ${JSON.stringify(mode)}`,
    );
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(weight)[mode]);
}

/** He et al. 2015, uniform. */
export function kaimingUniform_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  if (weight.numel === 0) return weight;
  const bound = Math.sqrt(3) * kaimingStd(weight, options);
  return uniform_(weight, -bound, bound);
}

/** He et al. 2015, normal. */
export function kaimingNormal_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  if (weight.numel === 0) return weight;
  return normal_(weight, 0, kaimingStd(weight, options));
}

/**
 * The weight of a convolution [out, in, ...] that passes channels on as they are, as many as there are
 * on both sides of each group; zeros elsewhere.
 * @throws TypeError unless it has 3 to 5 dimensions, RangeError if groups do not divide `out`.
 */
export function dirac_(weight: Tensor, groups = 1): Tensor {
  const [out, inputs, ...sizes] = weight.shape;
  if (sizes.length < 1 || sizes.length > 3)
    throw new TypeError(`dirac_: takes 3 to 5 dimensions, got [${weight.shape.join(", ")}]`);
  if (out % groups !== 0) throw new RangeError(`dirac_: ${groups} groups do not divide ${out} channels`);
  const perGroup = out / groups;
  return inPlace(weight, () => {
    weight.zero_();
    for (let group = 0; group < groups; group++)
      for (let i = 0; i < Math.min(perGroup, inputs); i++)
        weight.setAt([group * perGroup + i, i, ...sizes.map((size) => Math.floor(size / 2))], 1);
  });
}

/**
 * Normal with a share `sparsity` of each column set to zero (Martens 2010).
 * @throws TypeError for what is no matrix.
 */
export function sparse_(weight: Tensor, sparsity: number, std = 0.01): Tensor {
  if (weight.ndim !== 2) throw new TypeError(`sparse_: takes a matrix, got [${weight.shape.join(", ")}]`);
  const [rows, columns] = weight.shape;
  const zeros = Math.ceil(sparsity * rows);
  return inPlace(weight, () => {
    weight.normal_(0, std);
    for (let column = 0; column < columns; column++)
      weight.setAt([randperm(rows, { device: weight.device }).narrow(0, 0, zeros), column], 0);
  });
}
