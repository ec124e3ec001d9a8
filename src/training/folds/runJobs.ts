import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import type { Plan } from "./plan.ts";
import { FoldRunner, type JobResult } from "./runJob.ts";
import { sideBySide } from "./sideBySide.ts";
import type { FoldBegin } from "./worker.ts";

export interface RunJobsOptions {
  /** Folds side by side, each in a process of its own; 1: in this process. */
  readonly workers: number;
  /** The program of each, which calls `serveFolds`; the default one knows no converted models. */
  readonly script?: string;
  /** Where each fold's file lies. */
  readonly folder: string;
  readonly onDone?: (result: JobResult, done: number, total: number) => void;
}

/**
 * Does the plan's folds that have no file yet, and gives all of them in the plan's order. Each is written as
 * soon as it is done, so that work that was cut off goes on with the next one. Every fold computes with one
 * thread: how many run side by side decides no number.
 * @throws UserError if a worker fails.
 */
export async function runJobs(
  dataset: Dataset,
  plan: Plan,
  { workers, script = join(import.meta.dir, "worker.ts"), folder, onDone }: RunJobsOptions,
): Promise<JobResult[]> {
  makeFolder(folder);
  const fileOf = (name: string) => join(folder, `${name}.json`);
  const open = plan.jobs.filter(({ name }) => !existsSync(fileOf(name)));
  let done = plan.jobs.length - open.length;
  const keep = (text: string) => {
    const result = JSON.parse(text) as JobResult;
    writeFileAtomic(fileOf(result.name), text);
    done++;
    onDone?.(result, done, plan.jobs.length);
  };
  if (open.length > 0) {
    if (workers <= 1) {
      const threads = torch.getNumThreads();
      torch.setNumThreads(1);
      try {
        const runner = new FoldRunner(dataset, plan);
        for (const job of open) keep(JSON.stringify(await runner.run(job)));
      } finally {
        torch.setNumThreads(threads);
      }
    } else {
      const waiting = open.map(({ name }) => name);
      await sideBySide({
        script,
        begin: {
          dataset: { path: dataset.path, manifest: dataset.manifest },
          config: plan.config,
        } satisfies FoldBegin,
        workers: Math.min(workers, open.length),
        next: () => waiting.shift(),
        keep,
        cure: "folds that are done are kept: go on with --resume, with fewer --workers if memory was short",
      });
    }
  }
  return plan.jobs.map(({ name }) => JSON.parse(readFileSync(fileOf(name), "utf8")) as JobResult);
}
