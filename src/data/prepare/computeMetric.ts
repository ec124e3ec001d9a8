import { pairCount } from "../distances/distances.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import type { Metric, PrepareOptions } from "./options.ts";

/**
 * Computes a metric for all samples of a table whose ASV ids are tips of the tree: condensed distances of all
 * pairs, or for `faith_pd` one value for each sample.
 */
export type MetricFunction = (
  metric: Metric,
  table: Table,
  tree: Tree,
  options: PrepareOptions,
) => Float32Array | Float64Array | Promise<Float32Array | Float64Array>;

/** UniFrac and Faith's PD as `src/data/unifrac` computes them. */
export const computeMetric: MetricFunction = async (metric, table, tree, options) => {
  // Loaded when it is needed: data sets without distances need no LibTorch.
  const unifrac = await import("../unifrac/index.ts");
  if (metric === "faith_pd") return unifrac.faithPd(table, tree, options.tree);
  const { alpha, varianceAdjusted, device, precision, onProgress } = options;
  const total = pairCount(table.sampleIds.length);
  return unifrac.uniFracAllPairs(table, tree, {
    metric,
    alpha,
    varianceAdjusted,
    device,
    precision,
    // On CPUs without dense branches: then a distance depends on its two samples alone, as where
    // batches have theirs computed.
    denseShare: device === undefined || device === "cpu" ? 2 : undefined,
    treeSource: options.tree,
    onProgress: (share) =>
      onProgress?.(`Computing ${metric}`, { done: Math.round(share * total), total, unit: "pairs" }),
  });
};
