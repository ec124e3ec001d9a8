import * as torch from "../../src/torch/index.ts";

/**
 * Where tests of numbers compute: on the device that AAM_TEST_DEVICE names (`cuda` or `cuda:1`), by
 * default on the CPU. Tests that take part call `onTestDevice` or hand `testDevice` on;
 * `scripts/cuda-check.sh` runs them on a GPU.
 * @throws RangeError if it is not there.
 */
export const testDevice: torch.Device = torch.resolveDevice(
  (process.env["AAM_TEST_DEVICE"] as torch.Device | undefined) ?? "cpu",
);

/** The same value with every tensor in it, also in arrays and plain objects, on the test's device. */
export function onTestDevice<T>(value: T): T {
  if (testDevice === "cpu") return value;
  if (value instanceof torch.Tensor) return value.to(testDevice) as T;
  if (Array.isArray(value)) return value.map((item) => onTestDevice(item)) as T;
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, onTestDevice(item)])) as T;
}
