import { existsSync } from "node:fs";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { matchTree } from "../../src/data/prepare/matchTree.ts";
import { gather, inOneSlice } from "../../src/data/table/slices.ts";
import type { Table } from "../../src/data/table/table.ts";
import { readTree } from "../../src/data/tree/read.ts";
import { type UniFracMetric, uniFracMetrics, uniFracOfBatch } from "../../src/data/unifrac/index.ts";
import { shearTree } from "../../src/data/unifrac/shearTree.ts";

/** Some samples of a data set as a table; its ids are `sequence` or `id` of the ASVs. */
function tableOf(dataset: Dataset, samples: ArrayLike<number>): { table: Table; sequences: string[] } {
  const rows = new Map<number, number>();
  const indptr = new Int32Array(samples.length + 1);
  const [indices, data]: [number[], number[]] = [[], []];
  const used = [...new Set(Array.from(samples, (sample) => [...dataset.sample(sample).asvs]).flat())].sort(
    (a, b) => a - b,
  );
  used.forEach((asv, row) => {
    rows.set(asv, row);
  });
  for (let i = 0; i < samples.length; i++) {
    const { asvs, counts } = dataset.sample(samples[i]);
    asvs.forEach((asv, slot) => {
      indices.push(rows.get(asv)!);
      data.push(counts[slot]);
    });
    indptr[i + 1] = indices.length;
  }
  const table = {
    sampleIds: Array.from(samples, (sample) => dataset.sampleIds[sample]),
    asvIds: used.map((asv) => dataset.asvId(asv)),
    indptr,
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
  return { table, sequences: used.map((asv) => dataset.asvSequence(asv)) };
}

/**
 * Distances of some samples computed anew from what the data set holds of them and the tree it was made with:
 * condensed. Null where the tree is not there any more, or the distances were not computed from one.
 */
export function recomputeDistances(
  dataset: Dataset,
  metric: string,
  samples: ArrayLike<number>,
): Float64Array | null {
  const source = dataset.manifest.sources.find(({ role }) => role === "tree");
  if (!source || !existsSync(source.path) || !uniFracMetrics.includes(metric as UniFracMetric)) return null;
  const tree = readTree(source.path);
  const { table, sequences } = tableOf(dataset, samples);
  const names = { table: dataset.path, tree: source.path };
  const matched = matchTree(inOneSlice(table), sequences, tree, names);
  const alpha = dataset.manifest.parameters["alpha"];
  const condensed = uniFracOfBatch(
    { ...gather(matched.table), asvIds: matched.tipNames },
    shearTree(tree, matched.tipNames),
    {
      metric: metric as UniFracMetric,
      alpha: typeof alpha === "number" ? alpha : undefined,
      varianceAdjusted: dataset.manifest.parameters["varianceAdjusted"] === true,
      precision: "float64",
    },
  );
  return Float64Array.from(condensed);
}
