import { type Dataset, openDataset } from "../../data/dataset/dataset.ts";
import { depthTable } from "../../data/describe/depthTable.ts";
import { prepareCached } from "../../data/prepare/cached.ts";
import type { PrepareOptions } from "../../data/prepare/options.ts";
import type { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import { stageReporter } from "../../display/terminal/stageReporter.ts";

/** Prepares data, or takes what was prepared from the same files before, and says what is going on. */
export async function prepareShown(
  options: PrepareOptions,
  cache: string,
  display: ProgressDisplay,
): Promise<Dataset> {
  const onProgress = stageReporter(display, (stage) => `Preparing: ${stage}`);
  const { folder, reused } = await prepareCached({ ...options, onProgress }, cache);
  display.end();
  const dataset = openDataset(folder);
  for (const warning of dataset.manifest.warnings) display.warn(warning);
  const { depths, parameters } = dataset.manifest;
  const { rarefyDepth: depth } = parameters;
  if (reused)
    display.message(
      `Prepared before from the same files${depth === "none" ? "" : `, rarefied to ${depth}`}: ${folder}`,
    );
  else if (depths !== undefined) display.message(`Rarefying to\n${depthTable(depths, depth).join("\n")}`);
  return dataset;
}
