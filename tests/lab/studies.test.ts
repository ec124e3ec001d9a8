import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { overviewTable } from "../../lab/bench/studyTables.ts";
import { readMetadata } from "../../src/data/metadata/read.ts";
import type { FoldSummary } from "../../src/training/folds/summarize.ts";
import { refusal, succeed } from "../helpers/commandLine.ts";
import { asvId, plantedStudy } from "../helpers/plantedStudy.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();
const small = "folds: 2, innerFolds: 2, trees: 5, reasons: false";

/** Rows of the last table, by their first two cells. */
const rowsOf = (text: string) =>
  Object.fromEntries(
    text
      .slice(text.indexOf("### All studies"))
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .slice(1)
      .map((line) => line.slice(2, -2).split(" | "))
      .map(([study, figure, ...cells]) => [`${study}: ${figure}`, cells]),
  );

showsOptions("bench studies", "--data --output --only --workers --json");
test("bench studies prints a table for each study of a list and one of all, and goes on from what is there", async () => {
  await plantedStudy(scratch.path("data"), 30, 8);
  const study = (column: string) =>
    `- name: planted ${column}\n  files: { table: table.tsv, metadata: metadata.tsv }\n  rarefyDepth: none\n` +
    `  settings: { column: ${column}, predictors: [ridge, forest], ${small}, splitBy: host }\n`;
  const list = scratch.write("list.yaml", study("score") + study("noise") + study("state"));
  const output = scratch.path("output");
  const given = ["bench", "studies", list, "--data", scratch.path("data"), "--output", output];
  const text = await succeed(...given, "--workers", "2");
  expect(text).toContain("### planted score\n\n30 samples, 10 groups; whole host held out");
  expect(text.match(/^\| Ridge on presence \|/gm)?.length).toBe(3);
  const folders = ["planted-noise", "planted-score", "planted-state"];
  expect(readdirSync(output).sort()).toEqual([...folders, "prepared"]);
  const rows = rowsOf(text);
  expect(Object.keys(rows)).toEqual([
    "planted score: MAE",
    "planted noise: MAE",
    "planted state: Wrong classes",
    "planted state: Log loss",
  ]);
  expect(rows["planted score: MAE"][3]).toBe("better");
  expect(rows["planted noise: MAE"][3]).toMatch(/no better than the median|worse/);
  const again = JSON.parse(await succeed(...given, "--workers", "1", "--json", "--only", "SCORE"));
  expect(again.map(({ name }: { name: string }) => name)).toEqual(["planted score"]);
  expect(again[0].summary.isReal).toBe(true);
  expect(await refusal(...given, "--only", "age")).toContain('"age" in its name; it has "planted score", ');
  const wrong = scratch.write("wrong.yaml", "- name: a\n");
  expect(await refusal("bench", "studies", wrong, ...given.slice(3))).toContain("is no list of studies");
  const twice = scratch.write("twice.yaml", study("score") + study("score"));
  expect(await refusal("bench", "studies", twice, ...given.slice(3))).toContain("have the same name");
});

test("bench studies leaves out groups that only the sample ids tell, and simulates studies", async () => {
  const ids = Array.from({ length: 12 }, (_, i) => `${100 + (i % 3)}.${i}.x`);
  const line = (cells: readonly (string | number)[]) => `${cells.join("\t")}\n`;
  const asv = (number: number) => line([asvId(number), ...ids.map((_, i) => 1 + ((i * (number + 1)) % 4))]);
  scratch.write("data/table.tsv", line(["#OTU ID", ...ids]) + asv(0) + asv(1) + asv(2));
  scratch.write(
    "data/metadata.tsv",
    line(["#SampleID", "age"]) + ids.map((id, i) => line([id, i % 5])).join(""),
  );
  const real = (pattern: string) =>
    `- name: ids\n  files: { table: table.tsv, metadata: metadata.tsv }\n  rarefyDepth: none\n` +
    `  columns: { study: { fromId: '${pattern}' } }\n` +
    `  settings: { column: age, leaveOut: study, predictors: [ridge], ${small} }\n`;
  const simulated = (name: string, more: string) =>
    `- name: ${name}\n  simulate: { samples: 24, asvs: 40, seed: 1 }\n  rarefyDepth: none\n` +
    `  columns: { noise: { noise: 3 } }\n  settings: { ${more}, predictors: [ridge], ${small} }\n`;
  const list = scratch.write(
    "ids.yaml",
    real("^(\\d+)\\.") +
      simulated("site", "column: site, splitBy: plot") +
      simulated("noise", "column: noise"),
  );
  const output = scratch.path("from-ids");
  const given = ["--data", scratch.path("data"), "--output", output, "--workers", "1"];
  const text = await succeed("bench", "studies", list, ...given);
  expect(text).toContain("### ids\n\n12 samples, 3 groups; each study left out once, 3 folds");
  expect(text).toContain("### site\n\n24 samples, ");
  const made = readMetadata(scratch.path("from-ids/made/ids/metadata-with-columns.tsv"));
  expect(made.columns.get("study")?.values).toEqual(ids.map((id) => id.slice(0, 3)));
  const noise = readMetadata(scratch.path("from-ids/made/noise/metadata-with-columns.tsv"));
  expect(new Set(noise.columns.get("noise")?.values).size).toBe(24);
  const bad = scratch.write("bad.yaml", real("^x(\\d)"));
  expect(await refusal("bench", "studies", bad, ...given)).toContain(
    'finds nothing in the sample id "100.0.x"',
  );
});

test("the table of all studies names the best of each kind, and says what the differences show", () => {
  const interval = (value: number, half = 0.125) => ({ value, low: value - half, high: value + half });
  const summary = (figures: Record<string, number>): FoldSummary => {
    const predictors = Object.entries(figures).map(([name, mae]) => ({
      name,
      title: name,
      figures: { mae: interval(mae) },
      coverage: interval(0.9),
      width: 1,
    }));
    const differences = predictors.slice(1).map(({ name }) => {
      const difference = interval(figures["auto"] - figures[name]);
      const verdict = difference.high < 0 ? "better" : difference.low > 0 ? "worse" : "no difference shown";
      return { name: "auto", against: name, figure: "mae", difference, verdict } as const;
    });
    const isReal = differences.find(({ against }) => against === "constant")?.verdict === "better";
    const counts = { groupColumn: null, groups: 9, samples: 9, repeats: 1, folds: 5 };
    const rest = { ...counts, classes: [], meanOf: [], curve: [], unlike: null };
    const named = { column: "age", kind: "numbers", split: "random", main: "auto" } as const;
    const reasons = { contributionGaps: {}, undivided: {}, unmoved: {} };
    return { ...named, ...rest, ...reasons, predictors, differences, isReal };
  };
  const rows = rowsOf(
    overviewTable([
      {
        name: "a",
        summary: summary({ auto: 1, constant: 3, forest: 2, neighbours: 4, ridge: 1.0625, stack: 0.5 }),
      },
      { name: "b", summary: summary({ auto: 3, constant: 3, forest: 3.5, ridge: 3.25 }) },
      { name: "c", summary: summary({ auto: 3, constant: 4, forest: 3.5, ridge: 2 }) },
    ]),
  );
  const texts = Object.entries(rows).map(([row, cells]) => [row, cells.join(", ").replaceAll("−", "-")]);
  expect(Object.fromEntries(texts)).toEqual({
    "a: MAE":
      "auto 1 (0.875 to 1.13), forest 2, -1 (-1.13 to -0.875), better, ridge 1.06, -0.0625 (-0.188 to 0.0625), no worse",
    "b: MAE":
      "auto 3 (2.88 to 3.13), constant 3, 0 (-0.125 to 0.125), no better than the median, ridge 3.25, -0.25 (-0.375 to -0.125), no better than the median",
    "c: MAE":
      "auto 3 (2.88 to 3.13), forest 3.5, -0.5 (-0.625 to -0.375), better, ridge 2, 1 (0.875 to 1.13), worse",
  });
});
