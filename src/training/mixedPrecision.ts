import * as torch from "../torch/index.ts";

export type MixedPrecision = "none" | "bf16" | "fp16";

/** Runs `fn` with matrix products in a shorter type. */
export function withMixedPrecision<T>(type: MixedPrecision, device: torch.Device, fn: () => T): T {
  if (type === "none") return fn();
  return torch.autocast({ device, dtype: type === "bf16" ? "bfloat16" : "float16" }, fn);
}
