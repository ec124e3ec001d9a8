import { check, shim } from "../native/library.ts";

/** Threads that one operator may use. */
export function getNumThreads(): number {
  return check(shim.aamt_threads(0, 0));
}

/** How many threads LibTorch uses for one operator. */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`setNumThreads: expected a whole number of at least 1, got ${count}`);
  check(shim.aamt_threads(count, 0));
}

/** Makes operators that have no deterministic form fail (or only warn), and the others choose it. */
export function useDeterministicAlgorithms(on: boolean, options: { warnOnly?: boolean } = {}): void {
  check(shim.aamt_deterministic(on ? 1 : 0, options.warnOnly ? 1 : 0));
}

/** Whether `useDeterministicAlgorithms` is on. */
export function areDeterministicAlgorithmsEnabled(): boolean {
  return check(shim.aamt_deterministic(-1, 0)) === 1;
}

/** Treats denormal numbers as zero on the CPU, which is faster. Returns whether the CPU can do it. */
export function setFlushDenormal(on: boolean): boolean {
  return check(shim.aamt_flush_denormal(on ? 1 : 0)) === 1;
}

const precisions = ["highest", "high", "medium"] as const;
export type Float32MatmulPrecision = (typeof precisions)[number];

/**
 * How exactly float32 matrices are multiplied: "highest" is float32, "high" allows TF32, "medium" bfloat16.
 */
export function setFloat32MatmulPrecision(precision: Float32MatmulPrecision): void {
  const index = precisions.indexOf(precision);
  if (index < 0)
    throw new TypeError(
      `setFloat32MatmulPrecision: expected one of ${precisions.join(", ")}, got ${precision}`,
    );
  check(shim.aamt_float32_matmul_precision(index));
  check(shim.aamt_cudnn_tf32(index > 0 ? 1 : 0));
}

/** What `setFloat32MatmulPrecision` has set. */
export function getFloat32MatmulPrecision(): Float32MatmulPrecision {
  return precisions[check(shim.aamt_float32_matmul_precision(-1))];
}

const attentionKernels = { flash: 0, memoryEfficient: 1, math: 2, cudnn: 3 } as const;

/** Allows or forbids a kernel of `scaledDotProductAttention` on CUDA. */
export function setAttentionKernel(kernel: keyof typeof attentionKernels, on: boolean): void {
  check(shim.aamt_sdp_kernel(attentionKernels[kernel], on ? 1 : 0));
}
