/**
 * What the options of the commands on data do, and those of the commands about this program: prep,
 * unifrac, simulate, parity.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { hashedFiles, makeStudy, type Study } from "../../lab/material/study.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { readDistances } from "../../src/data/distances/read.ts";
import { readTable } from "../../src/data/table/read.ts";
import * as torch from "../../src/torch/index.ts";
import { refusal, run, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

torch.setNumThreads(1);
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 16);
});
let files = 0;
const newPath = (ending = "") => scratch.path(`output-${files++}${ending}`);
const different = (a: unknown, b: unknown) => !Bun.deepEquals(a, b);

describe("prep", () => {
  const inputs = (table = study.table) => [
    "prep",
    "--quiet",
    "--device",
    "cpu",
    "--table",
    table,
    "--rarefy-depth",
    "none",
  ];
  const preparedFrom = async (
    given: string[],
    read: (dataset: Dataset) => number[],
    ...options: string[]
  ) => {
    const output = newPath();
    await succeed(...given, "--output", output, ...options);
    using dataset = openDataset(output);
    return read(dataset);
  };
  const prepared = (read: (dataset: Dataset) => number[], ...options: string[]) =>
    preparedFrom(inputs(), read, ...options);
  const counts = (dataset: Dataset) => Array.from(dataset.sample(0).counts);
  const distances = (metric: string) => (dataset: Dataset) =>
    [...dataset.distance(metric).condensed()].flatMap((part) => Array.from(part));

  test("--tree, --metric, --alpha, --variance-adjusted and --precision decide the distances", async () => {
    const generalized = ["--tree", study.tree, "--metric", "generalized"];
    const computed = (...options: string[]) => prepared(distances("generalized"), ...generalized, ...options);
    const usual = await computed();
    expect(await computed()).toEqual(usual);
    expect(await computed("--alpha", "0.1")).not.toEqual(usual);
    expect(await computed("--variance-adjusted")).not.toEqual(usual);
    // Stored as float32 in both cases, but the last digit differs somewhere.
    const exact = await computed("--precision", "float64");
    expect(exact).not.toEqual(usual);
    for (const [i, value] of exact.entries()) expect(value).toBeCloseTo(usual[i], 5);
  });

  test("--table given twice merges the tables", async () => {
    const ids = (dataset: Dataset) => [dataset.sampleCount, dataset.asvCount];
    const sequence = "ACGTACGTACGTACGTACGT";
    const more = scratch.write("more.tsv", `#OTU ID\tnew1\tnew2\n${sequence}\t3\t4\n`);
    const [samples, asvs] = await prepared(ids);
    expect(await prepared(ids, "--table", more)).toEqual([samples + 2, asvs + 1]);
  });

  test("--distance-storage says whether distances are stored; they are the same", async () => {
    const tree = ["--tree", study.tree, "--metric", "weighted_normalized"];
    const stored = (dataset: Dataset) => [dataset.manifest.perBatch?.length ?? 0];
    const computed = ["--distance-storage", "per-batch"];
    expect(await prepared(stored, ...tree)).toEqual([0]);
    expect(await prepared(stored, ...tree, ...computed)).toEqual([1]);
    const read = distances("weighted_normalized");
    expect(await prepared(read, ...tree, ...computed)).toEqual(await prepared(read, ...tree));
  });

  test("--rarefy-depth, --with-replacement and --seed decide what is drawn", async () => {
    const drawn = (...options: string[]) => prepared(counts, "--rarefy-depth", "100", ...options);
    const usual = await drawn();
    expect(await drawn()).toEqual(usual);
    for (const option of [["--with-replacement"], ["--seed", "1"]]) {
      const other = await drawn(...option);
      expect(other).not.toEqual(usual);
      expect(other.reduce((sum, count) => sum + count, 0)).toBe(100);
    }
  });

  showsOptions("prep", "--distance-ids --rep-seqs");
  test("--distances, --distance-ids and --rep-seqs take what is there already", async () => {
    const matrix = newPath(".npy");
    await succeed("unifrac", "--quiet", "--table", study.table, "--tree", study.tree, "--output", matrix);
    expect(await refusal(...inputs(), "--distances", matrix, "--output", "x")).toContain("ids");
    const { table, sequences } = hashedFiles(study, scratch);
    const options = ["--distances", matrix];
    const first = (dataset: Dataset) => [dataset.distance("unweighted").between(0, 1)];
    const hashed = ["--distance-ids", "table"];
    expect(await refusal(...inputs(table), ...options, ...hashed, "--output", newPath())).toContain(
      "--rep-seqs",
    );
    const inOrder = await preparedFrom(inputs(table), first, ...options, ...hashed, "--rep-seqs", sequences);
    expect(inOrder[0]).toBeCloseTo(study.dataset.distance("unweighted").between(0, 1), 5);
    const ids = scratch.write("reversed.txt", [...study.dataset.sampleIds].reverse().join("\n"));
    const reversed = await preparedFrom(
      inputs(table),
      first,
      ...options,
      "--distance-ids",
      ids,
      "--rep-seqs",
      sequences,
    );
    expect(reversed).not.toEqual(inOrder);
  });

  showsOptions("prep", "--output");
  test("--metadata adds columns; --json is for programs, --quiet leaves warnings alone", async () => {
    const output = newPath();
    const usual = [...inputs().filter((word) => word !== "--quiet"), "--output", output];
    const lines = (await succeed(...usual, "--metadata", study.metadata, "--json")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line)).at(-1)).toMatchObject({ event: "dataset", samples: 16 });
    using dataset = openDataset(output);
    expect(dataset.column("site").kind).toBe("text");
    expect(await succeed(...usual)).toContain("Reading the table");
    expect(await succeed(...usual, "--quiet")).toBe("");
  });

  test.each([
    [["--alpha", "0.5"], "--alpha has no effect unless"],
    [["--variance-adjusted"], "--variance-adjusted has no effect where"],
    [["--distance-storage", "per-batch"], "--distance-storage has no effect where"],
    [["--distance-ids", "table"], "--distance-ids has no effect without"],
    [["--with-replacement"], "--with-replacement has no effect with"],
  ])("refuses %p where it has no effect", async (options, message) => {
    const output = newPath();
    expect(await refusal(...inputs(), "--output", output, ...options)).toContain(message);
    expect(existsSync(output)).toBe(false);
  });
});

describe("unifrac", () => {
  const computed = async (...options: string[]) => {
    const output = newPath(".tsv");
    const inputs = ["--table", study.table, "--tree", study.tree, "--output", output];
    const { threads } = await run("unifrac", "--quiet", "--device", "cpu", ...inputs, ...options);
    return { ...readDistances(output), threads };
  };

  test("every option of the distances changes them", async () => {
    const usual = await computed("--metric", "generalized");
    expect((await computed("--metric", "generalized")).values).toEqual(usual.values);
    for (const option of [
      ["--metric", "unweighted"],
      ["--metric", "generalized", "--alpha", "0.3"],
      ["--metric", "generalized", "--variance-adjusted"],
      ["--metric", "generalized", "--bypass-tips"],
      ["--metric", "generalized", "--absolute"],
      ["--metric", "generalized", "--precision", "float64"],
      ["--metric", "generalized", "--rarefy-depth", "100"],
    ]) {
      const other = await computed(...option);
      expect({ option, differs: different(other.values, usual.values) }).toEqual({ option, differs: true });
    }
  });

  test("--seed and --with-replacement decide what --rarefy-depth draws; --threads is how many compute", async () => {
    const usual = await computed("--rarefy-depth", "100", "--threads", "2");
    expect(usual.threads).toBe(2);
    const again = await computed("--rarefy-depth", "100", "--threads", "1");
    expect(again.threads).toBe(1);
    expect(again.values).toEqual(usual.values);
    for (const option of [["--seed", "1"], ["--with-replacement"]])
      expect((await computed("--rarefy-depth", "100", ...option)).values).not.toEqual(usual.values);
  });
});

test("simulate: --parts writes the samples into several tables", async () => {
  const output = newPath();
  await succeed("simulate", "--samples", "9", "--asvs", "30", "--parts", "2", "--output", output);
  const sizes = await Promise.all(
    [1, 2].map(async (part) => (await readTable(join(output, `table-${part}.biom`))).sampleIds.length),
  );
  expect(sizes).toEqual([4, 5]);
  expect(existsSync(join(output, "table.biom"))).toBe(false);
  expect(
    await refusal("simulate", "--samples", "2", "--asvs", "30", "--parts", "3", "--output", output),
  ).toContain("from 1 to the 2 samples");
});

showsOptions("simulate", "--output");
test("simulate: every option changes the study", async () => {
  const simulated = async (...options: string[]) => {
    const output = newPath();
    const usual = ["--samples", "8", "--asvs", "30", "--length", "20", "--depth", "200", "--richness", "10"];
    expect(await succeed("simulate", ...usual, "--output", output, ...options)).toContain(output);
    return ["table.biom", "tree.nwk"].map((name) => readFileSync(join(output, name)).toString("base64"));
  };
  const usual = await simulated();
  expect(await simulated()).toEqual(usual);
  for (const option of [
    ["--samples", "9"],
    ["--asvs", "31"],
    ["--depth", "900"],
    ["--richness", "5"],
    ["--length", "30"],
    ["--vary-length"],
    ["--seed", "1"],
  ])
    expect({ option, differs: different(await simulated(...option), usual) }).toEqual({
      option,
      differs: true,
    });
});

describe("parity", () => {
  const cases = join(resolve(import.meta.dir, "../.."), "tests/fixtures/parity");
  const [add, film] = ["encoder-count-add", "encoder-count-film"].map((name) => join(cases, name));

  showsOptions("parity", "--case --cases --brief");
  test("--case takes one case, --cases a folder of them; --brief leaves out what is within its tolerance", async () => {
    const whole = await succeed("parity", "--case", add);
    const brief = await succeed("parity", "--case", add, "--brief", "--device", "cpu");
    expect(whole).toStartWith(brief);
    expect([brief, whole].map((text) => text.includes("outputs/embeddings"))).toEqual([false, true]);
    const folder = newPath();
    for (const [i, from] of [add, film].entries())
      cpSync(from, join(folder, `case-${i}`), { recursive: true });
    expect(await succeed("parity", "--cases", folder, "--brief")).toContain("2 of 2 cases passed");
    expect(await refusal("parity")).toContain("Nothing to compare");
  });

  showsOptions("parity", "--against-python --python --models --seed");
  test("--against-python has --python draw --models models by --seed", async () => {
    // Instead of Python: keeps what it is given, and draws one case.
    const log = scratch.path("arguments.txt");
    const draws = `mkdir -p "$2/drawn" && cp -r "${add}" "$2/drawn/float32"`;
    const python = scratch.write("python", `#!/bin/sh\necho "$@" >> "${log}"\n${draws}\n`);
    chmodSync(python, 0o755);
    const against = ["parity", "--against-python", "--python", python];
    expect(await succeed(...against)).toContain("passed  drawn float32");
    await succeed(...against, "--models", "3", "--seed", "5");
    const drawn = readFileSync(log, "utf8").trim().split("\n");
    // Each is first asked whether it has torch.
    const [usual, other] = drawn.filter((line) => line.includes("--seed"));
    expect(usual).toEndWith("--seed 0 --models 40");
    expect(other).toEndWith("--seed 5 --models 3");
    const none = scratch.write("none", "#!/bin/sh\nexit 3\n");
    chmodSync(none, 0o755);
    expect(await refusal("parity", "--against-python", "--python", none)).toContain(none);
  });
});
