import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunProcess } from "../../common/bunProcess.ts";
import { makeFolder, writeFileAtomic } from "../../common/files/atomicFile.ts";
import { endOnInterrupt } from "../../common/interrupt.ts";
import { UserError } from "../../common/userError.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import type { Plan } from "./plan.ts";
import { FoldRunner, type JobResult } from "./runJob.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

export interface RunJobsOptions {
  /** Folds side by side, each in a process of its own; 1: in this process. */
  readonly workers: number;
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
  { workers, folder, onDone }: RunJobsOptions,
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
    } else await sideBySide(dataset, plan, { names: open.map(({ name }) => name), workers, keep });
  }
  return plan.jobs.map(({ name }) => JSON.parse(readFileSync(fileOf(name), "utf8")) as JobResult);
}

async function sideBySide(
  dataset: Dataset,
  plan: Plan,
  { names, workers, keep }: { names: string[]; workers: number; keep: (text: string) => void },
): Promise<void> {
  const waiting = [...names];
  const started: Bun.Subprocess[] = [];
  const work = () =>
    new Promise<void>((resolve, reject) => {
      let isOver = false;
      const end = (error?: Error) => {
        if (isOver) return;
        isOver = true;
        child.kill();
        release();
        if (error) reject(error);
        else resolve();
      };
      const child: Bun.Subprocess = Bun.spawn({
        ...bunProcess([join(import.meta.dir, "worker.ts")]),
        stdio: ["ignore", "inherit", "inherit"],
        ipc(message: FromWorker) {
          try {
            if ("error" in message) return end(new UserError(message.error));
            if ("result" in message) keep(message.result);
          } catch (error) {
            return end(error as Error);
          }
          const job = waiting.shift();
          if (job === undefined) end();
          else child.send({ job } satisfies ToWorker);
        },
        onExit(_process, code, signal) {
          end(
            new UserError(
              `A process that computed folds ended unexpectedly (${signal ?? `code ${code}`}); folds that are done are kept: go on with --resume, with fewer --workers if memory was short.`,
            ),
          );
        },
      });
      started.push(child);
      const release = endOnInterrupt(child.pid);
      child.send({ dataset: dataset.path, config: plan.config } satisfies ToWorker);
    });
  try {
    await Promise.all(Array.from({ length: Math.min(workers, names.length) }, work));
  } finally {
    for (const child of started) child.kill();
  }
}
