/** How many mixtures a pretraining has, and what it says where it can have none. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeStudy, pretrainStudy, type Study } from "../../../lab/material/study.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { ProgressDisplay } from "../../../src/display/terminal/progressBar.ts";
import type { PretrainInput } from "../../../src/training/config/config.ts";
import { pretrainConfig } from "../../../src/training/config/defaults.ts";
import { mixSamples } from "../../../src/training/tasks/mixSamples.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
/** The same with distances that were computed before, beside a tree for another metric. */
let imported: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 20);
  const { table, tree, dataset } = study;
  const ids = dataset.sampleIds;
  const known = dataset.distance("unweighted");
  const lines = ids.map((id, a) => [id, ...ids.map((_, b) => known.between(a, b))].join("\t"));
  const path = scratch.write("distances.tsv", ["", ...ids].join("\t") + `\n${lines.join("\n")}\n`);
  const folder = scratch.path("imported");
  const distances = { path, name: "unweighted" };
  await prepareDataset({ table, tree, distances, metrics: ["faith_pd"], rarefyDepth: "none" }, folder);
  imported = { ...study, folder, dataset: openDataset(folder) };
});

test("four for each training sample, from 400 to 8000; none where no tree gives the distances or none are learned", () => {
  const mixed = (train: number, input: PretrainInput = {}, of = study) =>
    mixSamples(pretrainConfig(input), of.dataset, new Int32Array(train));
  expect([20, 500, 5000].map((train) => mixed(train))).toEqual([400, 2000, 8000]);
  expect(mixed(20, { mixtures: 7 })).toBe(7);
  expect(mixed(20, { training: { penalty: 0, nucPenalty: 1 } })).toBe(0);
  expect(mixed(20, { model: { encoder: "aam" } })).toBe(0);
  expect(mixed(20, {}, imported)).toBe(0);
  expect(mixed(20, { unifracMetric: "faith_pd" }, imported)).toBe(400);
  expect(mixed(20, { unifracMetric: "faith_pd", furtherMetrics: ["unweighted"] }, imported)).toBe(0);
  expect(() => mixed(20, { mixtures: 7 }, imported)).toThrow(/needs a tree that gives unweighted/);
});

test("a run tells how many it has, or that its data have no tree for any", async () => {
  const outcome = async (of: Study, name: string) => {
    let said = "";
    const terminal = { columns: 200, write: (text: string) => void (said += text), writeError: () => {} };
    const display = new ProgressDisplay("lines", terminal);
    const config = { mixtures: "auto" as const, training: { epochs: 1, batchSize: 64 } };
    const { summary } = await pretrainStudy(of, scratch.path(name), config, { display });
    const { mixtures } = JSON.parse(readFileSync(join(scratch.path(name), "config.json"), "utf8"));
    return {
      mixtures: [mixtures, summary.mixtures],
      told: /also has 400 mixtures|prepare it from a tree/.exec(said)?.[0],
    };
  };
  expect(await outcome(study, "mixed")).toEqual({ mixtures: [400, 400], told: "also has 400 mixtures" });
  expect(await outcome(imported, "unmixed")).toEqual({
    mixtures: [0, undefined],
    told: "prepare it from a tree",
  });
});

test("--debug-nan names the mixtures of a batch", async () => {
  const training = { lr: 1e30, maxGradNorm: null, epochs: 9, scheduler: "constant" as const };
  const run = pretrainStudy(study, scratch.path("nan"), { mixtures: 400, training }, { debugNan: true });
  await expect(run).rejects.toThrow(/samples of the batch are .*"mixture \d+"/);
});
