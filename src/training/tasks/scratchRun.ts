import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { removeOnInterrupt } from "../../common/interrupt.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import { formatIds } from "../../data/split/files.ts";
import type { Split } from "../../data/split/split.ts";
import { ProgressDisplay } from "../../display/terminal/progressBar.ts";
import type { SplitConfig } from "../config/config.ts";
import type { TrainingResult } from "../loop/trainer.ts";

/** No fault of the settings: the training was told to end. */
export class TrainingInterrupted extends UserError {}

/** @throws TrainingInterrupted where a training did not come to its end. */
export function refuseInterrupted({ reason }: TrainingResult): void {
  if (reason === "interrupted") throw new TrainingInterrupted("Interrupted; what was done before is kept.");
}

/** What a training that is part of something larger shows: nothing. */
export const silent = () =>
  new ProgressDisplay("quiet", { columns: 80, write: () => {}, writeError: () => {} });

/** Gives `work` a temporary folder, which goes whatever comes of it, also if the process is interrupted. */
export async function inScratchFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "aam-fold-"));
  const release = removeOnInterrupt(folder);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    release();
  }
}

/** Makes a training use these very samples: writes their ids into `folder`, and names the files. */
export function splitFilesOf(
  folder: string,
  dataset: Dataset,
  { train, validation }: Split,
): Pick<SplitConfig, "stratify" | "trainSamples" | "valSamples"> {
  const write = (name: string, samples: Int32Array) => {
    const path = join(folder, name);
    writeFileAtomic(path, formatIds(Array.from(samples, (sample) => dataset.sampleIds[sample])));
    return path;
  };
  return {
    stratify: null,
    trainSamples: write("train.txt", train),
    valSamples: write("validation.txt", validation),
  };
}
