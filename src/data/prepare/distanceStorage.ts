import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { availableMemory } from "../../common/availableMemory.ts";
import { isFolder } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { pairCount } from "../distances/distances.ts";

/**
 * How distances get into a data set: every pair computed once and stored, or the tree stored and those of
 * each batch computed when it is made; `auto` stores them where that takes little of what is free.
 */
export const distanceStorages = ["auto", "all-pairs", "per-batch"] as const;
export type DistanceStorage = (typeof distanceStorages)[number];

/** The share of the free disk, and of the free memory, that all pairs may take. */
const freeShare = 0.1;
/** The largest typed array, in bytes: all pairs of a metric must fit. */
const largestArray = 2 ** 32;

/** What there is for distances, in bytes. */
export interface Space {
  readonly disk: number;
  readonly memory: number;
}

/**
 * Decides `auto`: all pairs are stored where they take at most a tenth of the free disk and of the free
 * memory. `bytesEach` is what a distance takes while it is computed, 4 or 8; stored it takes 4.
 */
export function chooseStorage(
  wanted: DistanceStorage,
  { samples, metrics, bytesEach }: { samples: number; metrics: number; bytesEach: number },
  free: Space,
): "all-pairs" | "per-batch" {
  if (wanted !== "auto") return wanted;
  const pairs = pairCount(samples);
  const isLittle =
    pairs * bytesEach <= largestArray &&
    pairs * metrics * bytesEach <= freeShare * free.memory &&
    pairs * metrics * 4 <= freeShare * free.disk;
  return isLittle ? "all-pairs" : "per-batch";
}

/** What is free in memory, and on the disk that `output` shall be written to. */
export function freeSpace(output: string): Space {
  let folder = resolve(output);
  while (!isFolder(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  return { disk: bavail * bsize, memory: availableMemory() };
}

/** @throws UserError for `per-batch` where distances are given and not computed. */
export function refusePerBatchImport(storage: DistanceStorage, path: string): void {
  if (storage !== "per-batch") return;
  throw new UserError(
    `--distance-storage per-batch computes distances from a tree, but ${path} holds computed ones, which are stored; ` +
      "leave one of the two out.",
  );
}
