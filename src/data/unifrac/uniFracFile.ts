import { extname } from "node:path";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { writeNpy } from "../../formats/npy/npy.ts";
import { pairCount } from "../distances/distances.ts";
import { writeSampleVectorArtifact, writeSampleVectorTsv } from "../distances/sampleVector.ts";
import { checkSquareOutput, writeSquare } from "../distances/squareFile.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { faithPd } from "./faithPd.ts";
import type { UniFracOptions } from "./pairData.ts";
import { shearTree } from "./shearTree.ts";
import { SquareStore } from "./squareStore.ts";

const vectorWriters: Readonly<
  Record<string, (path: string, ids: readonly string[], values: Float64Array) => void>
> = {
  ".npy": (path, _ids, values) => writeNpy(path, values, [values.length]),
  ".tsv": (path, ids, values) => writeSampleVectorTsv(path, { ids, values }, "faith_pd"),
  ".qza": (path, ids, values) => writeSampleVectorArtifact(path, { ids, values }, "faith_pd"),
};

/**
 * Refuses an output that cannot be written, before the work is done.
 * @throws UserError for an extension that names no format, or a folder that is not there or not writable.
 */
export function checkUniFracOutput(path: string, metric: string): void {
  if (metric === "faith_pd") checkOutput(path, Object.keys(vectorWriters), metric);
  else checkSquareOutput(path, metric);
}

export interface UniFracFileOptions extends UniFracOptions {
  /** Names the tree in error messages. */
  readonly treeSource?: string;
  /** Is told how many pairs of how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
  /**
   * Bytes that the whole matrix may take in memory; a larger one is put together in a file. Default a
   * quarter of what is free.
   */
  readonly memoryBytes?: number;
}

/**
 * Computes the distances between all samples of a table into a file, whose extension decides the format:
 * `.npy` and `.h5` (in the layout of unifrac-binaries), `.tsv` (as QIIME 2 has it), `.qza` or `.arrow`;
 * always the square matrix in the table's order. The memory that it takes does not grow with the number of
 * pairs.
 * @throws UserError where table and tree do not fit, and for a file that cannot be written.
 */
export async function writeUniFrac(
  path: string,
  table: Table,
  tree: Tree,
  options: UniFracFileOptions = {},
): Promise<void> {
  const { precision = "float32", treeSource, onProgress, memoryBytes, ...rest } = options;
  checkUniFracOutput(path, options.metric ?? "unweighted");
  // Loaded now, since Faith's PD needs no LibTorch.
  const { distanceRowsOnThreads } = await import("./distanceRows.ts");
  const sheared = shearTree(tree, table.asvIds, treeSource);
  const size = table.sampleIds.length;
  using store = new SquareStore(size, precision, path, memoryBytes);
  for await (const rows of distanceRowsOnThreads(table, sheared, { ...rest, precision })) {
    store.add(rows);
    onProgress?.(pairCount(size) - pairCount(size - rows.to), pairCount(size));
  }
  await writeSquare(path, { ids: table.sampleIds, precision, rows: () => store.rows() });
}

/**
 * Computes Faith's PD of all samples into a file: `.tsv` as unifrac-binaries' `faithpd` has it, `.qza` or
 * `.npy`.
 * @throws UserError where table and tree do not fit, and for a file that cannot be written.
 */
export function writeFaithPd(path: string, table: Table, tree: Tree, treeSource?: string): void {
  checkUniFracOutput(path, "faith_pd");
  vectorWriters[extname(path)](path, table.sampleIds, faithPd(table, tree, treeSource));
}
