import type { Device } from "../core/device.ts";
import { check, shim } from "../native/library.ts";
import { deviceIndex } from "./devices.ts";

const out = new Float64Array(new ArrayBuffer(1024));

/** Gives back memory that the allocators of the CPU and of the accelerator hold in reserve. */
export function emptyCache(): void {
  check(shim.aamt_cpu_empty_cache(), "emptyCache");
  check(shim.aamt_empty_cache(), "emptyCache");
}

/** Begins anew to look for the most memory in use, on the CPU and the device. */
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
