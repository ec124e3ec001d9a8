import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { listEventFiles } from "../../src/training/watch/eventFile.ts";
import { readEventFile } from "../../src/training/watch/eventReader.ts";
import { useScratch } from "../data/scratch.ts";
import { fineTuneStudy, makeStudy, type Study } from "./study.ts";

setDefaultTimeout(120_000);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

test("a run's events hold losses of both parts, rates, gradient norms, histograms, the configuration and a plot", async () => {
  const output = scratch.path("run");
  await fineTuneStudy(study, output, { training: { batchSize: 2 } }, { plots: true });
  const folder = join(output, "tensorboard");
  const values = listEventFiles(folder).flatMap((name) =>
    readEventFile(join(folder, name)).events.flatMap((event) => event.values),
  );
  const tagsOf = (kind: string) => values.filter((value) => value.kind === kind).map(({ tag }) => tag);
  const scalars = new Set(tagsOf("scalar"));
  for (const tag of [
    ...[
      "train/total_loss",
      "val/total_loss",
      "TotalLoss/train",
      "TotalLoss/val",
      "TargetLoss/val",
      "val/mae",
      "val/r2",
    ],
    ...["train/learning_rate", "train/grad_norm", "perf/samples_per_sec", "model/total_params"],
    ...["checkpoint/best_model_saved", "target_head.weight_grad_norm"],
  ])
    expect(scalars).toContain(tag);
  expect(tagsOf("histogram")).toContain("weights/target_head.weight");
  expect(tagsOf("histogram")).toContain("gradients/target_head.weight");
  expect(tagsOf("image")).toEqual(["validation/prediction_plot"]);
  expect(tagsOf("text").some((tag) => tag.startsWith("config"))).toBe(true);
});
