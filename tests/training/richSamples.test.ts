/** Samples with more ASVs than are read of one: training and every use of a model say how many. */
import { expect, test } from "bun:test";
import { makeStudy } from "../../lab/material/study.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { run } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

test("training, embed and evaluate say how many samples are cut, and what to do", async () => {
  const { folder } = await makeStudy(scratch.path("study"));
  using dataset = openDataset(folder);
  const richness = Array.from({ length: dataset.sampleCount }, (_, sample) => dataset.richness(sample));
  const limit = [...richness].sort((a, b) => a - b)[richness.length >> 1];
  const rich = richness.filter((one) => one > limit).length;
  expect(rich).toBeGreaterThan(3);
  const most = Math.max(...richness);
  const said = async (...args: string[]) => (await run(...args)).error.replaceAll(/\s+/g, " ");
  const cut = `${rich} of ${richness.length} samples have more than the ${limit} ASVs that are read of a sample (up to ${most}): only the`;
  const output = scratch.path("run");
  const small = "--code-dim 8 --word-dim 8 --nuc-penalty 0 --epochs 1 --no-plots --threads 1".split(" ");
  const train = ["pretrain", "--dataset", folder, ...small, "--token-limit"];
  expect(await said(...train, String(limit), "--output", output)).toContain(
    `${cut} first in the table's order count, while true distances are those of all; give --token-limit ${most},`,
  );
  const ways = [["embed", "--output", scratch.path("embeddings.tsv")], ["evaluate"]];
  for (const [command, ...more] of ways)
    expect(await said(command, "--model", output, "--dataset", folder, ...more)).toContain(cut);
  expect(await said(...train, String(most), "--output", scratch.path("whole"))).not.toContain("are read of");
});
