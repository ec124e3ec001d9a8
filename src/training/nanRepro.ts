import { UserError } from "../common/userError.ts";
import type { Batch } from "../data/batch.ts";
import * as torch from "../torch/index.ts";

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
  /** What the model was built from, as the run's config.json says. */
  readonly config: unknown;
  readonly batch: Batch;
  /** By the model's own names. */
  readonly weights: Map<string, torch.Tensor>;
  /** State of the CPU's generator before the step: it decides masks and dropout. */
  readonly random: torch.Tensor;
}

/** Writes one safetensors file: `batch/*`, `model/*`, `random/cpu`, and the rest in its metadata. */
export function saveRepro(path: string, repro: NanRepro): void {
  using _scope = torch.scope();
  const tensors = new Map<string, torch.Tensor>([["random/cpu", repro.random]]);
  for (const [name, value] of repro.weights) tensors.set(`model/${name}`, value);
  const sizes: Record<string, number> = {};
  for (const [name, value] of Object.entries(repro.batch)) {
    if (typeof value === "number") sizes[name] = value;
    else if (ArrayBuffer.isView(value)) tensors.set(`batch/${name}`, torch.tensor(value as torch.TypedArray));
  }
  const { step, site, sampleIds, config } = repro;
  const text = JSON.stringify({ version, step, site, sampleIds, config, sizes });
  torch.saveSafetensors(path, tensors, { [metadataKey]: text });
}

/** Reads what `saveRepro` wrote. @throws UserError for another file. */
export function loadRepro(path: string): NanRepro {
  const { tensors, metadata } = torch.loadSafetensors(path);
  const text = metadata[metadataKey];
  if (text === undefined) {
    throw new UserError(`${path} is no saved step; give the file that a training with --debug-nan named.`);
  }
  const { sizes, ...facts } = JSON.parse(text) as Omit<NanRepro, "batch" | "weights" | "random"> & {
    version: number;
    sizes: Record<string, number>;
  };
  if (facts.version !== version) {
    throw new UserError(
      `${path} has format ${facts.version}, this program reads ${version}; let the training fail again with this program.`,
    );
  }
  const batch: Record<string, unknown> = { ...sizes };
  const weights = new Map<string, torch.Tensor>();
  for (const [name, value] of tensors) {
    const [kind, ...rest] = name.split("/");
    if (kind === "batch") batch[rest.join("/")] = value.data();
    else if (kind === "model") weights.set(rest.join("/"), value);
  }
  const random = tensors.get("random/cpu");
  if (!random) throw new UserError(`${path} lacks the generator's state; let the training fail again.`);
  return { ...facts, batch: batch as unknown as Batch, weights, random: random.clone() };
}
