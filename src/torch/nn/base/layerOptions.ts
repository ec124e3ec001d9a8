import type { Device } from "../../core/device.ts";
import type { DType } from "../../core/dtype.ts";
import { refuseOthers } from "../../dispatch/optionNames.ts";

/** Where and as what a layer's parameters are made. */
export interface LayerOptions {
  readonly device?: Device;
  readonly dtype?: DType;
}

/** What a layer does not know of the options that it was made with. */
export function refuseLayerOptions(name: string, creation: LayerOptions, known: string): void {
  const { device: _, dtype: __, ...others } = creation;
  refuseOthers(name, others, `${known}, device, dtype`);
}
