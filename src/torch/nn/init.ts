/** Initializers, drawing the same random numbers in the same order as PyTorch's: equal seeds give equal weights. */
import { noGrad } from "../modes.ts";
import type { Tensor } from "../tensor.ts";

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

const inPlace = (fn: () => Tensor): Tensor => noGrad(fn);

export function uniform_(weight: Tensor, from = 0, to = 1): Tensor {
  return inPlace(() => weight.uniform_(from, to));
}

export function normal_(weight: Tensor, mean = 0, std = 1): Tensor {
  return inPlace(() => weight.normal_(mean, std));
}

export function constant_(weight: Tensor, value: number): Tensor {
  return inPlace(() => weight.fill_(value));
}

export function zeros_(weight: Tensor): Tensor {
  return constant_(weight, 0);
}

export function ones_(weight: Tensor): Tensor {
  return constant_(weight, 1);
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
  a?: number;
  mode?: "fanIn" | "fanOut";
  nonlinearity?: "relu" | "leakyRelu" | "linear" | "tanh" | "selu";
}

/** The factor that keeps variances through a nonlinearity. */
export function calculateGain(nonlinearity: NonNullable<KaimingOptions["nonlinearity"]>, a = 0.01): number {
  if (nonlinearity === "relu") return Math.sqrt(2);
  if (nonlinearity === "leakyRelu") return Math.sqrt(2 / (1 + a * a));
  if (nonlinearity === "tanh") return 5 / 3;
  return nonlinearity === "selu" ? 3 / 4 : 1;
}

function kaimingStd(
  weight: Tensor,
  { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" }: KaimingOptions,
): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(weight)[mode]);
}

/** He et al. 2015, uniform. */
export function kaimingUniform_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(weight, options);
  return uniform_(weight, -bound, bound);
}

/** He et al. 2015, normal. */
export function kaimingNormal_(weight: Tensor, options: KaimingOptions = {}): Tensor {
  return normal_(weight, 0, kaimingStd(weight, options));
}
