/**
 * How well an encoder of some studies knows the distances of another one: trains on all but one of several
 * data sets, for each in turn, and judges it on the one left out, without any of its distances (rank
 * correlation) and with those among a few of its samples.
 *
 *     bun lab/studies/main.ts --output FOLDER --minutes 1 oral ecam crc-udca2 moving-pictures
 */
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import * as torch from "../../src/torch/index.ts";
import type { PretrainConfig } from "../../src/training/config/config.ts";
import { pretrainConfig } from "../../src/training/config/defaults.ts";
import { judgeUnseen, trainTogether } from "./zeroShot.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string" },
    minutes: { type: "string", default: "1" },
    metric: { type: "string", default: "unweighted" },
    calibrate: { type: "string", default: "20" },
    only: { type: "string" },
    seed: { type: "string", default: "0" },
    threads: { type: "string" },
  },
});
const { output } = values;
const metric = pretrainConfig({
  unifracMetric: values.metric as PretrainConfig["unifracMetric"],
}).unifracMetric;
if (output === undefined || positionals.length < 2)
  throw new Error("Give --output and at least two data sets.");
if (values.threads !== undefined) torch.setNumThreads(Number(values.threads));
const seed = Number(values.seed);
const studies = positionals.map((folder) => ({
  name: basename(resolve(folder)),
  dataset: openDataset(folder),
}));
console.log(
  "| left out | samples | R² after calibrating | MAE | Spearman with none | Jaccard of ASVs | of k-mers |\n|---|---|---|---|---|---|---|",
);
for (const study of studies) {
  if (values.only !== undefined && study.name !== values.only) continue;
  const others = studies.filter((other) => other !== study);
  const run = await trainTogether(others, join(output, study.name), {
    metric,
    minutes: Number(values.minutes),
    seed,
  });
  const found = judgeUnseen(run, study, { metric, calibrating: Number(values.calibrate), seed });
  console.log(
    `| ${found.study} | ${found.samples} | ${found.r2.toFixed(3)} | ${found.mae.toFixed(4)} | ${found.spearman.toFixed(3)} | ${found.asvs.toFixed(3)} | ${found.words.toFixed(3)} |`,
  );
}
