/**
 * Puts the operators' methods and the hand-written ones on `Tensor`, and declares them there: so `core` need
 * not know of the operators, which are made of it. Imported once, by index.ts.
 */
import { backward } from "./autograd/autograd.ts";
import {
  registerHook,
  registerPostAccumulateGradHook,
  retainGrad,
  type TensorHooks,
} from "./autograd/hooks.ts";
import { type Conversions, conversions } from "./core/conversions.ts";
import { type Device, parseDevice } from "./core/device.ts";
import type { Scalar } from "./core/dtype.ts";
import { type DType, dtypes } from "./core/dtype.ts";
import { type BackwardOptions, type Index, Tensor, type ToOptions } from "./core/tensor.ts";
import { operator } from "./dispatch/operators.ts";
import { methods, type TensorMethods } from "./dispatch/ops.gen.ts";
import { at, setAt } from "./functions/indexing.ts";
import { inspectTensor } from "./functions/inspect.ts";
import { TorchError } from "./native/errors.ts";

declare module "./core/tensor.ts" {
  interface Tensor extends TensorMethods, Conversions, TensorHooks {}
}

type Operation = (...args: unknown[]) => unknown;
const prototype = Tensor.prototype as unknown as Record<string | symbol, unknown>;

for (const [name, method] of Object.entries(methods)) {
  const operation = method as unknown as Operation;
  prototype[name] = function (
    this: Tensor,
    a?: unknown,
    b?: unknown,
    c?: unknown,
    d?: unknown,
    ...rest: unknown[]
  ): unknown {
    return rest.length > 0 ? operation(this, a, b, c, d, ...rest) : operation(this, a, b, c, d);
  };
}

const toCopy = operator("aten::to", ["dtype_layout"], "to") as unknown as (
  self: Tensor,
  options: ToOptions,
) => Tensor;

/** `view` needs two forms of its own: a shape, or a dtype (the same bits read as another type). */
const viewShape = operator("aten::view", ["", "dtype"], "view") as unknown as (
  self: Tensor,
  to: readonly number[] | DType,
) => Tensor;
prototype["view"] = function (this: Tensor, to: readonly number[] | DType): Tensor {
  return viewShape(this, to);
};

prototype["to"] = function (
  this: Tensor,
  target: DType | Device | ToOptions,
  options: Omit<ToOptions, "dtype" | "device"> = {},
) {
  if (typeof target !== "string") return toCopy(this, target);
  if ((dtypes as readonly string[]).includes(target))
    return toCopy(this, { ...options, dtype: target as DType });
  parseDevice(target as Device);
  return toCopy(this, { ...options, device: target as Device });
};

for (const [name, convert] of Object.entries(conversions)) {
  prototype[name] = function (this: Tensor, argument?: never): unknown {
    return convert(this, argument);
  };
}

/** PyTorch's `x.T` and `x.mT`, the transposes of a matrix and of a batch of them. */
Object.defineProperty(Tensor.prototype, "T", {
  get(this: Tensor): Tensor {
    return this.t();
  },
});
Object.defineProperty(Tensor.prototype, "mT", {
  get(this: Tensor): Tensor {
    return this.transpose(-2, -1);
  },
});

prototype["at"] = function (this: Tensor, ...indices: Index[]): Tensor {
  return at(this, ...indices);
};

prototype["setAt"] = function (this: Tensor, indices: readonly Index[], values: Tensor | Scalar): Tensor {
  return setAt(this, indices, values);
};

prototype["backward"] = function (this: Tensor, options: BackwardOptions = {}): void {
  const { gradient, ...rest } = options;
  backward([this], [gradient ?? null], rest);
};

prototype["registerHook"] = function (this: Tensor, hook: (gradient: Tensor) => Tensor | undefined) {
  return registerHook(this, hook);
};

prototype["registerPostAccumulateGradHook"] = function (this: Tensor, hook: (leaf: Tensor) => void) {
  return registerPostAccumulateGradHook(this, hook);
};

prototype["retainGrad"] = function (this: Tensor): void {
  retainGrad(this);
};

prototype[Symbol.for("nodejs.util.inspect.custom")] = function (this: Tensor): string {
  return inspectTensor(this);
};
prototype["toString"] = function (this: Tensor): string {
  return inspectTensor(this);
};
// Without it Number(x), x > y and Math.max(x) would compute with the printed text, and give NaN or nonsense.
prototype[Symbol.toPrimitive] = function (this: Tensor, hint: string): string | number {
  if (hint !== "number") return inspectTensor(this);
  if (this.numel === 1) return this.item();
  throw new TorchError(
    `A tensor of shape [${this.shape}] is no number: write x.add(y) for x + y, x.lt(y) for x < y, x.toArray() for its numbers.`,
    "type",
  );
};
