import { type Dataset, reopenDataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import { makePlan, type PlanConfig } from "./plan.ts";
import { FoldRunner } from "./runJob.ts";
import { serveJobs } from "./sideBySide.ts";

export interface FoldBegin {
  readonly dataset: Pick<Dataset, "path" | "manifest">;
  readonly config: PlanConfig;
}

/** What a process of its own does that `runJobs` starts: folds, with one thread. */
export function serveFolds(): void {
  serveJobs(({ dataset: opened, config }: FoldBegin) => {
    torch.setNumThreads(1);
    const dataset = reopenDataset(opened);
    const plan = makePlan(dataset, config);
    const runner = new FoldRunner(dataset, plan);
    const jobs = new Map(plan.jobs.map((job) => [job.name, job]));
    return async (name) => JSON.stringify(await runner.run(jobs.get(name)!));
  });
}

if (import.meta.main && process.send) serveFolds();
