import type * as torch from "../../torch/index.ts";
import type { Table } from "../table.ts";
import type { Tree } from "../tree.ts";
import type { UniFracMetric } from "./metrics.ts";
import { nodeProfile } from "./nodeProfile.ts";
import { pairwiseDistances } from "./pairwise.ts";
import { shearTree } from "./shearTree.ts";

export { faithPd } from "./faithPd.ts";
export { checkMetric, type UniFracMetric, uniFracMetrics } from "./metrics.ts";

export interface UniFracOptions {
  metric?: UniFracMetric;
  /** Of the generalized metric: 0 weighs rare and frequent lineages alike, 1 is weighted normalized. */
  alpha?: number;
  /** Divide each branch's terms by their standard deviation under random assignment (Chang et al. 2011). */
  varianceAdjusted?: boolean;
  /** Take counts as they are instead of shares of the sample. */
  absolute?: boolean;
  /** Leave out the branches of the tips. */
  bypassTips?: boolean;
  device?: torch.Device;
  /** Of the computation and the result. */
  precision?: "float32" | "float64";
  /** Names the tree in error messages. */
  treeSource?: string;
  onProgress?: (share: number) => void;
}

export interface UniFracResult {
  /** All pairs in the table's sample order: (0,1), (0,2), ... (1,2), ... */
  condensed: Float32Array | Float64Array;
}

/**
 * UniFrac distances between all samples of a table. Definitions and conventions are those of unifrac-binaries (QIIME 2): a length on the
 * root does not count, a stem below it does; tips that the table does not have are ignored. Two samples without counts have distance 0.
 * @throws UserError where table and tree do not fit.
 */
export function uniFracAllPairs(table: Table, tree: Tree, options: UniFracOptions = {}): UniFracResult {
  const { metric = "unweighted", alpha = 1, precision = "float32", device = "cpu" } = options;
  const sheared = shearTree(tree, table.asvIds, options.treeSource);
  const profile = nodeProfile(table, sheared, {
    relative: !options.absolute,
    bypassTips: options.bypassTips,
  });
  const counts = options.varianceAdjusted
    ? nodeProfile(table, sheared, { relative: false, bypassTips: options.bypassTips }).amountOf
    : null;
  const condensed = pairwiseDistances(profile, {
    metric,
    alpha,
    device,
    precision,
    counts,
    onProgress: options.onProgress,
  });
  return { condensed };
}
