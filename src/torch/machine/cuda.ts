/** `torch.cuda`: what concerns the accelerator, under PyTorch's names. */
import type { Device } from "../core/device.ts";
import { check, shim } from "../native/library.ts";
import { accelerator } from "./devices.ts";
import { memory } from "./memory.ts";

export { isCudaAvailable as isAvailable, synchronize } from "./devices.ts";
export { emptyCache, resetPeakMemory as resetPeakMemoryStats } from "./memory.ts";

export {
  CUDAGraph,
  currentStream,
  defaultStream,
  Event,
  graph,
  recordStream,
  Stream,
  stream,
} from "./streams.ts";

/** How many CUDA devices LibTorch sees; 0 without any. */
export function deviceCount(): number {
  const found = accelerator();
  return found?.type === "cuda" ? found.count : 0;
}

/**
 * Makes a device the current one: that of `"cuda"` without a number.
 * @throws TorchError for one that is not there.
 */
export function setDevice(index: number): void {
  check(shim.aamt_device_index(index), "cuda.setDevice");
}

/** Bytes that tensors occupy on the device now. */
export function memoryAllocated(device?: Device): number {
  return memory(device).device.allocated;
}

/** The most bytes that tensors have occupied on the device since the last reset. */
export function maxMemoryAllocated(device?: Device): number {
  return memory(device).device.allocatedPeak;
}

/** Bytes that the allocator holds, those in reserve included. */
export function memoryReserved(device?: Device): number {
  return memory(device).device.reserved;
}

/** Free and total bytes of the device. */
export function memGetInfo(device?: Device): [free: number, total: number] {
  const { free, total } = memory(device).device;
  return [free, total];
}
