import * as torch from "../torch/index.ts";

/**
 * The tensor in float32 unless it is in float64 already: for what is summed or compared, which
 * half precision would spoil.
 */
export function atLeastFloat32(tensor: torch.Tensor): torch.Tensor {
  return tensor.dtype === "float64" ? tensor : tensor.to("float32");
}

/** A matrix product in at least float32, whatever autocast and the GPU's short formats would make of it. */
export function exactProduct(a: torch.Tensor, b: torch.Tensor): torch.Tensor {
  const { dtype, device } = a;
  if (device === "cpu" && !torch.isAutocastEnabled("cpu")) return a.matmul(b);
  return a.to("float64").matmul(b.to("float64")).to(dtype);
}
