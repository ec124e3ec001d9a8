import { UserError } from "../../common/userError.ts";
import { pairCount } from "../distances/distances.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { distanceRows, distanceRowsOnThreads } from "./distanceRows.ts";
import type { UniFracOptions } from "./pairData.ts";
import type { DistanceRows } from "./pairRows.ts";
import { type ShearedTree, shearTree } from "./shearTree.ts";

export { distanceRows, distanceRowsOnThreads } from "./distanceRows.ts";
export { faithPd } from "./faithPd.ts";
export { checkMetric, type UniFracMetric, uniFracMetrics } from "./metrics.ts";
export type { UniFracOptions } from "./pairData.ts";
export type { DistanceRows } from "./pairRows.ts";
export { type ShearedTree, shearTree } from "./shearTree.ts";
export { checkUniFracOutput, type UniFracFileOptions, writeFaithPd, writeUniFrac } from "./uniFracFile.ts";

export interface AllPairsOptions extends UniFracOptions {
  /** Names the tree in error messages. */
  readonly treeSource?: string;
  /** Is told the share of pairs that are done, from 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** All pairs in the table's sample order: (0,1), (0,2), ... (1,2), ... */
export type Condensed = Float32Array | Float64Array;

/** The largest typed array, in bytes. */
const largestArray = 2 ** 32;

/**
 * UniFrac distances between all samples of a table. Definitions and conventions are those of unifrac-binaries
 * (QIIME 2): a length on the root does not count, a stem below it does; tips that the table does not have are
 * ignored. Two samples without counts have distance 0.
 * @throws UserError where table and tree do not fit, and for more samples than fit into one array
 * (`distanceRows` has no limit).
 */
export async function uniFracAllPairs(
  table: Table,
  tree: Tree,
  options: AllPairsOptions = {},
): Promise<Condensed> {
  const sheared = shearTree(tree, table.asvIds, options.treeSource);
  const collector = new Collector(table.sampleIds.length, options);
  for await (const rows of distanceRowsOnThreads(table, sheared, options)) collector.add(rows);
  return collector.condensed;
}

/**
 * `uniFracAllPairs` at once, on one core, for a tree that was cut down to the table's ASVs before: for many
 * small tables with the same ASVs, such as batches of samples.
 */
export function uniFracOfBatch(table: Table, tree: ShearedTree, options: AllPairsOptions = {}): Condensed {
  const collector = new Collector(table.sampleIds.length, options);
  for (const rows of distanceRows(table, tree, options)) collector.add(rows);
  return collector.condensed;
}

/** Puts rows together. */
class Collector {
  readonly condensed: Condensed;
  readonly #samples: number;
  readonly #onProgress: AllPairsOptions["onProgress"];
  #size = 0;

  constructor(samples: number, { precision, onProgress }: AllPairsOptions) {
    const pairs = pairCount(samples);
    const isDouble = precision === "float64";
    if (pairs * (isDouble ? 8 : 4) > largestArray) {
      throw new UserError(
        `The distances of ${samples} samples do not fit into one array; prepare the data set with --distance-storage per-batch, ` +
          "or compute them into a file with the command unifrac.",
      );
    }
    this.condensed = isDouble ? new Float64Array(pairs) : new Float32Array(pairs);
    this.#samples = samples;
    this.#onProgress = onProgress;
  }

  add({ from, to, values }: DistanceRows): void {
    const width = this.#samples - from;
    for (let i = from; i < to; i++) {
      const start = (i - from) * width + i + 1 - from;
      const later = this.#samples - i - 1;
      this.condensed.set(values.subarray(start, start + later), this.#size);
      this.#size += later;
    }
    this.#onProgress?.(this.condensed.length > 0 ? this.#size / this.condensed.length : 1);
  }
}
