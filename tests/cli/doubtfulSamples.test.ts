/** A trained model on samples that it cannot judge as they are: it says so. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { refusal, run, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
let model: string;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 24);
  model = scratch.path("run");
  await succeed(
    ...["train", "--dataset", study.folder, "--metadata-column", "site", "--stratify", "site"],
    ...["--epochs", "1", "--threads", "1", "--no-plots", "--output", model],
  );
});

/** The study's samples in a table; ASVs as `name` has them, no counts in the first `empty` samples. */
function table(file: string, name = (sequence: string) => sequence, empty = 0): string[] {
  const { dataset } = study;
  const rows = Array.from({ length: dataset.asvCount }, (_, asv) => {
    const counts = dataset.sampleIds.map((_, sample) => (sample >= empty ? ((asv + sample) % 5) + 1 : 0));
    return [name(dataset.asvSequence(asv)), ...counts].join("\t");
  });
  const path = scratch.write(file, `#OTU ID\t${dataset.sampleIds.join("\t")}\n${rows.join("\n")}\n`);
  return ["--table", path, "--rarefy-depth", "none", "--model", model, "--threads", "1"];
}

test("samples without counts are named, as they get no prediction", async () => {
  const output = scratch.path("predictions.tsv");
  const { code, error } = await run("predict", ...table("hollow.tsv", undefined, 2), "--output", output);
  expect([code, error]).toEqual([0, expect.stringContaining("2 samples have no counts and are left out")]);
  expect(readFileSync(output, "utf8").trimEnd().split("\n").length).toBe(1 + 22);
});

test("sequences that go on behind those of the training are told", async () => {
  const long = (sequence: string) => `${sequence}ACGTACGTTGCA`;
  const output = scratch.path("long.tsv");
  const { error } = await run("predict", ...table("long.tsv.table", long), "--output", output);
  expect(error).toMatch(/\d+ of \d+ ASVs are longer than any of the training \(\d+ bases\)/);
});

test("classes that the model does not know are left out of its figures with a word", async () => {
  const metadata = (file: string, other: (row: number, value: string) => string) => {
    const [header, ...lines] = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
    const at = header.split("\t").indexOf("site");
    const changed = lines.map((line, row) => {
      const cells = line.split("\t");
      return cells.with(at, other(row, cells[at])).join("\t");
    });
    return scratch.write(file, [header, ...changed, ""].join("\n"));
  };
  const evaluate = (path: string) => ["evaluate", ...table("all.tsv"), "--metadata", path];
  const known = await run(...evaluate(metadata("known.tsv", (_, value) => value)));
  expect(known.error).not.toContain("does not know");
  const some = await run(...evaluate(metadata("some.tsv", (row, value) => (row < 5 ? "moon" : value))));
  expect([some.code, some.error]).toEqual([
    0,
    expect.stringMatching(/5 of the 24 samples have classes of "site" .* not know \("moon"; it knows "/),
  ]);
  expect(await refusal(...evaluate(metadata("none.tsv", () => "moon")))).toMatch(/24 of the 24 samples/);
});
