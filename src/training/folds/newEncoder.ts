import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { type PretrainConfig, pretrainMetrics, splitSchema } from "../config/config.ts";
import { pretrainConfig } from "../config/defaults.ts";
import { pretrain } from "../tasks/pretrain.ts";
import { inScratchFolder, refuseInterrupted, silent, splitFilesOf } from "../tasks/scratchRun.ts";
import { splitSamples } from "../tasks/splitSamples.ts";

/** What `--encoder` says for an encoder that each fold pretrains; a folder of this name is `./new`. */
export const newEncoder = "new";

/** With fewer groups than these, single samples tell when an encoder is at its best, not whole groups. */
const fewGroups = 10;

/** The distances that an encoder can learn of a data set. @throws UserError where it has none. */
export function metricToLearn({ path, manifest }: Dataset): PretrainConfig["unifracMetric"] {
  const metric = pretrainMetrics.find((name) => manifest.distances.includes(name));
  if (metric !== undefined) return metric;
  throw new UserError(
    `--encoder new is pretrained on UniFrac distances, and the data set ${path} has none; prepare it with --tree, or give --encoder builtin or a pretraining run.`,
  );
}

export interface NewEncoderOptions {
  /** No other samples are learned from; some of these tell when the encoder is at its best. */
  readonly train: Int32Array;
  /** By sample of the data set; null where samples stand alone. */
  readonly groupOf: Int32Array | null;
  readonly groupColumn: string | null;
  /** The most steps: a number of minutes would make results depend on the machine. */
  readonly steps: number;
  readonly seed: number;
}

/**
 * Pretrains an encoder on the UniFrac distances of some samples as `pretrain` does, mixtures included, hands
 * the folder of its run to `use`, and removes it. Counts, distances and values of other samples have no part
 * in it: the same samples, tree and settings give the same weights.
 * @throws UserError for a data set without distances, and fewer than 4 samples.
 * @example
 * const options = { train, groupOf: null, groupColumn: null, steps: 500, seed: 0 };
 * await withNewEncoder(dataset, options, async (run) => openRun(run, "cpu"));
 */
export async function withNewEncoder<T>(
  dataset: Dataset,
  { train, groupOf, groupColumn, steps, seed }: NewEncoderOptions,
  use: (run: string) => Promise<T>,
): Promise<T> {
  const unifracMetric = metricToLearn(dataset);
  const groups = groupOf ? new Set(train.map((sample) => groupOf[sample])).size : 0;
  return await inScratchFolder(async (folder) => {
    const by = groups >= fewGroups ? groupColumn : null;
    // Two validation samples are the least that have a distance.
    const testSize = Math.max(0.2, by === null ? 2 / train.length : 0);
    const split = splitSamples(dataset, splitSchema.parse({ testSize, by }), seed, train);
    const config = pretrainConfig({
      unifracMetric,
      split: splitFilesOf(folder, dataset, split),
      // An epoch has at least one step.
      training: { maxSteps: steps, epochs: steps, seed },
    });
    const output = join(folder, "run");
    const options = { dataset, output, config, device: "cpu", display: silent() } as const;
    refuseInterrupted((await pretrain({ ...options, resume: false, plots: false })).result);
    return await use(output);
  });
}
