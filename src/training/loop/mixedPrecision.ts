import * as torch from "../../torch/index.ts";

export type MixedPrecision = "none" | "bf16" | "fp16";

/**
 * How a device multiplies matrices: `auto` and null are bf16 and TF32 on CUDA, float32 elsewhere: on a
 * processor with AVX512-BF16 a step in bf16 took about twice as long (docs/benchmarks.md).
 */
export function precisionOn(
  { mixedPrecision, tf32 }: { mixedPrecision: MixedPrecision | "auto"; tf32: boolean | null },
  device: torch.Device,
): { mixedPrecision: MixedPrecision; tf32: boolean } {
  const isCuda = device.startsWith("cuda");
  return {
    mixedPrecision: mixedPrecision === "auto" ? (isCuda ? "bf16" : "none") : mixedPrecision,
    tf32: tf32 ?? isCuda,
  };
}

/** Runs `fn` with matrix products in a shorter type. */
export function withMixedPrecision<T>(type: MixedPrecision, device: torch.Device, fn: () => T): T {
  if (type === "none") return fn();
  return torch.autocast({ device, dtype: type === "bf16" ? "bfloat16" : "float16" }, fn);
}
