import { type Device, deviceTypeName } from "../core/device.ts";
import { hostReads } from "../core/tensor.ts";
import { check, shim } from "../native/library.ts";

const out = new Float64Array(new ArrayBuffer(8));

/** The machine's accelerator: `{ type: "cuda", count: 1 }`, or null where there is none. */
export function accelerator(): { type: string; count: number } | null {
  const type = check(shim.aamt_accelerator(out), "accelerator");
  return type === 0 ? null : { type: deviceTypeName(type), count: out[0] };
}

/** Whether LibTorch sees a CUDA device. */
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

/** Its number for the shim; -1 is the current one. */
export function deviceIndex(device: Device | undefined): number {
  return device?.includes(":") ? Number(device.split(":")[1]) : -1;
}

/** Waits until all work on the accelerator is done. Does nothing without one. */
export function synchronize(device?: Device): void {
  check(shim.aamt_synchronize(deviceIndex(device)), "synchronize");
}

/** How often values were read back to JavaScript so far: each read waits for the device. */
export function hostReadCount(): number {
  return hostReads.count;
}
