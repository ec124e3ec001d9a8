import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { openDataset, verifyDataset } from "../../../src/data/dataset/dataset.ts";
import type { Description } from "../../../src/data/describe/describe.ts";

const program = join(resolve(import.meta.dir, "../../.."), "scripts/aam.ts");
const scratch = scratchFolder();
const study = join(scratch, "study");
const files = ["table.biom", "tree.nwk", "metadata.tsv"].map((name) => join(study, name));
const [table, tree, metadata] = files;

function run(...args: string[]): { code: number; out: string; error: string } {
  const done = Bun.spawnSync([process.execPath, program, ...args], { stdout: "pipe", stderr: "pipe" });
  return { code: done.exitCode, out: done.stdout.toString(), error: done.stderr.toString() };
}

function info(path: string): Description {
  const { code, out } = run("info", path, "--json");
  expect(code).toBe(0);
  return JSON.parse(out) as Description;
}

const simulated = run("simulate", "--output", study, "--samples", "25", "--asvs", "60", "--seed", "7");

describe("from a simulated study to a data set", () => {
  test("simulate writes the three files and says that they are simulated", () => {
    expect(simulated.code).toBe(0);
    expect(simulated.out).toContain("Simulated by");
    expect(files.every((path) => existsSync(path))).toBe(true);
  });

  test("prep makes a data set that info describes", () => {
    const output = join(scratch, "set");
    const metric = "unweighted,faith_pd";
    const done = run(
      "prep",
      "--table",
      table,
      "--tree",
      tree,
      "--metadata",
      metadata,
      "--metric",
      metric,
      "--output",
      output,
    );
    expect([done.code, done.error.startsWith("Warning: The table was rarefied to ")]).toEqual([0, true]);
    expect(done.out).toContain("Computing unweighted");
    const description = info(output);
    if (description.kind !== "dataset") throw new Error("not a data set");
    expect(description.samples).toBe(23);
    expect(description.depth!.min).toBe(description.depth!.max);
    expect(description.distances.unweighted).toMatchObject({ pairs: 253, unknown: 0 });
    expect(description.distances.unweighted.mean!).toBeGreaterThan(0.2);
    expect(description.vectors.faith_pd!.min).toBeGreaterThan(0);
    expect(description.metadata.map((column) => [column.name, column.kind])).toEqual([
      ["ph", "numeric"],
      ["site", "text"],
      ["plot", "text"],
    ]);
  });

  test("prep takes distances instead of computing them", () => {
    const [computed, output] = [join(scratch, "computed"), join(scratch, "imported")];
    const common = ["prep", "--table", table, "--rarefy-depth", "none", "--quiet"];
    expect(run(...common, "--tree", tree, "--output", computed).code).toBe(0);
    using first = openDataset(computed);
    const ids = first.sampleIds;
    const rows = ids.map((id, i) =>
      [id, ...ids.map((_, j) => first.distance("unweighted").between(i, j))].join("\t"),
    );
    const matrix = join(scratch, "matrix.tsv");
    writeFileSync(matrix, ["", ...ids].join("\t") + "\n" + rows.join("\n") + "\n");
    expect(run(...common, "--distances", matrix, "--output", output)).toEqual({
      code: 0,
      out: "",
      error: "",
    });
    using second = openDataset(output);
    expect([...second.distance("unweighted").condensed()]).toEqual([
      ...first.distance("unweighted").condensed(),
    ]);
  });

  test("info prints the asked keys for files", () => {
    expect(info(table)).toMatchObject({
      kind: "table",
      samples: 25,
      nonzero: expect.any(Number),
      total: expect.any(Number),
    });
    expect(info(tree)).toMatchObject({ kind: "tree", tips: 60, nodes: 119 });
    expect(run("info", metadata).out).toContain('"ph": numeric');
  });
});

describe("mistakes end with one sentence and 1:", () => {
  const cases: [name: string, args: string[], message: RegExp][] = [
    ["no such table", ["prep", "--table", "none.biom", "--output", "x"], /none\.biom.*no such file/],
    ["no tree", ["prep", "--table", table, "--metric", "unweighted", "--output", "x"], /without a tree/],
    ["a folder of other files", ["prep", "--table", table, "--output", study], /holds other files/],
    ["a damaged file", ["info", join(scratch, "junk.biom")], /junk\.biom/],
  ];
  writeFileSync(join(scratch, "junk.biom"), "\x89HDF\r\n\x1a\nand no more");
  for (const [name, args, message] of cases) {
    test(name, () => {
      const { code, error } = run(...args);
      expect(code).toBe(1);
      expect(error).toMatch(message);
      expect(error.trim().split("\n")).toHaveLength(1);
    });
  }

  test("info --json tells it as JSON", () => {
    const { code, out } = run("info", "none.biom", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({ error: expect.stringContaining("none.biom") });
  });
});

test("a prep that is killed leaves nothing that opens, and the next one succeeds", async () => {
  const large = join(scratch, "large");
  run("simulate", "--output", large, "--samples", "3000", "--asvs", "4000", "--length", "80");
  const folder = join(scratch, "interrupted");
  const output = join(folder, "set");
  const args = [
    "prep",
    "--table",
    join(large, "table.biom"),
    "--tree",
    join(large, "tree.nwk"),
    "--output",
    output,
  ];
  let killed = 0;
  for (const milliseconds of [200, 400, 600, 800]) {
    const child = Bun.spawn([process.execPath, program, ...args], { stdout: "ignore", stderr: "ignore" });
    await Bun.sleep(milliseconds);
    child.kill(9);
    killed += (await child.exited) === 0 ? 0 : 1;
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      // What stands under the final name is whole; what does not is refused.
      if (name === "set") verifyDataset(output);
      else expect(() => openDataset(join(folder, name))).toThrow(/unfinished/);
    }
  }
  expect(killed).toBeGreaterThan(0);
  expect(run(...args).code).toBe(0);
  verifyDataset(output);
  expect(readFileSync(join(output, "manifest.json"), "utf8")).toContain("unweighted");
}, 60_000);
