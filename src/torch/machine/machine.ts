import { type Device, deviceTypeName } from "../core/device.ts";
import { hostReads } from "../core/tensor.ts";
import { check, shim } from "../native/library.ts";

const out = new Float64Array(new ArrayBuffer(1024));

/** Threads that one operator may use. */
export function getNumThreads(): number {
  return check(shim.aamt_threads(0, 0));
}

export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`setNumThreads: expected a whole number of at least 1, got ${count}`);
  check(shim.aamt_threads(count, 0));
}

/** Makes operators that have no deterministic form fail (or only warn), and the others choose it. */
export function useDeterministicAlgorithms(on: boolean, options: { warnOnly?: boolean } = {}): void {
  check(shim.aamt_deterministic(on ? 1 : 0, options.warnOnly ? 1 : 0));
}

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

export function getFloat32MatmulPrecision(): Float32MatmulPrecision {
  return precisions[check(shim.aamt_float32_matmul_precision(-1))];
}

const attentionKernels = { flash: 0, memoryEfficient: 1, math: 2, cudnn: 3 } as const;

/** Allows or forbids a kernel of `scaledDotProductAttention` on CUDA. */
export function setAttentionKernel(kernel: keyof typeof attentionKernels, on: boolean): void {
  check(shim.aamt_sdp_kernel(attentionKernels[kernel], on ? 1 : 0));
}

/** The machine's accelerator: `{ type: "cuda", count: 1 }`, or null where there is none. */
export function accelerator(): { type: string; count: number } | null {
  const type = check(shim.aamt_accelerator(out), "accelerator");
  return type === 0 ? null : { type: deviceTypeName(type), count: out[0] };
}

export function isCudaAvailable(): boolean {
  return accelerator()?.type === "cuda";
}

/**
 * `"auto"` is the accelerator where there is one, else the CPU.
 * @throws Error for a device that is not there.
 */
export function resolveDevice(device: Device | "auto"): Device {
  const found = accelerator();
  if (device === "auto") return found ? (found.type as Device) : "cpu";
  const [type, index = "0"] = device.split(":");
  if (type !== "cpu" && type !== "meta" && (found?.type !== type || Number(index) >= found.count)) {
    const there = found
      ? `${found.count} ${found.type} device${found.count > 1 ? "s" : ""}`
      : "no accelerator";
    throw new RangeError(`The device "${device}" is not available: LibTorch sees ${there}.`);
  }
  return device;
}

function deviceIndex(device: Device | undefined): number {
  return device?.includes(":") ? Number(device.split(":")[1]) : -1;
}

/** Waits until all work on the accelerator is done. Does nothing without one. */
export function synchronize(device?: Device): void {
  check(shim.aamt_synchronize(deviceIndex(device)), "synchronize");
}

/** Gives back memory that the allocators of the CPU and of the accelerator hold in reserve. */
export function emptyCache(): void {
  check(shim.aamt_cpu_empty_cache(), "emptyCache");
  check(shim.aamt_empty_cache(), "emptyCache");
}

export function resetPeakMemory(device?: Device): void {
  check(shim.aamt_cpu_memory_reset_peak());
  check(shim.aamt_reset_peak_memory(deviceIndex(device)), "resetPeakMemory");
}

export interface MemoryReport {
  /** Native tensors that are alive in this process, all threads together. */
  readonly liveTensors: number;
  /** Bytes of the process in memory. */
  readonly residentBytes: number;
  /** The CPU's allocator in bytes; tensors below 64 KiB are not counted. */
  readonly cpu: { readonly allocated: number; readonly allocatedPeak: number; readonly cached: number };
  /** The accelerator's allocator, zeros without one; in bytes. */
  readonly device: {
    readonly allocated: number;
    readonly allocatedPeak: number;
    readonly reserved: number;
    readonly reservedPeak: number;
    readonly free: number;
    readonly total: number;
  };
}

/** What is alive: handles, the process's memory, the accelerator's memory. */
export function memory(device?: Device): MemoryReport {
  shim.aamt_live_handles(out);
  const liveTensors = out[0];
  check(shim.aamt_cpu_memory(out), "memory");
  const cpu = { allocated: out[0], allocatedPeak: out[1], cached: out[2] };
  check(shim.aamt_device_memory(deviceIndex(device), out), "memory");
  const [allocated, allocatedPeak, reserved, reservedPeak, free, total] = out;
  return {
    liveTensors,
    residentBytes: process.memoryUsage.rss(),
    cpu,
    device: { allocated, allocatedPeak, reserved, reservedPeak, free, total },
  };
}

/**
 * How many bytes of freed CPU memory are kept in reserve for the next tensors at most; half of the
 * machine's memory by default. Reserve and tensors together stay within 1.25 times what tensors ever
 * took at once (or 256 MiB).
 */
export function setCpuCacheLimit(bytes: number): void {
  check(shim.aamt_cpu_cache_limit(bytes), "setCpuCacheLimit");
}

/** How often values were read back to JavaScript so far: each read waits for the device. */
export function hostReadCount(): number {
  return hostReads.count;
}
