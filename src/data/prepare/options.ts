import type { ReportProgress } from "../../common/progress.ts";
import { UserError } from "../../common/userError.ts";
import type { Manifest, Source } from "../dataset/manifest.ts";
import type { UniFracMetric } from "../unifrac/metrics.ts";
import { uniFracMetrics } from "../unifrac/metrics.ts";
import { type DistanceStorage, refusePerBatchImport } from "./distanceStorage.ts";
import type { ImportedDistances } from "./importDistances.ts";
import { describeSource } from "./provenance.ts";

/** What can be computed: distances between samples, or one value for each sample. */
export const metrics = [...uniFracMetrics, "faith_pd"] as const;
export type Metric = UniFracMetric | "faith_pd";

/** What a data set is made from, and how. */
export interface PrepareOptions {
  /**
   * Paths of the sources; the samples of several tables are put together, where ASVs with
   * the same sequence are one.
   */
  readonly table: string | readonly string[];
  readonly tree?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  readonly distances?: ImportedDistances;
  /** What to compute from the tree; default `unweighted` if there is one and no distances are given. */
  readonly metrics?: readonly Metric[];
  /**
   * Store the distances of all pairs, or the tree to compute those of each batch from. The numbers are
   * the same. Default `auto`.
   */
  readonly distanceStorage?: DistanceStorage;
  /** Of generalized UniFrac. Default 1. */
  readonly alpha?: number;
  readonly varianceAdjusted?: boolean;
  /**
   * Counts that are drawn of each sample. "none" keeps the counts as they are. "auto", the default, keeps
   * them where all samples have the same number and else draws as many as keep the most counts and nine of
   * ten samples (`suggestDepth`).
   */
  readonly rarefyDepth?: number | "auto" | "none";
  readonly withReplacement?: boolean;
  /** Of the rarefaction. Default 0. */
  readonly seed?: number;
  /** Where distances are computed. Default `cpu`. */
  readonly device?: "cpu" | "cuda";
  /** In what distances are computed; they are stored as float32. Default `float32`. */
  readonly precision?: "float32" | "float64";
  readonly onProgress?: ReportProgress;
}

/** The sources that the options name, with the hashes of their content. */
export function describeSources(options: PrepareOptions): Source[] {
  const order = options.distances?.order;
  const roles = {
    table: options.table,
    tree: options.tree,
    "rep-seqs": options.repSeqs,
    metadata: options.metadata,
    distances: options.distances?.path,
    "distance-ids": typeof order === "object" ? order.path : undefined,
  };
  return Object.entries(roles).flatMap(([role, paths = []]) =>
    [paths].flat().map((path) => describeSource(role, path)),
  );
}

/** What the tables are called in messages. */
export function tableName({ table }: Pick<PrepareOptions, "table">): string {
  return [table].flat().join(" and ");
}

/**
 * Everything besides the sources that decides the content, with its defaults, as manifests record it.
 * @throws UserError for values that make no sense.
 */
export function prepareParameters(options: PrepareOptions): Manifest["parameters"] {
  const { rarefyDepth = "auto", withReplacement = false, seed = 0 } = options;
  const { alpha = 1, varianceAdjusted = false, precision = "float32", distanceStorage = "auto" } = options;
  if (options.distances !== undefined) refusePerBatchImport(distanceStorage, options.distances.path);
  if (typeof rarefyDepth === "number" && (!Number.isInteger(rarefyDepth) || rarefyDepth < 1)) {
    throw new UserError(`The rarefaction depth must be a whole number from 1 on, got ${rarefyDepth}.`);
  }
  const wanted = wantedMetrics(options);
  for (const metric of wanted) {
    if (!metrics.includes(metric)) {
      throw new UserError(`There is no metric "${metric}"; choose from ${metrics.join(", ")}.`);
    }
  }
  if (wanted.length > 0 && options.tree === undefined) {
    throw new UserError(`${wanted.join(" and ")} cannot be computed without a tree; give one with --tree.`);
  }
  const imported = options.distances?.name ?? null;
  if (imported !== null && wanted.includes(imported as Metric)) {
    throw new UserError(
      `${imported} is both given with --distances and to be computed; leave one of them out.`,
    );
  }
  if (!(alpha >= 0 && alpha <= 1)) throw new UserError(`alpha must be between 0 and 1, got ${alpha}.`);
  return {
    metrics: wanted.join(","),
    ...(wanted.includes("generalized") ? { alpha } : {}),
    ...(varianceAdjusted ? { varianceAdjusted } : {}),
    ...(wanted.length > 0 ? { precision, distanceStorage } : {}),
    ...(imported === null ? {} : { imported, importedInTableOrder: options.distances?.order === "table" }),
    rarefyDepth,
    ...(rarefyDepth === "none" ? {} : { withReplacement, seed }),
  };
}

export function wantedMetrics(options: PrepareOptions): readonly Metric[] {
  const byDefault = options.tree !== undefined && options.distances === undefined;
  return options.metrics ?? (byDefault ? ["unweighted"] : []);
}
