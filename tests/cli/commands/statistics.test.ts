import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readSampleVector } from "../../../src/data/distances/sampleVector.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { readOrdination } from "../../../src/data/statistics/ordination.ts";
import type { MapData } from "../../../src/display/page/browser/mapData.ts";
import { openQzaBytes } from "../../../src/formats/qza.ts";
import { checkArtifact, python } from "../../helpers/checkArtifact.ts";
import { refusal, run, succeed } from "../../helpers/commandLine.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";
import { worst } from "../../helpers/uniFracTables.ts";

const scratch = useScratch();
const at = scratch.path;
let table: string[];
let phylogeny: string[];
let metadata: string[];
let matrix: string[];

beforeAll(async () => {
  const study = writeSimulation(
    at("study"),
    simulate({ samples: 24, asvs: 60, richness: 20, depth: 500, length: 40 }),
  );
  table = ["--table", study.table];
  phylogeny = ["--tree", study.tree];
  metadata = ["--metadata", study.metadata];
  matrix = ["--distances", at("braycurtis.tsv")];
  await succeed("beta", ...table, "-o", at("braycurtis.tsv"));
  await succeed("unifrac", ...table, ...phylogeny, "-o", at("unifrac.npy"), "--precision", "float64");
});

let files = 0;
const fresh = (ending: string) => at(`out-${files++}${ending}`);
const text = (path: string) => readFileSync(path, "utf8");
/** The table of one row that a test writes. */
const rowOf = (path: string) => {
  const [names, values] = text(path)
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
};

/** Runs a command that writes `-o FILE`; gives the file. */
async function written(ending: string, ...command: string[]): Promise<string> {
  const path = fresh(ending);
  await succeed(...command, "-o", path);
  return path;
}

/** Runs a test of groups or matrices and gives its row. */
const result = async (...command: string[]) => rowOf(await written(".tsv", ...command));

const everywhere = ["beta", "pcoa", "permanova", "anosim", "mantel", "procrustes", "alpha", "rarefaction"];

showsOptions(everywhere, "--json --quiet");
test("each prints sentences, one object on each line, or nothing", async () => {
  const two = [at("braycurtis.tsv"), at("braycurtis.tsv")];
  const groups = [...metadata, "--column", "site", "--permutations", "9"];
  const commands = [
    ["beta", ...table, "-o", fresh(".tsv")],
    ["pcoa", ...matrix, "-o", fresh(".tsv")],
    ["permanova", ...matrix, ...groups],
    ["anosim", ...matrix, ...groups],
    ["mantel", ...two, "--permutations", "9"],
    ["procrustes", ...two, "--permutations", "9"],
    ["alpha", ...table, "-o", fresh(".tsv")],
    ["rarefaction", ...table, "-o", fresh(".tsv"), "--repeats", "1"],
  ];
  expect(commands.map(([name]) => name)).toEqual(everywhere);
  for (const command of commands) {
    expect(await succeed(...command)).toMatch(/^\w.*\n/);
    const lines = (await succeed(...command, "--json"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1).event).toBe(command[0]);
    expect(await succeed(...command, "--quiet")).toBe("");
  }
});

describe("beta", () => {
  test("writes the metric that is asked for, of rarefied counts", async () => {
    const values = async (...more: string[]) =>
      readDistances(await written(".tsv", "beta", ...table, ...more)).values;
    const [counts, present] = [await values(), await values("--metric", "jaccard")];
    expect(worst(counts, present)).toBeGreaterThan(0.1);
    const rarefied = await values("--rarefy-depth", "100");
    expect(worst(rarefied, await values("--rarefy-depth", "100", "--seed", "1"))).toBeGreaterThan(0.001);
    expect(worst(rarefied, await values("--rarefy-depth", "100"))).toBe(0);
  });

  test("two samples without counts are at distance 0, and 1 from others", async () => {
    const path = scratch.write("empty.tsv", "#OTU ID\tA\tB\tC\nx\t1\t0\t0\ny\t2\t0\t0\n");
    for (const metric of ["braycurtis", "jaccard"]) {
      const out = await written(".tsv", "beta", "--table", path, "--metric", metric);
      expect([...readDistances(out).values]).toEqual([1, 1, 0]);
    }
  });
});

describe("pcoa", () => {
  test("takes a matrix, or a table whose distances it computes", async () => {
    const axes = async (...command: string[]) => readOrdination(await written(".txt", "pcoa", ...command));
    const read = await axes(...matrix);
    expect([read.ids.length, read.eigenvalues.length]).toEqual([24, 10]);
    expect(worst((await axes(...table)).coordinates, read.coordinates)).toBeLessThan(1e-9);
    const tree = await axes(...table, ...phylogeny);
    const npy = await axes("--distances", at("unifrac.npy"), ...table);
    expect(worst(tree.coordinates, npy.coordinates)).toBeLessThan(1e-9);
    const weighted = await axes(...table, ...phylogeny, "--metric", "weighted_normalized");
    expect(worst(weighted.eigenvalues, tree.eigenvalues)).toBeGreaterThan(0.01);
    const found = await axes(...matrix, "--method", "fsvd", "--dimensions", "3");
    expect(found.eigenvalues.length).toBe(3);
    expect(worst(found.eigenvalues, read.eigenvalues.slice(0, 3))).toBeLessThan(1e-9);
    const rarefied = ["--rarefy-depth", "50"];
    const one = await axes(...table, ...rarefied);
    expect(
      worst(one.eigenvalues, (await axes(...table, ...rarefied, "--seed", "4")).eigenvalues),
    ).toBeGreaterThan(0.001);
  });

  test("writes scikit-bio's format, and a table", async () => {
    const path = await written(".txt", "pcoa", ...matrix, "--dimensions", "2");
    const lines = text(path).split("\n");
    expect(lines.filter((line) => /^[A-Z][a-z]+( \w+)?\t\d+/.test(line))).toEqual([
      "Eigvals\t2",
      "Proportion explained\t2",
      "Species\t0\t0",
      "Site\t24\t2",
      "Biplot\t0\t0",
      "Site constraints\t0\t0",
    ]);
    const tsv = await written(".tsv", "pcoa", ...matrix, "--dimensions", "2");
    expect(text(tsv).split("\n")[0]).toBe("sample-id\tPC1\tPC2");
    expect(text(tsv).split("\n")[1]).toBe(lines[lines.indexOf("Site\t24\t2") + 1]);
  });

  test.skipIf(python === undefined)("writes QIIME 2's artifact, which knows its matrix", async () => {
    const distances = await written(".qza", "beta", ...table);
    const path = await written(".qza", "pcoa", "--distances", distances);
    const { uuid } = openQzaBytes(readFileSync(distances), distances);
    expect(checkArtifact(path)).toMatchObject({ type: "PCoAResults", inputs: [uuid] });
    expect(readOrdination(path)).toEqual(
      readOrdination(await written(".txt", "pcoa", "--distances", distances)),
    );
    const shannon = await written(".qza", "alpha", ...table, "--metric", "shannon");
    expect(checkArtifact(shannon).type).toBe("SampleData[AlphaDiversity]");
    expect(await refusal("alpha", ...table, "-o", at("all.qza"))).toContain(
      "An artifact holds one diversity",
    );
  });

  test("draws samples in the colours of a column", async () => {
    const plot = async (...more: string[]) => {
      const path = fresh(".svg");
      await written(".txt", "pcoa", ...matrix, "--plot", path, ...more);
      return text(path);
    };
    expect(await plot()).not.toContain("forest");
    const coloured = await plot(...metadata, "--color-by", "site");
    for (const name of ["forest", "meadow", "shore", "PC 1 ("]) expect(coloured).toContain(name);
    expect(await plot(...metadata, "--color-by", "ph")).toContain("linearGradient");
    const page = fresh(".html");
    await written(".txt", "pcoa", ...matrix, "--plot", page, ...metadata, "--color-by", "ph");
    const data = JSON.parse(/id="map-data">(.*?)<\/script>/.exec(text(page))![1] ?? "") as MapData;
    expect(data.columns.map(({ name }) => name)).toEqual(["ph", "site", "plot"]);
    expect([data.columns[data.colour]?.name, data.panels.length]).toEqual(["ph", 1]);
    const bare = fresh(".html");
    await written(".txt", "pcoa", ...matrix, "--plot", bare);
    expect(text(bare)).toContain('"columns":[]');
  });

  test("says what negative eigenvalues mean", async () => {
    const path = scratch.write("odd.tsv", "\ta\tb\tc\na\t0\t1\t9\nb\t1\t0\t1\nc\t9\t1\t0\n");
    const { error, code } = await run("pcoa", "--distances", path, "-o", fresh(".txt"));
    expect(code).toBe(0);
    expect(error).toMatch(
      /^Warning: 1 eigenvalue is negative, the lowest -12.8 \(31.7 % of the first in size\): no Euclidean space/,
    );
  });
});

describe("permanova and anosim", () => {
  test.each(["permanova", "anosim"])("%s takes groups, strata and permutations", async (name) => {
    const by = (column: string, ...more: string[]) =>
      result(name, ...matrix, ...metadata, "--column", column, "--permutations", "199", ...more);
    const site = await by("site");
    expect(site).toMatchObject({ column: "site", samples: "24", groups: "3", permutations: "199" });
    expect(await by("site")).toEqual(site);
    expect((await by("plot")).statistic).not.toBe(site.statistic);
    const table_ = await result(name, ...table, ...metadata, "--column", "site", "--permutations", "199");
    expect(Number(table_.statistic)).toBeCloseTo(Number(site.statistic), 9);
    expect(await by("site", "--permutations", "0")).toMatchObject({ permutations: "0", "p-value": "" });
    // A column that says nothing, so that chance shows.
    const sites = text(metadata[1])
      .split("\n")
      .filter((line) => line.startsWith("S0"))
      .map((line) => line.split("\t"));
    const half = scratch.write(
      "half.tsv",
      `sample-id\thalf\tsite\n${sites.map(([id, , site_], i) => `${id}\t${"xy"[i % 2]}\t${site_}\n`).join("")}`,
    );
    const chance = async (...more: string[]) =>
      (await result(name, ...matrix, "--metadata", half, "--column", "half", ...more))["p-value"];
    expect(await chance()).not.toBe(await chance("--seed", "1"));
    expect(await chance("--strata", "site")).not.toBe(await chance());
    const trees = [...table, ...phylogeny, "--metric", "weighted_normalized", "--rarefy-depth", "200"];
    const other = await result(name, ...trees, ...metadata, "--column", "site", "--permutations", "9");
    expect(other.statistic).not.toBe(site.statistic);
  });

  showsOptions(["permanova", "anosim"], "--pairwise");
  test.each(["permanova", "anosim"])("%s --pairwise tests each two groups alone", async (name) => {
    const by = [...matrix, ...metadata, "--column", "site", "--permutations", "99"];
    const rows = async (...more: string[]) =>
      text(await written(".tsv", name, ...by, ...more))
        .slice(0, -1)
        .split("\n")
        .map((line) => line.split("\t"));
    const [names, whole, ...pairs] = await rows("--pairwise");
    expect(names.slice(-2)).toEqual(["pair", "q-value"]);
    expect(whole.slice(0, -2)).toEqual((await rows())[1]);
    const cell = (row: string[], column: string) => row[names.indexOf(column)];
    expect(pairs.map((row) => cell(row, "pair"))).toEqual([
      "forest - meadow",
      "forest - shore",
      "meadow - shore",
    ]);
    expect(pairs.reduce((sum, row) => sum + Number(cell(row, "samples")), 0)).toBe(48);
    for (const row of pairs)
      expect(Number(cell(row, "q-value"))).toBeGreaterThanOrEqual(Number(cell(row, "p-value")));
    expect(await refusal(name, ...by, "--pairwise", "--strata", "plot")).toContain("--pairwise tests pairs");
  });

  test("names groups of one sample and samples without a value", async () => {
    const rows = text(metadata[1])
      .split("\n")
      .filter((line) => line.startsWith("S0"));
    const changed = rows.map(
      (line, i) => `${line.split("\t")[0]}\t${["", "alone"][i] ?? ["a", "b"][i % 2]}\n`,
    );
    const path = scratch.write("groups.tsv", `sample-id\tgroup\n${changed.join("")}`);
    const { code, error, out } = await run(
      "permanova",
      ...matrix,
      "--metadata",
      path,
      "--column",
      "group",
      "--permutations",
      "9",
    );
    expect(code).toBe(0);
    expect(error).toContain("1 of 24 samples have no value");
    expect(error).toContain('One group has one sample alone ("alone")');
    expect(out).toContain("23 samples of braycurtis.tsv; 3 groups of group: a 11, alone 1, b 11");
  });
});

describe("mantel and procrustes", () => {
  const two = () => [at("braycurtis.tsv"), at("unifrac.npy"), ...table];

  showsOptions("mantel", "--table --intersect-ids --threads");
  test("mantel compares matrices by their ids", async () => {
    const usual = await result("mantel", ...two());
    expect(usual).toMatchObject({
      correlation: "pearson",
      alternative: "two-sided",
      samples: "24",
      permutations: "999",
    });
    expect(Number(usual.statistic)).toBeGreaterThan(0.3);
    expect(usual["p-value"]).toBe("0.001");
    expect(await result("mantel", ...two(), "--threads", "2")).toEqual(usual);
    expect((await result("mantel", ...two(), "--method", "spearman")).statistic).not.toBe(usual.statistic);
    expect((await result("mantel", ...two(), "--alternative", "less"))["p-value"]).toBe("1");
    const few = ["--permutations", "5", "--alternative", "less"];
    expect((await result("mantel", ...two(), ...few)).permutations).toBe("5");
    const random = scratch.write(
      "random.tsv",
      "\tS000003\tS000001\tS000002\nS000003\t0\t1\t2\nS000001\t1\t0\t3\nS000002\t2\t3\t0\n",
    );
    const matrices = [at("braycurtis.tsv"), random];
    expect(await refusal("mantel", ...matrices)).toContain(
      "add --intersect-ids to compare those that are in both",
    );
    const { error, code } = await run("mantel", ...matrices, "--intersect-ids");
    expect([code, error]).toEqual([
      0,
      "Warning: 21 samples are in one of the files alone and were left out.\n",
    ]);
    const { ids } = readDistances(at("braycurtis.tsv"));
    const odd = ids.map(
      (id, i) => `${id}\t${ids.map((_, j) => (i === j ? 0 : 1 + ((i * j) % 5))).join("\t")}\n`,
    );
    const chance = scratch.write("chance.tsv", `\t${ids.join("\t")}\n${odd.join("")}`);
    const p = async (seed: string) =>
      (await result("mantel", matrices[0], chance, "--seed", seed))["p-value"];
    expect(await p("1")).not.toBe(await p("2"));
    const plot = fresh(".svg");
    await succeed("mantel", ...two(), "--permutations", "0", "--plot", plot);
    expect(text(plot)).toContain("braycurtis.tsv");
  });

  showsOptions("procrustes", "--table --intersect-ids");
  test("procrustes compares matrices and ordinations", async () => {
    const usual = await result("procrustes", ...two());
    expect(usual).toMatchObject({ samples: "24", dimensions: "5", permutations: "999" });
    const [m2, p] = [Number(usual["m-squared"]), Number(usual["p-value"])];
    expect(m2).toBeGreaterThan(0.05);
    expect(m2).toBeLessThan(0.95);
    expect(p).toBeLessThan(0.05);
    const axes = await written(".txt", "pcoa", ...matrix);
    expect(await result("procrustes", axes, ...two().slice(1))).toEqual(usual);
    const same = await result(
      "procrustes",
      axes,
      at("braycurtis.tsv"),
      "--dimensions",
      "2",
      "--permutations",
      "9",
    );
    expect(same.dimensions).toBe("2");
    expect(Number(same["m-squared"])).toBeLessThan(1e-9);
    const few = scratch.write(
      "four.tsv",
      "\tS000003\tS000001\tS000002\tS000004\nS000003\t0\t1\t2\t2\nS000001\t1\t0\t3\t1\nS000002\t2\t3\t0\t2\nS000004\t2\t1\t2\t0\n",
    );
    expect(await refusal("procrustes", axes, few)).toContain("--intersect-ids");
    const p2 = async (seed: string) =>
      (await result("procrustes", axes, few, "--intersect-ids", "--dimensions", "2", "--seed", seed))[
        "p-value"
      ];
    expect(await p2("1")).not.toBe(await p2("2"));
    const plot = fresh(".svg");
    await succeed("procrustes", ...two(), "--permutations", "0", "--plot", plot);
    expect(text(plot)).toContain("unifrac.npy");
  });
});

describe("alpha and rarefaction", () => {
  test("alpha writes a table of samples and metrics", async () => {
    const lines = async (...more: string[]) =>
      text(await written(".tsv", "alpha", ...table, ...more))
        .trimEnd()
        .split("\n");
    const all = await lines();
    expect([all.length, all[0]]).toEqual([
      25,
      "sample-id\tobserved_features\tshannon\tpielou_e\tsimpson\tchao1",
    ]);
    expect((await lines(...phylogeny))[0]).toEndWith("\tchao1\tfaith_pd");
    const column = async (...more: string[]) =>
      (await lines("--metric", "shannon", ...more)).slice(1).map((line) => Number(line.split("\t")[1]));
    const [bits, nats] = [await column(), await column("--shannon-base", "e")];
    expect(
      worst(
        bits.map((value) => value * Math.LN2),
        nats,
      ),
    ).toBeLessThan(1e-12);
    const rarefied = await column("--rarefy-depth", "50");
    expect(worst(rarefied, await column("--rarefy-depth", "50", "--seed", "3"))).toBeGreaterThan(0.001);
    const faith = await written(".tsv", "alpha", ...table, ...phylogeny, "--metric", "faith_pd");
    const other = await written(".tsv", "unifrac", ...table, ...phylogeny, "--metric", "faith_pd");
    expect(readSampleVector(faith)).toEqual(readSampleVector(other));
  });

  test("samples without counts are left out and named", async () => {
    const path = scratch.write("empty.tsv", "#OTU ID\tA\tB\nx\t1\t0\ny\t2\t0\n");
    const out = fresh(".tsv");
    const { error } = await run("alpha", "--table", path, "-o", out);
    expect(error).toBe(
      'Warning: 1 of 2 samples have no counts, and so no diversity; they were left out, the first is "B".\n',
    );
    expect(text(out).trimEnd().split("\n").length).toBe(2);
  });

  test("rarefaction gives means at depths that rise, and draws them by group", async () => {
    const rows = async (...more: string[]) =>
      text(await written(".tsv", "rarefaction", ...table, ...more))
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t"));
    const observed = ["--metric", "observed_features", "--max-depth", "200", "--steps", "4"];
    const usual = await rows(...observed);
    expect(usual[0]).toEqual(["sample-id", "depth", "observed_features"]);
    expect(new Set(usual.slice(1).map((cells) => cells[1]))).toEqual(new Set(["50", "100", "150", "200"]));
    const [first, second] = usual.slice(1, 3).map((cells) => Number(cells[2]));
    expect(second).toBeGreaterThan(first);
    expect(await rows(...observed, "--seed", "9")).not.toEqual(usual);
    expect(Number.isInteger(Number((await rows(...observed, "--repeats", "1"))[1][2]))).toBe(true);
    expect((await rows(...phylogeny, "--repeats", "1"))[0]).toContain("faith_pd");
    const plot = fresh(".svg");
    await rows(...observed, "--plot", plot, ...metadata, "--group-by", "site");
    for (const name of ["forest", "meadow", "shore"]) expect(text(plot)).toContain(name);
  });
});

describe("what is refused, with nothing written", () => {
  const zeros = () => scratch.write("zeros.tsv", "\ta\tb\tc\na\t0\t0\t0\nb\t0\t0\t0\nc\t0\t0\t0\n");
  const lopsided = () => scratch.write("lopsided.tsv", "\ta\tb\na\t0\t1\nb\t2\t0\n");
  const unknown = () => scratch.write("nan.tsv", "\ta\tb\na\t0\tnan\nb\tnan\t0\n");
  const groups = (...values: string[]) =>
    scratch.write(
      "made.tsv",
      `sample-id\tgroup\n${values.map((value, i) => `${"abc"[i]}\t${value}\n`).join("")}`,
    );
  const byGroup = () => ["--metadata", at("made.tsv"), "--column", "group"];

  test.each<[string, () => string[], string]>([
    [
      "a matrix that is not symmetric",
      () => ["pcoa", "--distances", lopsided()],
      'between "b" and "a" is 2 in one direction and 1 in the other',
    ],
    ["an unknown distance", () => ["pcoa", "--distances", unknown()], 'between "a" and "b" is missing (nan)'],
    ["distances that are all 0", () => ["pcoa", "--distances", zeros()], "All distances are 0"],
    [
      "a .npy without ids",
      () => ["pcoa", "--distances", at("unifrac.npy")],
      "holds no sample ids; add the table",
    ],
    ["a tree without use", () => ["pcoa", ...matrix, ...phylogeny], "--tree has no effect on a matrix"],
    [
      "UniFrac without a tree",
      () => ["pcoa", ...table, "--metric", "unweighted"],
      "needs a tree; add --tree",
    ],
    ["no distances", () => ["pcoa"], "Give the distances with --distances"],
    ["another ending", () => ["pcoa", ...matrix, "--plot", at("x.pdf")], "x.pdf has the extension .pdf"],
    ["colours without a plot", () => ["pcoa", ...matrix, ...metadata, "--color-by", "site"], "add --plot"],
    [
      "a tree that alpha does not need",
      () => ["alpha", ...table, ...phylogeny, "--metric", "shannon"],
      "--tree has no effect on shannon",
    ],
    [
      "more depths than counts",
      () => ["rarefaction", ...table, "--max-depth", "5"],
      "10 depths up to 5 counts are not all different",
    ],
    [
      "curves of shares",
      () => ["rarefaction", "--table", scratch.write("shares.tsv", "#OTU ID\ta\tb\nx\t0.5\t1\ny\t0.5\t0\n")],
      'ASV "x" has the count 0.5 in sample "a", not a whole number',
    ],
    [
      "Faith's PD without a tree",
      () => ["rarefaction", ...table, "--metric", "faith_pd"],
      "faith_pd needs a tree",
    ],
  ])("%s", async (_, command, said) => {
    const out = at(`refused-${files++}.tsv`);
    expect(await refusal(...command(), "-o", out)).toContain(said);
    expect(existsSync(out)).toBe(false);
  });

  test.each<[string, string[], string]>([
    ["one group", ["x", "x", "x"], '"group" has one group alone ("x")'],
    ["groups of one sample each", ["x", "y", "z"], '"group" has another value for each sample'],
    ["a column without values", ["", "", ""], 'no sample has a value of "group"'],
    ["distances that are all 0", ["x", "x", "y"], "All distances are 0, so groups cannot differ"],
  ])("groups: %s", async (_, values, said) => {
    groups(...values);
    for (const name of ["permanova", "anosim"])
      expect(await refusal(name, "--distances", zeros(), ...byGroup())).toContain(said);
  });

  test("metadata of other samples, another column, strata that leave nothing to permute", async () => {
    groups("x", "x", "y");
    const by = (...more: string[]) => refusal("permanova", ...matrix, ...more);
    expect(await by(...byGroup())).toContain('its first ids are "a", "b", ..., theirs "S000001"');
    expect(await by(...metadata, "--column", "Site")).toContain('did you mean "site"?');
    expect(await by(...metadata, "--column", "site", "--strata", "plot")).toContain("change nothing");
  });

  test("a depth that no sample has is told with the deepest", async () => {
    const args = ["rarefaction", ...table, "-o", fresh(".tsv"), "--max-depth", "1000000"];
    expect(await refusal(...args)).toMatch(/no sample with 1000000 counts \(the deepest has [1-9]\d+\)/);
  });

  test("matrices without samples in common, and equal distances", async () => {
    expect(await refusal("mantel", at("braycurtis.tsv"), zeros())).toContain("have 0 samples in common");
    expect(await refusal("mantel", zeros(), zeros())).toContain("All distances of one matrix are equal");
    expect(await refusal("procrustes", zeros(), zeros())).toContain("All distances are 0");
  });
});

test("distances of samples without counts and log-ratios of shares are told", async () => {
  const shares = scratch.write("hollow.tsv", "#OTU ID\ta\tb\tc\nx\t0.5\t1\t0\ny\t0.5\t0\t0\n");
  const warnings = async (...line: string[]) =>
    (await run(...line, "--table", shares, "-o", at("hollow.out.tsv"))).error;
  for (const command of ["beta", "pcoa"]) {
    expect(await warnings(command)).toMatch(/One sample has no counts \(the first is "c"\): at distance 0/);
    const aitchison = await warnings(command, "--metric", "aitchison");
    expect(aitchison).toMatch(/the ratios there are those of the added 1/);
    expect(aitchison).toMatch(/no whole numbers \(the first is 0\.5, of ASV "x"\), and aitchison adds 1/);
  }
});
