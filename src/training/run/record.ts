import { existsSync } from "node:fs";
import { UserError } from "../../common/userError.ts";
import { type Dataset, openDataset } from "../../data/dataset/dataset.ts";
import { splitFromFiles } from "../../data/split/files.ts";
import type { Split } from "../../data/split/split.ts";
import { withPresentNames } from "../config/formerNames.ts";
import type { RunFacts } from "./facts.ts";
import type { RunFolder } from "./folder.ts";

/** What `run.json` says. */
export type RunRecord = RunFacts & {
  readonly dataset: {
    readonly path: string;
    readonly sources: readonly {
      readonly role: string;
      readonly path: string;
      readonly bytes: number;
      readonly sha256: string;
    }[];
    readonly parameters: Readonly<Record<string, string | number | boolean | null>>;
    readonly counts: Readonly<Record<string, number>>;
  };
  readonly environment: Readonly<Record<string, string | number | null>>;
};

/** The data set and the split of a run. @throws UserError if the data are not where they were. */
export function openRunData(folder: RunFolder): { record: RunRecord; dataset: Dataset; split: Split } {
  const written = folder.readJson(folder.run) as RunRecord;
  const record = { ...written, config: withPresentNames(written.config) } as RunRecord;
  const { path } = record.dataset;
  if (!existsSync(path)) {
    throw new UserError(
      `The data set of ${folder.path} is no longer at ${path}; prepare it again from the same files with the same --output folder.`,
    );
  }
  const dataset = openDataset(path);
  const files = { train: folder.trainIds, validation: folder.validationIds };
  return { record, dataset, split: splitFromFiles(dataset.sampleIds, files).split };
}
