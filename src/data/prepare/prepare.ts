import { refuseForeign } from "../../common/files/folderSwap.ts";
import type { Manifest } from "../dataset/manifest.ts";
import { manifestName } from "../dataset/manifest.ts";
import { writeDataset } from "../dataset/write.ts";
import { readMetadata } from "../metadata/read.ts";
import type { MetricFunction } from "./computeMetric.ts";
import { computeMetric as computeUniFrac } from "./computeMetric.ts";
import { importDistances } from "./importDistances.ts";
import type { PrepareOptions } from "./options.ts";
import { describeSources, prepareParameters, wantedMetrics } from "./options.ts";
import { metadataOf } from "./sampleMetadata.ts";
import type { PreparedTable } from "./table.ts";
import { prepareTable } from "./table.ts";

/**
 * Reads a study's files, rarefies, computes distances and writes a data set into the folder `output`, which is replaced
 * if it is one. What does not make it (samples, ASVs, metadata rows) is reported in the manifest, which is returned.
 * @throws UserError for files that cannot be read or do not belong together, for options that make no sense and for
 * an output that cannot be written.
 */
export async function prepareDataset(
  options: PrepareOptions,
  output: string,
  computeMetric: MetricFunction = computeUniFrac,
): Promise<Manifest> {
  const parameters = prepareParameters(options);
  refuseForeign(output, manifestName);
  const sources = describeSources(options);
  const prepared = await prepareTable(options);
  const { table } = prepared;
  const metadata =
    options.metadata === undefined
      ? { columns: [], dropped: [], warnings: [] }
      : metadataOf(readMetadata(options.metadata), table.sampleIds, options.table);
  const distances = await collectDistances(options, prepared, computeMetric);
  options.onProgress?.("Writing the data set");
  return writeDataset(output, {
    table,
    sequences: options.repSeqs === undefined ? undefined : prepared.sequences,
    metadata: metadata.columns,
    distances: distances.pairwise,
    vectors: distances.perSample,
    provenance: {
      sources,
      parameters: { ...parameters, rarefyDepth: prepared.depth },
      depths: prepared.depths,
      dropped: [...prepared.dropped, ...metadata.dropped],
      warnings: [...prepared.warnings, ...distances.warnings, ...metadata.warnings],
    },
  });
}

interface CollectedDistances {
  readonly pairwise: Record<string, Float32Array | Float64Array>;
  readonly perSample: Record<string, Float32Array | Float64Array>;
  readonly warnings: string[];
}

/** Imports and computes all that is wanted, by name. */
async function collectDistances(
  options: PrepareOptions,
  { table, tipNames, tree, sampleIdsAsRead }: PreparedTable,
  computeMetric: MetricFunction,
): Promise<CollectedDistances> {
  const collected: CollectedDistances = { pairwise: {}, perSample: {}, warnings: [] };
  if (options.distances !== undefined) {
    options.onProgress?.("Reading the distances");
    const { values, isPairwise, warnings } = importDistances(
      options.distances,
      table.sampleIds,
      sampleIdsAsRead,
    );
    collected[isPairwise ? "pairwise" : "perSample"][options.distances.name] = values;
    collected.warnings.push(...warnings);
  }
  for (const metric of wantedMetrics(options)) {
    options.onProgress?.(`Computing ${metric}`);
    const values = await computeMetric(metric, { ...table, asvIds: tipNames }, tree!, options);
    collected[metric === "faith_pd" ? "perSample" : "pairwise"][metric] = values;
  }
  return collected;
}
