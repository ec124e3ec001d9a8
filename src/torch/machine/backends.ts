/** `torch.backends`: which accelerators this LibTorch can use here, under PyTorch's names. */
import { accelerator } from "./devices.ts";

/** `torch.backends.mps`: Apple's GPUs, by Metal. */
export const mps = {
  /**
   * Whether tensors can be made on the device `"mps"`: on macOS, with a GPU that Metal drives.
   *
   * @example const device = torch.backends.mps.isAvailable() ? "mps" : "cpu";
   */
  isAvailable(): boolean {
    return accelerator()?.type === "mps";
  },
};
