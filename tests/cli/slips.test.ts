/**
 * Slips that people make in metadata and options: each is told in one sentence, before
 * anything is prepared or written.
 */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { hasConstantDistances } from "../../src/training/objectives/baseObjective.ts";
import { refusal, run } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

/** The study's metadata with other values in `depth`. */
function metadata(name: string, depth: (row: number, value: string) => string): string {
  const [header, ...rows] = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
  const changed = rows.map((row, i) => row.replace(/[^\t]*$/, (value) => depth(i, value)));
  return scratch.write(name, `${[header, ...changed].join("\n")}\n`);
}

const train = (file: string, column: string) => [
  ...["train", "--table", study.table, "--metadata", file, "--metadata-column", column],
  ...["--rarefy-depth", "none", "--output", scratch.path("run"), "--threads", "1"],
];

test("a column that the metadata do not have is told before the data are prepared", async () => {
  const { code, out, error } = await run(...train(study.metadata, "Depth"));
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(error).toMatch(/metadata\.tsv has no column "Depth"; it has "ph", .*"depth"\.\n$/);
  const split = [...train(study.metadata, "depth"), "--split-by", "host"];
  expect(await refusal(...split)).toContain('has no column "host"');
  const without = ["pretrain", "--table", study.table, "--tree", study.tree, "--stratify", "site"];
  expect(await refusal(...without, "--output", scratch.path("run"))).toContain("give them with --metadata");
  expect(existsSync(scratch.path("run"))).toBe(false);
});

test("a word among numbers does not turn them into classes", async () => {
  const file = metadata("word.tsv", (row, value) => (row === 3 ? "unknown" : value));
  expect(await refusal(...train(file, "depth"))).toMatch(
    /"depth" has numbers for 35 samples and other text for 1 \("unknown"\); leave these cells empty .* or give --classifier/,
  );
});

test("dates do not become a class each, and a target is named once", async () => {
  const file = metadata("dates.tsv", (row) => `2021-03-${String((row % 28) + 1).padStart(2, "0")}`);
  expect(await refusal(...train(file, "depth"))).toMatch(
    /"depth" holds dates or times, such as "2021-03-01".* days since the first date .* or give --classifier/,
  );
  expect(await refusal(...train(study.metadata, "depth,depth"))).toContain('names "depth" twice');
});

test("a column without values is named", async () => {
  const file = metadata("empty.tsv", () => "");
  expect(await refusal(...train(file, "depth"))).toContain('None of the 36 samples has a value of "depth"');
});

test("a number that is out of range is told with its option and the limit", async () => {
  const options = train(study.metadata, "depth");
  for (const [option, value, message] of [
    ["--batch-size", "-3", "--batch-size: -3 is too small, expected at least 2."],
    ["--lr", "0", "--lr: 0 is too small, expected more than 0."],
    ["--nuc-share", "2", "--nuc-share: 2 is too large, expected at most 1."],
  ])
    expect(await refusal(...options, option, value)).toBe(`Error: ${message}`);
  const mixed = ["pretrain", "--dataset", study.folder, "--output", scratch.path("run"), "--mixtures", "1e8"];
  expect(await refusal(...mixed)).toContain("--mixtures: 100000000 is too large, expected at most 10000000.");
});

test("a file where the run shall go is told before the data are prepared", async () => {
  const { code, out, error } = await run(...train(study.metadata, "depth"), "--output", study.tree);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(error).toContain("a file of that name is there; choose another path");
  const below = await refusal(...train(study.metadata, "depth"), "--output", `${study.table}/run`);
  expect(below).toMatch(/^Error: Cannot write .*: a part of its path is a file/);
});

test("samples that are all alike give a warning, as there is nothing to learn", async () => {
  const rows = ["ACGTACGTACGT", "ACGTTTGTACGT", "TTTTACGTACGA"].map(
    (asv, i) => `${asv}${`\t${i + 1}`.repeat(6)}`,
  );
  const table = scratch.write("alike.tsv", `#OTU ID\ta\tb\tc\td\te\tf\n${rows.join("\n")}\n`);
  const tree = scratch.write("alike.nwk", "((ACGTACGTACGT:1,ACGTTTGTACGT:2):1,TTTTACGTACGA:1);");
  const { code, error } = await run(
    ...[
      "pretrain",
      "--table",
      table,
      "--tree",
      tree,
      "--output",
      scratch.path("alike"),
      "--test-size",
      "0.4",
    ],
    ...[
      "--max-steps",
      "1",
      "--encoder",
      "aam",
      "--embedding-dim",
      "8",
      "--attention-layers",
      "1",
      "--threads",
      "1",
      "--no-plots",
    ],
  );
  expect(code).toBe(0);
  expect(error).toContain("All unweighted distances of the training samples are the same");
  const all = Int32Array.from(study.dataset.sampleIds.keys());
  for (const metric of ["unweighted", "faith_pd"])
    expect(hasConstantDistances(study.dataset, metric, all)).toBe(false);
});

test("classes that only validation samples have give a warning", async () => {
  const file = metadata("single.tsv", (row) => `class ${row}`);
  const { error } = await run(
    ...[...train(file, "depth"), "--output", scratch.path("single"), "--max-steps", "1", "--no-plots"],
    ...["--encoder", "aam", "--embedding-dim", "8", "--attention-layers", "1", "--nuc-penalty", "0"],
  );
  expect(error).toMatch(
    /Warning: 8 of the 8 validation samples have classes of "depth" that no training sample/,
  );
});
