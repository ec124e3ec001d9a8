import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Random } from "../../../src/common/random/random.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { faithPd, uniFracAllPairs, writeFaithPd, writeUniFrac } from "../../../src/data/unifrac/index.ts";
import { SquareStore } from "../../../src/data/unifrac/squareStore.ts";
import { readNpy } from "../../../src/formats/npy/npy.ts";
import { useScratch } from "../../helpers/scratch.ts";
import { randomCounts, randomTree, tableOf } from "../../helpers/uniFracTables.ts";

const scratch = useScratch();
const random = new Random(12);
const tree = randomTree(random, 40);
const asvIds = tree.names.filter((name) => name !== "");
// More than one block of rows.
const table = tableOf(randomCounts(random, 150, asvIds.length), asvIds);

describe("UniFrac in files", () => {
  for (const precision of ["float32", "float64"] as const) {
    for (const extension of ["npy", "h5", "tsv", "arrow"]) {
      test.each([
        ["in memory", 1e9],
        ["by way of a file", 0],
      ])(`.${extension}, ${precision}, put together %s`, async (_, memoryBytes) => {
        const path = scratch.path(`${precision}.${extension}`);
        const options = { metric: "weighted_normalized", precision } as const;
        await writeUniFrac(path, table, tree, { ...options, memoryBytes });
        const found = readDistances(path, { sampleOrder: table.sampleIds });
        expect(found.ids).toEqual(table.sampleIds);
        const expected = await uniFracAllPairs(table, tree, options);
        // Text is read as float64.
        const values = precision === "float32" ? Float32Array.from(found.values) : found.values;
        expect(values).toEqual(expected);
        expect(readdirSync(dirname(path)).filter((name) => name.includes("tmp"))).toEqual([]);
      });
    }
  }

  test("of one sample, and of none", async () => {
    for (const samples of [1, 0]) {
      for (const memoryBytes of [1e9, -1]) {
        const few = tableOf(randomCounts(random, samples, asvIds.length), asvIds);
        await writeUniFrac(scratch.path("few.npy"), few, tree, { memoryBytes });
        expect(readNpy(scratch.path("few.npy")).shape).toEqual([samples, samples]);
      }
    }
  });

  test("tell how many pairs are done", async () => {
    const seen: number[][] = [];
    const onProgress = (done: number, total: number) => seen.push([done, total]);
    await writeUniFrac(scratch.path("progress.npy"), table, tree, { onProgress });
    const pairs = (150 * 149) / 2;
    expect(seen).toEqual([
      [pairs - (22 * 21) / 2, pairs],
      [pairs, pairs],
    ]);
  });

  test("are refused before any work where they cannot be written", async () => {
    const message = async (path: string, metric = "unweighted" as const) => {
      try {
        await writeUniFrac(path, table, tree, { metric });
      } catch (cause) {
        if (cause instanceof Error && cause.name === "UserError") return cause.message;
        throw cause;
      }
      return "nothing";
    };
    expect(await message(scratch.path("a.csv"))).toMatch(
      /a.csv has the extension .csv; for unweighted use one of .npy, .h5, .tsv, .qza, .arrow.$/,
    );
    expect(await message(scratch.path("plain"))).toContain("has no extension");
    expect(await message(scratch.path("nowhere/a.npy"))).toMatch(
      /^Cannot write .*a.npy: its folder does not exist/,
    );
    mkdirSync(scratch.path("folder.npy"));
    expect(await message(scratch.path("folder.npy"))).toMatch(
      /^Cannot write .*: it is a folder; give a file's path.$/,
    );
    expect(() => writeFaithPd(scratch.path("a.h5"), table, tree)).toThrow(
      /for faith_pd use one of .npy, .tsv/,
    );
  });

  test("leave an older file and nothing else where the work fails", async () => {
    const path = scratch.path("kept.npy");
    writeFileSync(path, "older");
    const bad = tableOf([[-1, 2]], asvIds.slice(0, 2));
    await expect(writeUniFrac(path, bad, tree, { memoryBytes: -1 })).rejects.toThrow(/need counts/);
    expect(readFileSync(path, "utf8")).toBe("older");
    expect(readdirSync(dirname(path)).filter((name) => name.startsWith("kept"))).toEqual(["kept.npy"]);
  });

  test("Faith's PD as text and as an array", () => {
    const values = faithPd(table, tree);
    writeFaithPd(scratch.path("pd.npy"), table, tree);
    expect(readNpy(scratch.path("pd.npy")).values).toEqual(values);
    writeFaithPd(scratch.path("pd.tsv"), table, tree);
    const lines = readFileSync(scratch.path("pd.tsv"), "utf8").split("\n");
    expect(lines.slice(0, 2)).toEqual(["#SampleID\tfaith_pd", `sample 0\t${values[0]}`]);
  });
});

test("a store gives the rows of the whole matrix again and again", () => {
  for (const memoryBytes of [1e9, -1]) {
    using store = new SquareStore(5, "float64", scratch.path("store"), memoryBytes);
    const upper = [
      [0, 1, 2, 3, 4],
      [9, 0, 5, 6, 7],
      [9, 9, 0, 8, 10],
    ];
    store.add({ from: 0, to: 3, values: Float64Array.from(upper.flat()) });
    store.add({ from: 3, to: 5, values: Float64Array.of(0, 11, 9, 0) });
    for (let time = 0; time < 2; time++) {
      expect([...store.rows()].map((row) => [...row]).length).toBe(5);
      const rows: number[][] = [];
      for (const row of store.rows()) rows.push([...row]);
      expect(rows).toEqual([
        [0, 1, 2, 3, 4],
        [1, 0, 5, 6, 7],
        [2, 5, 0, 8, 10],
        [3, 6, 8, 0, 11],
        [4, 7, 10, 11, 0],
      ]);
    }
  }
});
