import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeFolder } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { openDataset } from "../dataset/dataset.ts";
import { formatVersion } from "../dataset/manifest.ts";
import type { MetricFunction } from "./computeMetric.ts";
import type { PrepareOptions } from "./options.ts";
import { describeSources, prepareParameters } from "./options.ts";
import { prepareDataset } from "./prepare.ts";

export interface CachedDataset {
  /** To be opened with `openDataset`. */
  readonly folder: string;
  /** Whether it was there already. */
  readonly reused: boolean;
}

/** The folder beside an output in which prepared data are kept for the next command. */
export function cacheBeside(output: string): string {
  return join(dirname(resolve(output)), ".aam-cache");
}

/**
 * Like `prepareDataset`, into a folder below `cache` whose name is made from the content of the sources and
 * the parameters: what was prepared before is reused, unless it is damaged. Processes that prepare the same
 * data set at once do not disturb each other.
 */
export async function prepareCached(
  options: PrepareOptions,
  cache: string,
  computeMetric?: MetricFunction,
): Promise<CachedDataset> {
  const sources = describeSources(options).map(({ role, sha256 }) => [role, sha256]);
  // Before trees were always stored, data sets had the same format without one.
  const key = JSON.stringify({ formatVersion, tree: true, sources, parameters: prepareParameters(options) });
  const folder = join(cache, new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 16));
  if (existsSync(folder) && isWhole(folder)) return { folder, reused: true };
  makeFolder(cache);
  await prepareDataset(options, folder, computeMetric);
  return { folder, reused: false };
}

function isWhole(folder: string): boolean {
  try {
    openDataset(folder).close();
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
