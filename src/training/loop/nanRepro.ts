import { UserError } from "../../common/userError.ts";
import type { Batch } from "../../data/batches/batch.ts";
import * as torch from "../../torch/index.ts";

const version = 1;
const metadataKey = "aam_nan_repro";

/** Where a value that is not finite appeared. */
export interface NonFiniteSite {
  /** What held it: a number of the batch, a weight, what a module returned, a loss, a weight's gradient. */
  readonly kind: "input" | "weight" | "output" | "loss" | "gradient";
  /** Of the module, weight, loss or batch array; `""` is the model itself. */
  readonly path: string;
  readonly shape: readonly number[];
  readonly nan: number;
  readonly infinite: number;
  readonly total: number;
}

/** Everything that repeats a step. */
export interface NanRepro {
  readonly step: number;
  readonly site: NonFiniteSite;
  readonly sampleIds: readonly string[];
  /** What the model was built from: a run's facts. */
  readonly facts: unknown;
  readonly batch: Batch;
  /** By the model's own names. */
  readonly weights: ReadonlyMap<string, torch.Tensor>;
  /** States of the generators before the step, by device: they decide masks and dropout. */
  readonly random: ReadonlyMap<torch.Device, torch.Tensor>;
}

/** Writes one safetensors file: `batch/*`, `model/*`, `random/<device>`, and the rest in its metadata. */
export function saveRepro(path: string, repro: NanRepro): void {
  using _scope = torch.scope();
  const tensors = new Map<string, torch.Tensor>();
  for (const [device, value] of repro.random) tensors.set(`random/${device}`, value);
  for (const [name, value] of repro.weights) tensors.set(`model/${name}`, value);
  const sizes: Record<string, number> = {};
  for (const [name, value] of Object.entries(repro.batch)) {
    if (typeof value === "number") sizes[name] = value;
    else if (ArrayBuffer.isView(value)) tensors.set(`batch/${name}`, torch.tensor(value as torch.TypedArray));
  }
  const { step, site, sampleIds, facts } = repro;
  const text = JSON.stringify({ version, step, site, sampleIds, facts, sizes });
  torch.saveSafetensors(path, tensors, { [metadataKey]: text });
}

/** Reads what `saveRepro` wrote. @throws UserError for another file. */
export function loadRepro(path: string): NanRepro {
  const { tensors, metadata } = torch.loadSafetensors(path);
  const text = metadata[metadataKey];
  if (text === undefined) {
    throw new UserError(`${path} is no saved step; give the file that a training with --debug-nan named.`);
  }
  const { sizes, ...rest } = JSON.parse(text) as Omit<NanRepro, "batch" | "weights" | "random"> & {
    version: number;
    sizes: Record<string, number>;
  };
  if (rest.version !== version) {
    throw new UserError(
      `${path} has format ${rest.version}, this program reads ${version}; let the training fail again with this program.`,
    );
  }
  const batch: Record<string, unknown> = { ...sizes };
  const weights = new Map<string, torch.Tensor>();
  const random = new Map<torch.Device, torch.Tensor>();
  for (const [fullName, value] of tensors) {
    const [kind] = fullName.split("/", 1);
    const name = fullName.slice(kind.length + 1);
    if (kind === "batch") batch[name] = value.data();
    else if (kind === "model") weights.set(name, value);
    // The generator wants its state in memory of its own.
    else if (kind === "random") random.set(name as torch.Device, value.clone());
  }
  return { ...rest, batch: batch as unknown as Batch, weights, random };
}
