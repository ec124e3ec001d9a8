import * as torch from "../../torch/index.ts";
import type { Table } from "../table/table.ts";
import { makeDense, pairRowsOf } from "./denseRows.ts";
import { metricForm } from "./metrics.ts";
import { type PairData, preparePairs, type UniFracOptions } from "./pairData.ts";
import type { DistanceRows } from "./pairRows.ts";
import { RowThreads } from "./rowThreads.ts";
import type { ShearedTree } from "./shearTree.ts";

/** Rows that are computed at once. */
const rowsPerBlock = { cpu: 128, accelerator: 1024 };
/**
 * Nanoseconds for a pair of samples and a branch, roughly, and what all of them must come to for more
 * cores to be worth starting.
 */
const costs = { presence: 0.007, weighted: 0.03, generalized: 0.1, adjusted: 0.3 };
const largeWork = 2e8;

/**
 * Distances between all samples, some rows at a time in ascending order: what is in memory are these rows and
 * the samples' branches, whatever the number of pairs. On one core.
 * @throws UserError for counts that are negative or not finite, for an alpha outside 0 to 1, and for
 * more than fits into memory.
 */
export function* distanceRows(
  table: Table,
  tree: ShearedTree,
  options: UniFracOptions = {},
): Generator<DistanceRows, void, void> {
  const data = preparePairs(table, tree, options, makeDense);
  try {
    const rows = pairRowsOf(data);
    const { starts, end } = blockStarts(data, options);
    for (let i = 0; i < starts.length; i++) {
      yield onOneThread(data, () => rows.compute(starts[i], starts[i + 1] ?? end));
    }
  } finally {
    data.dense?.amounts.dispose();
  }
}

/** Like `distanceRows`, on several cores. @throws UserError as `distanceRows` does. */
export async function* distanceRowsOnThreads(
  table: Table,
  tree: ShearedTree,
  options: UniFracOptions = {},
): AsyncGenerator<DistanceRows, void, void> {
  const cores = coresFor(table, tree, options);
  if (cores === 1) {
    yield* distanceRows(table, tree, options);
    return;
  }
  const data = preparePairs(table, tree, options, makeDense);
  const numThreads = torch.getNumThreads();
  const matmulPrecision = torch.getFloat32MatmulPrecision();
  torch.setFloat32MatmulPrecision("highest");
  const threads = new RowThreads(data, cores);
  try {
    const { starts, end } = blockStarts(data, options);
    yield* threads.compute(starts, end);
  } finally {
    await threads.close();
    data.dense?.amounts.dispose();
    torch.setFloat32MatmulPrecision(matmulPrecision);
    // The workers have set their own number, which LibTorch also takes as that of new threads.
    torch.setNumThreads(numThreads);
  }
}

function coresFor(table: Table, tree: ShearedTree, options: UniFracOptions): number {
  const { device = "cpu", metric = "unweighted", threads } = options;
  if (device !== "cpu") return 1;
  if (threads !== undefined) return threads;
  const { isPresence, exponent } = metricForm(metric, options.alpha ?? 1);
  let cost = isPresence ? costs.presence : exponent === 0 ? costs.weighted : costs.generalized;
  if (options.varianceAdjusted) cost = costs.adjusted;
  const work = (cost * table.sampleIds.length ** 2 * tree.parent.length) / 2;
  return work > largeWork ? torch.getNumThreads() : 1;
}

function blockStarts({ samples }: PairData, { device = "cpu", rows }: UniFracOptions) {
  const [from, end] = rows ?? [0, samples];
  const step = device === "cpu" ? rowsPerBlock.cpu : rowsPerBlock.accelerator;
  const starts = Array.from({ length: Math.ceil((end - from) / step) }, (_, i) => from + i * step);
  return { starts, end };
}

/**
 * Operations that are small enough for a core's cache lose more on several cores by waiting for each other.
 * And they shall be exact where training may have allowed coarser products.
 */
function onOneThread<Result>(data: PairData, compute: () => Result): Result {
  if (!data.dense) return compute();
  const threads = torch.getNumThreads();
  const matmulPrecision = torch.getFloat32MatmulPrecision();
  torch.setNumThreads(1);
  torch.setFloat32MatmulPrecision("highest");
  try {
    return compute();
  } finally {
    torch.setFloat32MatmulPrecision(matmulPrecision);
    torch.setNumThreads(threads);
  }
}
