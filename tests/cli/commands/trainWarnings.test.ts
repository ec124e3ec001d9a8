/** What `train` says, as `cross-validate` and `search` do, of figures that flatter. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run, succeed } from "../../helpers/commandLine.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const brief = "--max-steps 1 --no-plots --quiet --threads 1".split(" ");
const small = "--words 4 --code-dim 8".split(" ");
let study: PlantedStudy;
let outputs = 0;
beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
});

/** What a command says beside its result; where `output` is. */
async function said(command: string, ...more: string[]): Promise<{ error: string; output: string }> {
  const output = scratch.path(`run${outputs++}`);
  const data = more.includes("--dataset") ? [] : ["--dataset", study.folder];
  const { code, error } = await run(command, ...data, "--output", output, ...more);
  expect([error, code]).toEqual([error, 0]);
  return { error, output };
}
const idsIn = (path: string) => readFileSync(path, "utf8").trim().split("\n");
const train = (column: string, ...more: string[]) =>
  said("train", "--metadata-column", column, ...brief, ...more);

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

test("an encoder that knows held-out samples is told of, with their number", async () => {
  const { output: encoder } = await said("pretrain", ...brief, ...small);
  const files = ["train", "val"].map((part) => join(encoder, `${part}_sample_ids.txt`));
  const [trained] = files.map(idsIn);
  const own = ["--split-by", "host", "--seed", "3", "--pretrained-encoder"];
  const first = await train("score", ...own, encoder);
  const held = idsIn(join(first.output, "val_sample_ids.txt"));
  const seen = held.filter((id) => trained.includes(id)).length;
  expect(seen).toBeGreaterThan(0);
  expect(first.error).toContain(
    `The encoder was trained on the sequences and distances, not the values, of ${seen} of the ${held.length} validation samples`,
  );
  // Its checkpoint alone has hashes of the ids.
  const checkpoint = join(encoder, "checkpoints/best.safetensors");
  expect((await train("score", ...own, checkpoint)).error).toContain(`of ${seen} of the ${held.length}`);
  expect((await train("score", ...own, "builtin")).error).not.toContain("The encoder was trained");
  const same = ["--train-samples", files[0], "--val-samples", files[1], "--pretrained-encoder", encoder];
  expect((await train("score", ...same)).error).not.toContain("The encoder was trained");
});

test("samples without a value of what is predicted are counted", async () => {
  const rows = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
  const cells = rows.map((row) => row.split("\t"));
  // Every third sample has no score; its host (one of three samples) is known.
  const some = cells.map((row, i) => (i % 3 === 1 ? row.with(1, "") : row).join("\t"));
  const metadata = scratch.write("some.tsv", `${some.join("\n")}\n`);
  const folder = scratch.path("some");
  const { table } = study;
  await succeed("prep", "--table", table, "--metadata", metadata, "--rarefy-depth", "none", "-o", folder);
  const told = async (command: string, ...more: string[]) =>
    (await said(command, "--dataset", folder, "--split-by", "host", "--quiet", ...more)).error;
  const warning = '10 of 30 samples have no value of "score" and are left out.';
  const folds = "--folds 2 --inner-folds 2 --predictor ridge --no-reasons --workers 1".split(" ");
  expect(await told("train", "--metadata-column", "score", ...brief)).toContain(warning);
  expect(await told("cross-validate", "--metadata-column", "score", ...folds)).toContain(warning);
  expect(await told("train", "--metadata-column", "score,noise", ...brief)).not.toContain("left out");
  expect(await told("cross-validate", "--metadata-column", "noise", ...folds)).not.toContain("left out");
  const trials = "--trials 1 --folds 2 --workers 1 --space lr=1e-3..1e-2".split(" ");
  const form = scratch.write("few.yaml", "training: {epochs: 1, penalty: 0}\nmodel: {codeDim: 8}\n");
  const searched = await told("search", "--metadata-column", "score", "--config", form, ...trials);
  expect(searched).toContain(warning);
});
