import { UserError } from "../../common/userError.ts";

/**
 * What `--device` means here; `auto` is CUDA where there is any. LibTorch is loaded unless it is
 * the CPU that is asked for.
 */
export async function chooseDevice(device: "auto" | "cpu" | "cuda"): Promise<"cpu" | "cuda"> {
  if (device === "cpu") return "cpu";
  const torch = await import("../../torch/index.ts");
  if (torch.isCudaAvailable()) return "cuda";
  if (device === "auto") return "cpu";
  throw new UserError(
    "--device cuda: this machine has no CUDA device that LibTorch can use; use --device cpu.",
  );
}
