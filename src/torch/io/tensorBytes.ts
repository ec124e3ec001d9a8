import type { Tensor } from "../core/tensor.ts";

/** No part is longer, so that tensors of any size go through JavaScript's buffers. */
const largestPart = 2 ** 28;

/** The elements of a tensor of any device and layout as bytes in row-major order, in parts. */
export function* tensorBytes(tensor: Tensor, partBytes = largestPart): Generator<Uint8Array> {
  if (tensor.nbytes <= partBytes) {
    yield bytesOf(tensor);
    return;
  }
  const { numel } = tensor;
  const step = Math.max(1, Math.floor(partBytes / (tensor.nbytes / numel)));
  using detached = tensor.detach();
  using flat = detached.reshape([-1]);
  for (let start = 0; start < numel; start += step) {
    using part = flat.narrow(0, start, Math.min(step, numel - start));
    yield bytesOf(part);
  }
}

function bytesOf(tensor: Tensor): Uint8Array {
  const values = tensor.data();
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
