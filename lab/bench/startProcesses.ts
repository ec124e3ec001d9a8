import { join } from "node:path";
import { bunProcess } from "../../src/common/bunProcess.ts";
import type { OurConfig } from "./aamProcess.ts";
import { Partner } from "./partner.ts";
import { startPython } from "./pythonPartner.ts";
import type { ShapeFlags } from "./shapeOptions.ts";

/** Our side, in a process of its own. */
export function startOurs(config: OurConfig): Promise<Partner> {
  const program = join(import.meta.dir, "aamProcess.ts");
  const { cmd, env } = bunProcess([program, JSON.stringify(config)]);
  return Partner.start("Bun", cmd, env);
}

export interface ReferenceFacts {
  /** The batches, as `writeReferenceBatches` writes them. */
  file: string;
  device: string;
  threads: number;
  batchSize: number;
  /** Samples computed at a time, gradients added up. */
  microBatch: number;
}

/** The other side: the original AAM. What is not told here has that version's own defaults. */
export function startReference(
  mode: "step" | "predict",
  flags: Omit<ShapeFlags, "device" | "threads"> & { reference?: string },
  { file, device, threads, batchSize, microBatch }: ReferenceFacts,
): Promise<Partner> {
  const { embeddingDim, layers, heads, maxBp, tokenLimit } = flags;
  const config = {
    batches: file,
    embedding_dim: embeddingDim,
    layers,
    heads,
    max_bp: maxBp,
    token_limit: tokenLimit,
    device,
    threads,
    ...(microBatch < batchSize ? { micro_batch: microBatch } : {}),
  };
  return startPython(mode, config, flags.reference);
}
