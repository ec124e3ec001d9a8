/** Transformers that read words of bases as tokens, through the commands that use a run. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import * as torch from "../../src/torch/index.ts";
import { refusal, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;

beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
});

const shape = "--embedding-dim 8 --attention-layers 1 --attention-heads 2 --bases-per-token 3".split(" ");
const pretrain = (output: string, ...options: string[]) =>
  succeed("pretrain", "--output", output, "--batch-size", "8", "--quiet", "--no-plots", ...options);

test("a run goes on, embeds, tells the weights of each base, and is refused by convert", async () => {
  const run = scratch.path("run");
  const data = ["--dataset", study.folder];
  await pretrain(run, ...data, "--encoder", "aam", ...shape, "--max-steps", "2");
  await pretrain(run, ...data, "--resume", "--max-steps", "4");
  const { steps } = JSON.parse(readFileSync(`${run}/summary.json`, "utf8"));
  expect(steps).toBe(4);
  const positions = scratch.path("positions.tsv");
  await succeed("embed", "--model", run, ...data, "--positions", positions, "--quiet");
  const [head, ...rows] = readFileSync(positions, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  const longest = study.dataset.manifest.counts.longestAsv;
  expect(head).toHaveLength(1 + longest);
  for (const [id, ...weights] of rows) {
    const end = study.dataset.asvTokens(study.dataset.asvIds().indexOf(id)).length;
    expect(weights.slice(0, end).reduce((sum, weight) => sum + Number(weight), 0)).toBeCloseTo(1, 4);
    expect(weights.slice(end).every((weight) => Number(weight) === 0)).toBe(true);
    // The start and the first two bases are one word.
    expect(weights[1]).toBe(weights[0]);
    expect(weights[2]).toBe(weights[0]);
  }
  expect(await refusal("convert", run, scratch.path("x.pt"))).toContain("reads base by base");
});

test("the set encoder's transformer reads words too", async () => {
  const run = scratch.path("both");
  const codes = ["--codes", "both", "--code-dim", "12", "--words", "4", "--word-dim", "8"];
  await pretrain(run, "--dataset", study.folder, ...codes, ...shape, "--max-steps", "2");
  const summary = JSON.parse(readFileSync(`${run}/summary.json`, "utf8"));
  expect(summary["val.unifrac_r2"]).toBeFinite();
  expect(summary["val.nuc_accuracy"]).toBeGreaterThan(0);
});
