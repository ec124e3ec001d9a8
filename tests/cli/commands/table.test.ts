/**
 * Tables are filtered, merged, collapsed and subsampled as QIIME 2 does; the expected numbers are those of
 * q2-feature-table and q2-taxa 2025.4 and of biom-format 2.1.18.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readTableWithNotes } from "../../../src/data/table/read.ts";
import { refusal as refusalOf, run, succeed as succeedWith } from "../../helpers/commandLine.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";
import { plain } from "../../helpers/tableFixtures.ts";

const scratch = useScratch();
type Rows = readonly (readonly (string | number)[])[];
const given: Record<string, Rows> = {
  "table.tsv": [
    ["#OTU ID", "S1", "S2", "S3", "S4"],
    ["a", 5, 0, 2, 0],
    ["b", 1, 4, 0, 0],
    ["c", 0, 3, 3, 0],
    ["d", 0, 0, 1, 0],
    ["e", 0, 0, 0, 9],
  ],
  "other.tsv": [
    ["#OTU ID", "S4", "S5"],
    ["e", 1, 0],
    ["f", 2, 6],
  ],
  "third.tsv": [
    ["#OTU ID", "S6"],
    ["a", 4],
  ],
  "metadata.tsv": [
    ["sample-id", "site", "age"],
    ["S1", "gut", 3],
    ["S2", "gut", 8],
    ["S3", "palm", 9],
    ["S4", "palm", ""],
  ],
  "taxonomy.tsv": [
    ["Feature ID", "Taxon"],
    ["a", "k__Bacteria; p__Firmicutes; c__Bacilli"],
    ["b", "k__Bacteria; p__Firmicutes"],
    ["c", "k__Bacteria; p__Bacteroidetes; c__Bacteroidia"],
    ["d", "k__Bacteria; p__Firmicutes"],
    ["e", "Unassigned"],
  ],
  "few.tsv": [
    ["Feature ID", "Taxon"],
    ["a", "k__B; p__P"],
  ],
  "none.tsv": [
    ["Feature ID", "Taxon"],
    ["A", "k__B; p__P"],
  ],
  "ids.txt": [["S3"], ["S1"], ["S9"]],
  "asvs.txt": [["b"], ["d"]],
  "unknown.txt": [["s1"]],
};
beforeAll(() => {
  for (const [name, rows] of Object.entries(given))
    scratch.write(name, rows.map((row) => `${row.join("\t")}\n`).join(""));
});
/** A command line in which the files above stand by name. */
const line = (options: readonly string[]) =>
  options.map((option) => (option in given ? scratch.path(option) : option));

const [table, other, third] = ["table.tsv", "other.tsv", "third.tsv"];
const [metadata, taxonomy, few] = ["metadata.tsv", "taxonomy.tsv", "few.tsv"];
const succeed = (...args: string[]) => succeedWith(...line(args));
const refusal = (...args: string[]) => refusalOf(...line(args));

let files = 0;
/** The table that a command writes: counts by ASV, in the order of the samples. */
async function made(args: readonly string[], ending = "biom") {
  const path = scratch.path(`made-${files++}.${ending}`);
  await succeed("table", ...args, "--output", path, "--quiet");
  const { table: read, artifactType } = await readTableWithNotes(path);
  const { sampleIds, asvIds, counts } = plain(read);
  return {
    path,
    sampleIds,
    artifactType,
    counts: Object.fromEntries(asvIds.map((id, i) => [id, counts[i]])),
  };
}
const filter = (...options: string[]) => made(["filter", "--table", table, ...options]);

describe("filter", () => {
  test("samples by counts and ASVs; ASVs that none of them has go", async () => {
    expect(await filter("--min-depth", "7", "--max-depth", "8")).toMatchObject({
      sampleIds: ["S2"],
      counts: { b: [4], c: [3] },
    });
    const rich = await filter("--min-richness", "2");
    expect(rich.sampleIds).toEqual(["S1", "S2", "S3"]);
    expect(rich.counts).toEqual({ a: [5, 0, 2], b: [1, 4, 0], c: [0, 3, 3], d: [0, 0, 1] });
    expect((await filter("--max-richness", "2")).sampleIds).toEqual(["S1", "S2", "S4"]);
  });

  test("samples by lists and metadata", async () => {
    expect((await filter("--samples", "ids.txt")).sampleIds).toEqual(["S1", "S3"]);
    expect((await filter("--exclude-samples", "ids.txt")).sampleIds).toEqual(["S2", "S4"]);
    const where = (...conditions: string[]) =>
      filter("--metadata", metadata, ...conditions.flatMap((one) => ["--where", one]));
    expect((await where("site=gut")).sampleIds).toEqual(["S1", "S2"]);
    expect((await where("site=gut", "age>3")).sampleIds).toEqual(["S2"]);
    expect((await where("age>3")).sampleIds).toEqual(["S2", "S3"]);
    // Samples that the metadata lack fulfil nothing, which is said; without any of them the ids do not fit.
    const lower = scratch.write("lower.tsv", "id\tsite\ns1\tgut\ns2\tgut\n");
    const args = [
      "filter",
      "--table",
      table,
      "--output",
      scratch.path("no.biom"),
      "--where",
      "site=gut",
      "--metadata",
    ];
    expect(await refusal("table", ...args, lower)).toContain(
      '("s1" and "S1" differ only in upper and lower case)',
    );
    const few = scratch.write("two.tsv", "id\tsite\nS1\tgut\ns2\tgut\n");
    const { code, error } = await run(...line(["table", ...args, few]));
    expect([code, error]).toEqual([0, expect.stringContaining("3 of 4 samples have no row in")]);
  });

  test("ASVs by counts, samples and lists; samples that have none of them go", async () => {
    expect(await filter("--min-count", "7")).toMatchObject({
      sampleIds: ["S1", "S3", "S4"],
      counts: { a: [5, 2, 0], e: [0, 0, 9] },
    });
    const common = { a: [5, 0, 2], b: [1, 4, 0], c: [0, 3, 3] };
    expect((await filter("--min-samples", "2")).counts).toEqual(common);
    expect((await filter("--min-prevalence", "0.5")).counts).toEqual(common);
    expect((await filter("--asvs", "asvs.txt")).counts).toEqual({ b: [1, 4, 0], d: [0, 0, 1] });
    expect(Object.keys((await filter("--exclude-asvs", "asvs.txt")).counts)).toEqual(["a", "c", "e"]);
  });

  test("ASVs by lineage", async () => {
    const by = async (...options: string[]) =>
      Object.keys((await filter("--taxonomy", taxonomy, ...options)).counts);
    expect(await by("--include", "p__firmicutes")).toEqual(["a", "b", "d"]);
    expect(await by("--include", "Bacteria", "--exclude", "Bacilli", "--exclude", "Bacteroidia")).toEqual([
      "b",
      "d",
    ]);
    expect(await by("--exclude", "unassigned")).toEqual(["a", "b", "c", "d"]);
    expect(await by("--exclude", "unassigned, Bacilli,Bacteroidia")).toEqual(["b", "d"]);
    const misspelt = ["--taxonomy", taxonomy, "--exclude", "mitochondira,unassigned"];
    const { error } = await run(
      ...line(["table", "filter", "--table", table, "--output", scratch.path("idle.biom"), ...misspelt]),
    );
    expect(error).toBe(
      'Warning: No ASV\'s lineage contains "mitochondira"; if it should, check how it is written.\n',
    );
  });

  test("samples first, then ASVs among what is left", async () => {
    const both = await filter("--metadata", metadata, "--where", "site=gut", "--min-samples", "2");
    expect([both.sampleIds, both.counts]).toEqual([["S1", "S2"], { b: [1, 4] }]);
  });

  test.each([
    [[], "Nothing to filter by"],
    [["--where", "site=gut"], "give --metadata, too"],
    [["--metadata", metadata], "--metadata is for --where"],
    [["--include", "x"], "give --taxonomy, too"],
    [["--taxonomy", taxonomy], "--taxonomy is for --include and --exclude"],
    [["--min-depth", "100"], "the filter of samples leaves none; loosen it"],
    [["--min-samples", "5"], "the filter of ASVs leaves none; loosen it"],
    [["--samples", "unknown.txt"], 'names no sample of the table: its first id is "s1", the table\'s "S1"'],
    [["--taxonomy", "few.tsv", "--include", "x"], "lacks 4 of the 5 ASVs of"],
    [["--taxonomy", "none.tsv", "--include", "x"], "lacks 5 of the 5 ASVs"],
  ])("refuses %p, and writes nothing", async (options, message) => {
    const path = scratch.path("refused.biom");
    expect(await refusal("table", "filter", "--table", table, "--output", path, ...options)).toContain(
      message,
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe("merge", () => {
  const merge = (...options: string[]) =>
    made(["merge", "--table", table, "--table", other, ...options], "qza");

  test("what tables have in common is refused, summed, averaged or told to be there", async () => {
    const sum = await merge("--overlap-method", "sum");
    expect(sum.sampleIds).toEqual(["S1", "S2", "S3", "S4", "S5"]);
    expect(sum.counts).toEqual({
      ...{ a: [5, 0, 2, 0, 0], b: [1, 4, 0, 0, 0], c: [0, 3, 3, 0, 0], d: [0, 0, 1, 0, 0] },
      ...{ e: [0, 0, 0, 10, 0], f: [0, 0, 0, 2, 6] },
    });
    expect((await merge("--overlap-method", "average")).counts).toMatchObject({
      a: [2.5, 0, 1, 0, 0],
      e: [0, 0, 0, 5, 0],
    });
    const union = await merge("--overlap-method", "union");
    expect(union.counts).toMatchObject({ a: [1, 0, 1, 0, 0], e: [0, 0, 0, 1, 0], f: [0, 0, 0, 1, 1] });
    expect([sum.artifactType, union.artifactType]).toEqual([
      "FeatureTable[Frequency]",
      "FeatureTable[PresenceAbsence]",
    ]);
    const beside = await made(["merge", "--table", table, "--table", third]);
    expect(beside.counts).toMatchObject({ a: [5, 0, 2, 0, 4], e: [0, 0, 0, 9, 0] });
    const refused = ["merge", "--table", table, "--output", scratch.path("no.biom")];
    expect(await refusal("table", ...refused, "--table", other)).toContain(
      `The sample "S4" is in ${scratch.path(table)} and in ${scratch.path(other)}`,
    );
    const byFeature = ["--overlap-method", "error_on_overlapping_feature"];
    expect(await refusal("table", ...refused, "--table", third, ...byFeature)).toContain('The ASV "a" is in');
    expect(await refusal("table", ...refused)).toContain("needs two tables or more");
  });

  test("counts and shares are not added up", async () => {
    const shares = await merge("--overlap-method", "union");
    const args = ["merge", "--table", shares.path, "--table", third, "--output", scratch.path("no.biom")];
    expect(await refusal("table", ...args)).toContain("holds PresenceAbsence and");
    // Without an artifact's word for it, the numbers tell.
    const halves = scratch.write("halves.tsv", "#OTU ID\tS7\tS8\na\t0.5\t1\nb\t0.5\t0\n");
    const mixed = ["merge", "--table", halves, "--table", third, "--output", scratch.path("no.biom")];
    expect(await refusal("table", ...mixed)).toContain("holds RelativeFrequency and");
  });
});

describe("collapse", () => {
  const collapse = (level: string) =>
    made(["collapse", "--table", table, "--taxonomy", taxonomy, "--level", level]);

  test("counts of a taxon are summed, and ranks that a lineage lacks are __", async () => {
    expect((await collapse("1")).counts).toEqual({ k__Bacteria: [6, 7, 6, 0], Unassigned: [0, 0, 0, 9] });
    expect((await collapse("3")).counts).toEqual({
      "k__Bacteria;p__Firmicutes;c__Bacilli": [5, 0, 2, 0],
      "k__Bacteria;p__Firmicutes;__": [1, 4, 1, 0],
      "k__Bacteria;p__Bacteroidetes;c__Bacteroidia": [0, 3, 3, 0],
      "Unassigned;__;__": [0, 0, 0, 9],
    });
    const args = ["--table", table, "--output", scratch.path("no.biom"), "--taxonomy"];
    expect(await refusal("table", "collapse", ...args, taxonomy, "--level", "4")).toContain(
      "have at most 3 ranks",
    );
    expect(await refusal("table", "collapse", ...args, few, "--level", "1")).toContain(
      `lacks 4 of the 5 ASVs of ${scratch.path(table)}, the first "b"`,
    );
  });
});

describe("subsample", () => {
  const subsample = (...options: string[]) => made(["subsample", "--table", table, ...options]);

  test("counts, samples and ASVs are those that biom-format draws", async () => {
    const depth = await subsample("--depth", "7", "--seed", "3");
    expect(depth.sampleIds).toEqual(["S2", "S4"]);
    expect(depth.counts).toEqual({ b: [4, 0], c: [3, 0], e: [0, 7] });
    const again = await subsample("--depth", "5", "--seed", "3", "--with-replacement");
    const without = await subsample("--depth", "5", "--seed", "3");
    expect(again.counts).not.toEqual(without.counts);
    expect((await subsample("--samples", "2", "--seed", "3")).sampleIds).toEqual(["S3", "S4"]);
    expect((await subsample("--samples", "2", "--seed", "4")).sampleIds).toEqual(["S1", "S4"]);
    expect(Object.keys((await subsample("--asvs", "2", "--seed", "3")).counts)).toEqual(["c", "e"]);
  });

  test.each([
    [["--depth", "10"], "has no sample with 10 counts (the deepest has 9)"],
    [["--samples", "5"], "has 4 samples, from which 5 cannot be drawn"],
    [["--samples", "2", "--depth", "2"], "Give one of --depth, --samples and --asvs"],
    [[], "Give one of --depth, --samples and --asvs"],
    [["--samples", "2", "--with-replacement"], "--with-replacement is for --depth"],
  ])("refuses %p", async (options, message) => {
    const output = scratch.path("no.biom");
    expect(await refusal("table", "subsample", "--table", table, "--output", output, ...options)).toContain(
      message,
    );
  });
});

describe("every kind of table", () => {
  showsOptions(["table filter", "table merge", "table collapse", "table subsample"], "--debug");
  test("the outputs hold the same numbers, and what was done is told unless --quiet", async () => {
    const paths = ["biom", "qza", "tsv"].map((ending) => scratch.path(`same.${ending}`));
    for (const path of paths) {
      const args = ["table", "filter", "--table", table, "--min-samples", "2", "--output", path];
      expect(await succeed(...args)).toContain(`3 of 4 samples with 3 ASVs (of 5) are in ${path}`);
      expect(await succeed(...args, "--quiet")).toBe("");
      expect(JSON.parse((await succeed(...args, "--json")).trim().split("\n").at(-1)!)).toMatchObject({
        samples: 3,
        asvs: 3,
      });
    }
    const tables = await Promise.all(
      paths.map(async (path) => plain((await readTableWithNotes(path)).table)),
    );
    expect(tables[1]).toEqual(tables[0]);
    expect(tables[2]).toEqual(tables[0]);
    expect(readFileSync(paths[2], "utf8")).toBe(
      "# Constructed from biom file\n#OTU ID\tS1\tS2\tS3\na\t5\t0\t2\nb\t1\t4\t0\nc\t0\t3\t3\n",
    );
    const csv = [
      "table",
      "filter",
      "--table",
      table,
      "--min-samples",
      "2",
      "--output",
      scratch.path("x.csv"),
    ];
    expect(await refusal(...csv)).toContain("for a table use one of .biom, .qza, .tsv");
  });

  const study = join(outsideData, "moving-pictures");
  test.skipIf(!existsSync(study))("Moving Pictures, as QIIME 2 filters and draws it", async () => {
    const [source, own] = [join(study, "table.qza"), join(study, "sample-metadata.tsv")];
    const where = [
      "--metadata",
      own,
      "--where",
      "body-site=gut|tongue",
      "--min-depth",
      "1500",
      "--min-richness",
      "30",
    ];
    const filtered = await made(["filter", "--table", source, ...where], "qza");
    expect([filtered.sampleIds.length, Object.keys(filtered.counts).length]).toEqual([11, 246]);
    const drawn = await made(["subsample", "--table", source, "--samples", "5", "--seed", "7"]);
    expect([...drawn.sampleIds].sort()).toEqual(["L1S281", "L2S204", "L2S240", "L3S294", "L6S68"]);
  });
});
