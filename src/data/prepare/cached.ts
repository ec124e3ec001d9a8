import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { FolderLock } from "../../common/files/folderLock.ts";
import type { ReportProgress } from "../../common/progress.ts";
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
 * the parameters: what was prepared before is reused, unless it is damaged.
 */
export async function prepareCached(
  options: PrepareOptions,
  cache: string,
  computeMetric?: MetricFunction,
): Promise<CachedDataset> {
  const sources = describeSources(options);
  const content = sources.map(({ role, sha256 }) => [role, sha256]);
  const parameters = prepareParameters(options);
  // Before trees were always stored, data sets had the same format without one.
  const key = JSON.stringify({ formatVersion, tree: true, sources: content, parameters });
  return await keepDataset(cache, "", key, options.onProgress, (folder) =>
    prepareDataset(options, folder, computeMetric, sources),
  );
}

/**
 * A data set below `cache`, which `make` writes into the folder that it is given, unless it is there already:
 * its name is `prefix` and the hash of `key`, which tells all that goes into it. What is whole is never
 * replaced, as others may use it; of several processes that want the same at once, one makes it and the
 * others wait. (Where that one is on another machine and silent for long, it is made twice, to the same end.)
 */
export async function keepDataset(
  cache: string,
  prefix: string,
  key: string,
  onProgress: ReportProgress | undefined,
  make: (folder: string) => unknown,
): Promise<CachedDataset> {
  const name = prefix + new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 16);
  const folder = join(cache, name);
  if (isWhole(folder)) return { folder, reused: true };
  const waiting = (pid: number) => onProgress?.(`Waiting for process ${pid}, which does the same`);
  using _lock = await FolderLock.wait(cache, waiting, `.${name}-lock-`);
  if (isWhole(folder)) return { folder, reused: true };
  await make(folder);
  return { folder, reused: false };
}

function isWhole(folder: string): boolean {
  if (!existsSync(folder)) return false;
  try {
    openDataset(folder).close();
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
