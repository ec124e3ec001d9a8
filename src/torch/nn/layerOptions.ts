import type { Device } from "../device.ts";
import type { DType } from "../dtype.ts";
import { refuseOthers } from "../optionNames.ts";

/** Where and as what a layer's parameters are made. */
export interface LayerOptions {
  device?: Device;
  dtype?: DType;
}

/** What a layer does not know of the options that it was made with. */
export function refuseLayerOptions(name: string, creation: LayerOptions, known: string): void {
  const { device: _, dtype: __, ...others } = creation;
  refuseOthers(name, others, `${known}, device, dtype`);
}
