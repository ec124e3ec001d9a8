import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { refusal, succeed } from "../helpers/commandLine.ts";
import { plantedStudy } from "../helpers/plantedStudy.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();

showsOptions("bench studies", "--data --output --workers --json");
test("bench studies prints one table for each study of a list, and goes on from what is there", async () => {
  await plantedStudy(scratch.path("data"), 30, 8);
  const study = (column: string) =>
    `- name: planted ${column}\n  files: { table: table.tsv, metadata: metadata.tsv }\n  rarefyDepth: none\n` +
    `  settings: { column: ${column}, predictors: [ridge, forest], folds: 2, innerFolds: 2, trees: 5, splitBy: host }\n`;
  const list = scratch.write("list.yaml", study("score") + study("noise"));
  const output = scratch.path("output");
  const given = ["bench", "studies", list, "--data", scratch.path("data"), "--output", output];
  const text = await succeed(...given, "--workers", "2");
  expect(text).toContain("### planted score\n\n30 samples, 10 groups; whole host held out");
  expect(text.match(/^\| Ridge on presence \|/gm)?.length).toBe(2);
  expect(readdirSync(output).sort()).toEqual(["prepared", "study-1", "study-2"]);
  const again = JSON.parse(await succeed(...given, "--workers", "1", "--json"));
  expect(again[0].summary.isReal).toBe(true);
  const wrong = scratch.write("wrong.yaml", "- name: a\n");
  expect(await refusal("bench", "studies", wrong, ...given.slice(3))).toContain("is no list of studies");
});
