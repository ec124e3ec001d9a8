import type { Tensor } from "./tensor.ts";

/**
 * The short forms of `to`, under PyTorch's names; `T` and `mT` are the transposes of a
 * matrix and of a batch of them.
 */
export interface Conversions {
  float(): Tensor;
  double(): Tensor;
  half(): Tensor;
  bfloat16(): Tensor;
  long(): Tensor;
  int(): Tensor;
  short(): Tensor;
  bool(): Tensor;
  byte(): Tensor;
  cpu(): Tensor;
  /** On the current CUDA device, or on that of a number. */
  cuda(index?: number): Tensor;
  readonly T: Tensor;
  readonly mT: Tensor;
}

type Conversion = (self: Tensor, argument?: never) => Tensor;

/** What methods.ts puts on `Tensor`. */
export const conversions: Readonly<Record<Exclude<keyof Conversions, "T" | "mT">, Conversion>> = {
  float: (self) => self.to("float32"),
  double: (self) => self.to("float64"),
  half: (self) => self.to("float16"),
  bfloat16: (self) => self.to("bfloat16"),
  long: (self) => self.to("int64"),
  int: (self) => self.to("int32"),
  short: (self) => self.to("int16"),
  bool: (self) => self.to("bool"),
  byte: (self) => self.to("uint8"),
  cpu: (self) => self.to("cpu"),
  cuda: (self, index?: number) => self.to(index === undefined ? "cuda" : `cuda:${index}`),
};
