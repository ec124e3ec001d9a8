import { refuseForeign } from "../../common/files/folderSwap.ts";
import { changedWhileRead } from "../../common/files/inputFile.ts";
import type { Manifest, Source } from "../dataset/manifest.ts";
import { manifestName } from "../dataset/manifest.ts";
import { writeDataset } from "../dataset/write.ts";
import { readMetadata } from "../metadata/read.ts";
import { type ShearedTree, shearTree } from "../unifrac/shearTree.ts";
import type { MetricFunction } from "./computeMetric.ts";
import { computeMetric as computeUniFrac } from "./computeMetric.ts";
import { chooseStorage, freeSpace } from "./distanceStorage.ts";
import { importDistances } from "./importDistances.ts";
import type { PrepareOptions } from "./options.ts";
import { describeSources, prepareParameters, tableName, wantedMetrics } from "./options.ts";
import { metadataOf } from "./sampleMetadata.ts";
import type { PreparedTable } from "./table.ts";
import { prepareTable } from "./table.ts";

/**
 * Reads a study's files, rarefies, computes distances and writes a data set into the folder `output`, which
 * is replaced if it is one. What does not make it (samples, ASVs, metadata rows) is reported in the
 * manifest, which is returned.
 * @param sources what `describeSources` says of the files, where that is known.
 * @throws UserError for files that cannot be read, change meanwhile or do not belong together, for options
 * that make no sense and for an output that cannot be written.
 */
export async function prepareDataset(
  options: PrepareOptions,
  output: string,
  computeMetric: MetricFunction = computeUniFrac,
  sources: readonly Source[] = describeSources(options),
): Promise<Manifest> {
  const parameters = prepareParameters(options);
  refuseForeign(output, manifestName);
  const prepared = await prepareTable(options);
  const { table } = prepared;
  // What the table was made from goes before the metadata come.
  Bun.gc(true);
  const metadata =
    options.metadata === undefined
      ? { columns: [], dropped: [], warnings: [] }
      : metadataOf(readMetadata(options.metadata), table.sampleIds, tableName(options));
  const distances = await collectDistances(options, prepared, output, computeMetric);
  options.onProgress?.("Writing the data set");
  refuseChanged(sources, describeSources(options));
  return writeDataset(output, {
    table,
    sequences: options.repSeqs === undefined ? undefined : prepared.sequences,
    metadata: metadata.columns,
    distances: distances.pairwise,
    fromTree: distances.fromTree,
    perBatch: distances.perBatch,
    vectors: distances.perSample,
    provenance: {
      sources,
      parameters: { ...parameters, ...distances.parameters, rarefyDepth: prepared.depth },
      depths: prepared.depths,
      dropped: [...prepared.dropped, ...metadata.dropped],
      warnings: [...prepared.warnings, ...distances.warnings, ...metadata.warnings],
    },
  });
}

/** A data set says of which files it is made: they must still be those that were read. */
function refuseChanged(before: readonly Source[], after: readonly Source[]): void {
  const changed = after.find(({ sha256 }, i) => sha256 !== before[i].sha256);
  if (changed !== undefined) throw changedWhileRead(changed.path);
}

interface CollectedDistances {
  readonly pairwise: Record<string, Float32Array | Float64Array>;
  readonly perSample: Record<string, Float32Array | Float64Array>;
  readonly fromTree?: { readonly metrics: readonly string[]; readonly tree: ShearedTree };
  readonly perBatch?: readonly string[];
  readonly parameters: { readonly distanceStorage?: string };
  readonly warnings: string[];
}

/** Imports and computes all that is wanted, by name. */
async function collectDistances(
  options: PrepareOptions,
  { table, tipNames, tree, sampleIdsAsRead }: PreparedTable,
  output: string,
  computeMetric: MetricFunction,
): Promise<CollectedDistances> {
  const collected: CollectedDistances = { pairwise: {}, perSample: {}, parameters: {}, warnings: [] };
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
  const named = { ...table, asvIds: tipNames };
  const wanted = wantedMetrics(options);
  const pairwise = wanted.filter((metric) => metric !== "faith_pd");
  const storage = storageOf(options, pairwise.length, table.sampleIds.length, output);
  for (const metric of storage === "per-batch" ? wanted.filter((name) => name === "faith_pd") : wanted) {
    options.onProgress?.(`Computing ${metric}`);
    const values = await computeMetric(metric, named, tree!, options);
    collected[metric === "faith_pd" ? "perSample" : "pairwise"][metric] = values;
  }
  if (wanted.length === 0) return collected;
  options.onProgress?.("Cutting the tree down to the ASVs");
  const fromTree = { metrics: wanted, tree: shearTree(tree!, tipNames, options.tree) };
  if (pairwise.length === 0) return { ...collected, fromTree };
  const parameters = { distanceStorage: storage };
  return { ...collected, parameters, fromTree, ...(storage === "per-batch" && { perBatch: pairwise }) };
}

function storageOf(
  { distanceStorage = "auto", precision }: PrepareOptions,
  metrics: number,
  samples: number,
  output: string,
): "all-pairs" | "per-batch" {
  const bytesEach = precision === "float64" ? 8 : 4;
  return chooseStorage(distanceStorage, { samples, metrics, bytesEach }, freeSpace(output));
}
