import { Tensor } from "../core/tensor.ts";
import { withoutTypedCalls } from "../dispatch/callMode.ts";
import { check, shim } from "../native/library.ts";
import { mapTensors, type Tree } from "./tree.ts";

const out = new Float64Array(new ArrayBuffer(1024));

export const kinds = { vmap: 0, grad: 1, jvp: 2 } as const;

/** Runs `fn` at a new level of a transform. */
export function atLevel<T>(
  kind: keyof typeof kinds,
  fn: (level: number) => T,
  batchSize = 0,
  randomness = 0,
): T {
  // Typed calls leave autograd's layers out by what the outermost tensor says of
  // itself, which is not all here.
  const restore = withoutTypedCalls();
  try {
    const level = check(shim.aamt_transform_push(kinds[kind], batchSize, randomness), `torch.func.${kind}`);
    try {
      const result = fn(level);
      if (result instanceof Promise) throw new TypeError(`${kind}: the function must not be asynchronous`);
      return result;
    } finally {
      check(shim.aamt_transform_pop());
    }
  } finally {
    restore();
  }
}

function wrapping(
  how: number,
  tensor: Tensor,
  level: number,
  dim: number,
  size: number,
  what: string,
): Tensor {
  check(shim.aamt_transform_wrap(how, tensor.handle, level, dim, size, out), what);
  return Tensor.fromHandle(out[0], 0);
}

export const addBatchDim = (tensor: Tensor, dim: number, level: number): Tensor =>
  wrapping(0, tensor, level, dim, 0, "vmap");

export const removeBatchDim = (tensor: Tensor, dim: number, level: number, size: number): Tensor =>
  wrapping(1, tensor, level, dim, size, "vmap");

/** All tensors wrapped for a level of `grad`. */
export const wrapAll = <T extends Tree>(tree: T, level: number): T =>
  mapTensors(tree, (tensor) => wrapping(2, tensor, level, 0, 0, "grad"));

/** The tensors within, of the level around. */
export const unwrapAll = <T extends Tree>(tree: T, level: number): T =>
  mapTensors(tree, (tensor) => wrapping(3, tensor, level, 0, 0, "grad"));

/** Makes a wrapped tensor a leaf of its level. */
export function requireGradient(tensor: Tensor, level: number): void {
  check(shim.aamt_transform_wrap(4, tensor.handle, level, 0, 0, out), "grad");
}
