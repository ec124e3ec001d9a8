import { type Dataset, reopenDataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import { serveJobs } from "../folds/sideBySide.ts";
import { type SearchConfig, SearchRunner } from "./trial.ts";

export interface SearchBegin {
  readonly dataset: Pick<Dataset, "path" | "manifest">;
  readonly config: SearchConfig;
}

/** What a process of its own does that `search` starts: trials, with one thread. */
export function serveTrials(): void {
  serveJobs(({ dataset, config }: SearchBegin) => {
    torch.setNumThreads(1);
    const runner = new SearchRunner(reopenDataset(dataset), config);
    return async (name) => JSON.stringify(await runner.run(name));
  });
}
