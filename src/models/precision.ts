import type * as torch from "../torch/index.ts";

/** The tensor in float32 unless it is in float64 already: for what is summed or compared, which half precision would spoil. */
export function atLeastFloat32(tensor: torch.Tensor): torch.Tensor {
  return tensor.dtype === "float64" ? tensor : tensor.to("float32");
}
