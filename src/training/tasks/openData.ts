import { basename, resolve } from "node:path";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type Dataset, openDataset } from "../../data/dataset/dataset.ts";
import { joinStudies } from "../../data/dataset/joinStudies.ts";
import { readMetadata } from "../../data/metadata/read.ts";
import { cacheBeside, keepDataset } from "../../data/prepare/cached.ts";
import { metrics as computable, type Metric, type PrepareOptions } from "../../data/prepare/options.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";
import type { DataConfig } from "../config/config.ts";
import { prepareShown } from "../run/prepareShown.ts";

export interface OpenDataOptions {
  readonly data: DataConfig;
  /** What the model is trained on; null where no distances are needed. */
  readonly metric: string | null;
  /** What it is trained on besides. */
  readonly furtherMetrics?: readonly string[];
  readonly seed: number;
  /** The run's folder; prepared data are kept beside it. */
  readonly output: string;
  readonly display: ProgressDisplay;
}

/**
 * Opens the data set that a configuration names, or prepares one from its files (or takes what was prepared
 * from the same files before).
 * @throws UserError for contradicting or missing sources.
 */
export async function openConfiguredData(options: OpenDataOptions): Promise<Dataset> {
  const { data, metric, furtherMetrics = [], seed, output, display } = options;
  checkSources(data);
  const cache = cacheBeside(output);
  if (typeof data.dataset === "string") return openDataset(data.dataset);
  if (data.dataset !== null) return await openJoined(data.dataset, cache, display);
  const { table, tree, repSeqs, metadata, distances, distanceIds, rarefyDepth, rarefySeed } = data;
  const { distanceStorage } = data;
  const imported =
    distances === null
      ? undefined
      : {
          path: distances,
          name: metric ?? "unweighted",
          order:
            distanceIds === null || distanceIds === "table"
              ? (distanceIds ?? undefined)
              : { path: distanceIds },
        };
  if (imported && furtherMetrics.length > 0)
    throw new UserError(
      `${distances} holds one metric, and --further-metrics needs a --tree to compute the others from; give it instead, or leave the option out.`,
    );
  const computed = tree !== null && !imported && metric !== null;
  const wanted = computed ? ([metric, ...furtherMetrics] as Metric[]) : undefined;
  return await prepareShown(
    {
      table: table!,
      tree: tree ?? undefined,
      repSeqs: repSeqs ?? undefined,
      metadata: metadata ?? undefined,
      distances: imported as PrepareOptions["distances"],
      metrics: wanted?.filter((name) => computable.includes(name)),
      distanceStorage,
      rarefyDepth,
      seed: rarefySeed ?? seed,
    },
    cache,
    display,
  );
}

/** Several data sets as one, written once beside the run and called by their folders' names. */
async function openJoined(
  folders: readonly string[],
  cache: string,
  display: ProgressDisplay,
): Promise<Dataset> {
  using stack = new DisposableStack();
  const studies = folders.map((folder) => ({
    name: basename(resolve(folder)),
    dataset: stack.use(openDataset(folder)),
  }));
  const key = studies.map(({ name, dataset }) => [name, dataset.manifest]);
  const join = (folder: string) => joinStudies(folder, studies);
  const onProgress = stageReporter(display);
  return openDataset((await keepDataset(cache, "joined-", JSON.stringify(key), onProgress, join)).folder);
}

/**
 * Looks for columns in the metadata file before its data are prepared, which can take long. What a data
 * set has, it says itself.
 * @throws UserError for the first one that is missing.
 */
export function checkMetadataColumns(data: DataConfig, columns: readonly string[]): void {
  if (columns.length === 0 || data.table === null) return;
  if (data.metadata === null)
    throw new UserError(`The column "${columns[0]}" is looked for in metadata; give them with --metadata.`);
  const known = readMetadata(data.metadata).columns;
  const missing = columns.find((name) => !known.has(name));
  if (missing !== undefined)
    throw new UserError(
      `${data.metadata} has no column "${missing}"; it has ${[...known.keys()].map(quote).join(", ")}.`,
    );
}

function checkSources(data: DataConfig): void {
  const { dataset, table, distances, tree, distanceIds } = data;
  if (dataset === null && table === null)
    throw new UserError("There are no data: give --table, or --dataset with a data set that `prep` wrote.");
  if (dataset !== null) {
    const files = ["table", "tree", "repSeqs", "metadata", "distances", "distanceIds"] as const;
    const given = files.filter((name) => data[name] !== null);
    if (given.length > 0)
      throw new UserError(
        `--dataset holds all data, so ${given.map((name) => `--${kebab(name)}`).join(", ")} has no effect; leave one of them out.`,
      );
    if (data.rarefyDepth !== "auto" || data.rarefySeed !== null)
      throw new UserError(
        "--dataset is rarefied already, or was not to be; prepare another one with `prep`.",
      );
    if (data.distanceStorage !== "auto")
      throw new UserError(
        "--distance-storage has no effect on --dataset, which has its distances; leave one of them out.",
      );
  }
  if (data.distanceStorage === "per-batch" && tree === null)
    throw new UserError("--distance-storage per-batch computes distances from a tree; give one with --tree.");
  if (tree !== null && distances !== null)
    throw new UserError("--tree and --distances exclude each other: distances come from one of them.");
  if (distanceIds !== null && distances === null) throw new UserError("--distance-ids needs --distances.");
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
