/** What `train` says, as `cross-validate` and `search` do, of figures that flatter. */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { run } from "../../helpers/commandLine.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const small = "--max-steps 1 --words 4 --code-dim 8 --no-plots --quiet --threads 1".split(" ");
let study: PlantedStudy;
let outputs = 0;
beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
});

/** What a command says beside its result; where `output` is. */
async function said(command: string, ...more: string[]): Promise<{ error: string; output: string }> {
  const output = scratch.path(`run${outputs++}`);
  const { code, error } = await run(command, "--dataset", study.folder, "--output", output, ...more);
  expect([error, code]).toEqual([error, 0]);
  return { error, output };
}
const train = (column: string, ...more: string[]) =>
  said("train", "--metadata-column", column, ...small, ...more);

test("hosts whose samples are on both sides of a random split are named, unless the split is meant", async () => {
  const warning =
    'Samples share values of "host", but the split is random: samples of one of them are on both sides';
  const { error, output } = await train("score");
  expect(error).toContain(warning);
  expect(error).toContain("Give --split-by host.");
  expect((await train("score", "--stratify", "state")).error).toContain(warning);
  const ids = (part: string) => join(output, `${part}_sample_ids.txt`);
  for (const meant of [
    ["--split-by", "host"],
    ["--train-samples", ids("train"), "--val-samples", ids("val")],
  ])
    expect((await train("score", ...meant)).error).not.toContain("Samples share");
  // Hosts that are predicted must be on both sides.
  expect((await train("host", "--test-size", "0.4")).error).not.toContain("Samples share");
  const trials = "--trials 1 --folds 2 --workers 1 --space lr=1e-3..1e-2".split(" ");
  const form = scratch.write("form.yaml", "training: {epochs: 1, penalty: 0}\nmodel: {codeDim: 8}\n");
  const searched = await said("search", "--metadata-column", "score", "--config", form, ...trials);
  expect(searched.error).toContain('Samples share values of "host", but folds are random');
});
