/**
 * A process of its own that does folds: `bun worker.ts`, started by `runJobs`, which sends the plan and then
 * one fold's name at a time.
 */
import { openDataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import { makePlan, type PlanConfig } from "./plan.ts";
import { FoldRunner } from "./runJob.ts";

export type ToWorker = { readonly dataset: string; readonly config: PlanConfig } | { readonly job: string };
export type FromWorker =
  | { readonly ready: true }
  | { readonly result: string; readonly name: string }
  | { readonly error: string };

if (import.meta.main && process.send) {
  let runner: FoldRunner;
  let jobs: Map<string, ReturnType<typeof makePlan>["jobs"][number]>;
  const send = (message: FromWorker) => process.send!(message);
  process.on("disconnect", () => process.exit(0));
  process.on("message", async (message: ToWorker) => {
    try {
      if ("dataset" in message) {
        torch.setNumThreads(1);
        const dataset = openDataset(message.dataset);
        const plan = makePlan(dataset, message.config);
        runner = new FoldRunner(dataset, plan);
        jobs = new Map(plan.jobs.map((job) => [job.name, job]));
        send({ ready: true });
      } else {
        const result = await runner.run(jobs.get(message.job)!);
        send({ name: message.job, result: JSON.stringify(result) });
      }
    } catch (error) {
      send({ error: error instanceof Error ? error.message : String(error) });
    }
  });
}
