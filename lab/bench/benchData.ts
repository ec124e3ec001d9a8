import { join } from "node:path";
import { Random } from "../../src/common/random/random.ts";
import { UserError } from "../../src/common/userError.ts";
import { type Batch, BatchBuilder, type BatchOptions } from "../../src/data/batches/batch.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import * as torch from "../../src/torch/index.ts";

export interface DataFlags {
  dataset?: string;
  table?: string;
  tree?: string;
}

/**
 * Opens the data that a benchmark runs on; prepares them into `folder` from a table and a tree,
 * or from a simulated study.
 */
export async function openBenchData(
  { dataset, table, tree }: DataFlags,
  folder: string,
): Promise<{ dataset: Dataset; source: string }> {
  if (dataset !== undefined) {
    if (table !== undefined || tree !== undefined)
      throw new UserError("--dataset is prepared already; leave --table and --tree out.");
    return { dataset: openDataset(dataset), source: dataset };
  }
  if ((table === undefined) !== (tree === undefined))
    throw new UserError("--table and --tree go together: give both, or none for simulated data.");
  const { prepareDataset } = await import("../../src/data/prepare/prepare.ts");
  let files = { table: table ?? "", tree: tree ?? "" };
  if (table === undefined) {
    const { simulate, writeSimulation } = await import("../../src/data/simulate/simulate.ts");
    files = writeSimulation(join(folder, "study"), simulate({ samples: 300, asvs: 1000 }));
  }
  const prepared = join(folder, "dataset");
  await prepareDataset({ ...files, metrics: ["unweighted"] }, prepared);
  return { dataset: openDataset(prepared), source: table ?? "simulated" };
}

/**
 * Batches of samples drawn at random, the same for the same seed.
 * @throws UserError if the data set has too few samples.
 */
export function drawBatches(
  dataset: Dataset,
  { batchSize, count, seed }: { batchSize: number; count: number; seed: number },
): Int32Array[] {
  if (batchSize > dataset.sampleCount)
    throw new UserError(
      `--batch-size ${batchSize} is more than the ${dataset.sampleCount} samples of the data set.`,
    );
  const random = new Random(seed);
  const all = Int32Array.from({ length: dataset.sampleCount }, (_, i) => i);
  return Array.from({ length: count }, (_, i) =>
    random.derive("bench", i).shuffle(all.slice()).slice(0, batchSize),
  );
}

/** Builds batches and writes them where lab/python/reference/batches.py reads them. */
export function writeReferenceBatches(
  path: string,
  dataset: Dataset,
  samples: readonly Int32Array[],
  options: BatchOptions,
): Batch[] {
  using _scope = torch.scope();
  const builder = new BatchBuilder(dataset, options);
  const tensors = new Map<string, torch.Tensor>();
  const batches = samples.map((rows, i) => {
    const batch = builder.build(rows, new Random(0));
    const { distinct, tokens, slots } = batch;
    tensors.set(`batch${i}/asvTokens`, torch.tensor(batch.asvTokens, { shape: [distinct, tokens] }));
    tensors.set(`batch${i}/asvIndex`, torch.tensor(batch.asvIndex, { shape: [batch.samples, slots] }));
    if (batch.distances)
      tensors.set(
        `batch${i}/distances`,
        torch.tensor(batch.distances, { shape: [batch.samples, batch.samples] }),
      );
    return batch;
  });
  torch.saveSafetensors(path, tensors);
  return batches;
}
