import type { Tensor } from "../core/tensor.ts";
import { ops } from "../dispatch/operators.ts";
import { sparseCooTensor } from "../dispatch/ops.gen.ts";
import { TorchError } from "../native/errors.ts";

/** The coordinates of a coalesced sparse tensor, and the values there. */
export function sparseParts(sparse: Tensor): { indices: Tensor; values: Tensor } {
  const { _indices, _values } = ops.unsafe.aten;
  return { indices: _indices(sparse) as Tensor, values: _values(sparse) as Tensor };
}

/** A copy of what a dense tensor has at the coordinates of a coalesced sparse one. */
export function denseValues(dense: Tensor, sparse: Tensor): Tensor {
  return sparseParts(ops.aten.sparse_mask(dense, sparse)).values;
}

/** @throws TorchError where a gradient is sparse, with which a setting does not go together. */
export function refuseSparse(name: string, setting: string, grads: readonly Tensor[]): void {
  if (grads.some((gradient) => gradient.layout !== "strided"))
    throw new TorchError(`${name}: ${setting} does not go with sparse gradients`, "type");
}

/** Other values at the coordinates of a coalesced sparse tensor. */
export function likeSparse(sparse: Tensor, values: Tensor): Tensor {
  return sparseCooTensor(sparseParts(sparse).indices, values, sparse.shape);
}
