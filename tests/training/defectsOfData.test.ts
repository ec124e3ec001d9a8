/**
 * What goes wrong in the original AAM with some data and does not here; numbers as in
 * docs/from-pytorch-aam.md.
 */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fineTuneStudy, historyOf, makeStudy, pretrainStudy, type Study } from "../../lab/material/study.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import * as torch from "../../src/torch/index.ts";
import { useScratch } from "../helpers/scratch.ts";

torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

let runs = 0;
const next = () => scratch.path(`run-${runs++}`);

/** The study's table as text, with counts that `change` makes of its own. */
function tableText({ dataset }: Study, change: (count: number, sample: number) => number): string {
  const samples = dataset.sampleIds.map((_, i) => dataset.sample(i));
  const rows = Array.from({ length: dataset.asvCount }, (_, row) => {
    const counts = samples.map(({ asvs, counts: own }, i) => change(own[asvs.indexOf(row)] ?? 0, i));
    return [dataset.asvSequence(row), ...counts].join("\t");
  });
  return [["#OTU ID", ...dataset.sampleIds].join("\t"), ...rows].join("\n");
}

test("B10: samples whose counts are all the least are trained on and judged like any other", async () => {
  const table = scratch.path("singles.tsv");
  writeFileSync(
    table,
    tableText(study, (count, sample) => (sample % 2 === 0 ? Math.min(count, 1) : count)),
  );
  const folder = scratch.path("singles");
  await prepareDataset({ table, tree: study.tree, metadata: study.metadata, rarefyDepth: "none" }, folder);
  using dataset = openDataset(folder);
  const output = next();
  const { summary } = await fineTuneStudy({ ...study, dataset }, output, {
    model: { countEmbeddingMethod: "add" },
    target: { countPrediction: true },
  });
  expect(summary.samples.train + summary.samples.validation).toBe(study.dataset.sampleCount);
  for (const { train, val } of historyOf(output))
    expect([...Object.values(train), ...Object.values(val)].every(Number.isFinite)).toBe(true);
});

/** A square matrix of distances between the first `count` samples of the study, with ids. */
function matrixText(
  { sampleIds, distance }: { sampleIds: readonly string[]; distance: Dataset["distance"] },
  count: number,
) {
  const known = Int32Array.from({ length: count }, (_, i) => i);
  const block = distance("unweighted").block(known);
  const ids = sampleIds.slice(0, count);
  const rows = ids.map((id, i) => [id, ...block.subarray(i * count, (i + 1) * count)].join("\t"));
  return [["", ...ids].join("\t"), ...rows].join("\n");
}

test("B15: samples that a matrix lacks have unknown distances, in pretraining and in fine-tuning", async () => {
  const { dataset } = study;
  const path = scratch.path("part.tsv");
  const distance = (name: string) => dataset.distance(name);
  writeFileSync(path, matrixText({ sampleIds: dataset.sampleIds, distance }, 24));
  const folder = scratch.path("part");
  const distances = { path, name: "unweighted" };
  const { table, metadata } = study;
  await prepareDataset({ table, metadata, distances, rarefyDepth: "none" }, folder);
  using part = openDataset(folder);
  const [pretrained, tuned] = [next(), next()];
  const { summary } = await pretrainStudy({ ...study, dataset: part }, pretrained);
  expect(summary.samples.train + summary.samples.validation).toBe(dataset.sampleCount);
  await fineTuneStudy({ ...study, dataset: part }, tuned);
  for (const run of [pretrained, tuned])
    for (const { train, val } of historyOf(run)) {
      expect(train.unifrac_loss).toBeGreaterThan(0);
      expect(val.unifrac_loss).toBeGreaterThan(0);
    }
});

test("B42: all pairs of a batch count, so that a batch may be odd", async () => {
  const output = next();
  await pretrainStudy(study, output, { training: { batchSize: 7 } });
  const { training } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
  expect(training.batchSize).toBe(7);
  expect(historyOf(output)[0].train.unifrac_loss).toBeGreaterThan(0);
});
