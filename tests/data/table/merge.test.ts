import { describe, expect, test } from "bun:test";
import { basename, join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { mergeTables } from "../../../src/data/table/merge.ts";
import { gather, inOneSlice } from "../../../src/data/table/slices.ts";
import type { Table } from "../../../src/data/table/table.ts";

function table(sampleIds: string[], asvIds: string[], rows: number[][]): Table {
  const cells = rows.map((row) => row.flatMap((count, asv) => (count > 0 ? [[asv, count]] : [])));
  return {
    sampleIds,
    asvIds,
    indptr: Int32Array.from([0, ...rows.map((_, i) => cells.slice(0, i + 1).flat().length)]),
    indices: Int32Array.from(cells.flat(), ([asv]) => asv),
    data: Float64Array.from(cells.flat(), ([, count]) => count),
  };
}
const part = (of: Table, source: string, sequences: readonly string[] = of.asvIds) => ({
  table: inOneSlice(of),
  sequences,
  source,
});

describe("mergeTables", () => {
  const a = table(
    ["s1", "s2"],
    ["ACGT", "GGGG"],
    [
      [1, 2],
      [0, 3],
    ],
  );

  test("takes ASVs with the same sequence for one, however it is written, and adds up their counts", () => {
    const b = table(["s3"], ["CCCC", "acgu", "ACGT"], [[7, 4, 5]]);
    const merged = mergeTables([part(a, "a"), part(b, "b")]);
    expect(gather(merged.table)).toEqual({
      sampleIds: ["s1", "s2", "s3"],
      asvIds: ["ACGT", "GGGG", "CCCC"],
      indptr: Int32Array.of(0, 2, 3, 5),
      indices: Int32Array.of(0, 1, 1, 0, 2),
      data: Float64Array.of(1, 2, 3, 9, 7),
    });
    expect(merged.sequences).toEqual(["ACGT", "GGGG", "CCCC"]);
  });

  test("refuses a sample that is in two tables, and an id that means two sequences", () => {
    const same = () => mergeTables([part(a, "a.biom"), part(a, "b.biom")]);
    expect(same).toThrow('The sample "s1" is in a.biom and in b.biom; rename it');
    const b = table(["s3"], ["x"], [[1]]);
    const c = table(["s4"], ["x"], [[1]]);
    const apart = () => mergeTables([part(b, "b", ["AA"]), part(c, "c", ["CC"])]);
    expect(apart).toThrow('b and c call two different sequences "x"');
  });
});

test("a data set of two tables is that of their union", async () => {
  const scratch = scratchFolder();
  const study = simulate({ samples: 24, asvs: 40, depth: 300, richness: 15, length: 40 });
  const files = writeSimulation(join(scratch, "study"), study);
  const parts = [...writeSimulation(join(scratch, "parts"), study, 3).tables];
  expect(parts.map((path) => basename(path))).toEqual(["table-1.biom", "table-2.biom", "table-3.biom"]);
  const open = async (tables: string | string[], name: string) => {
    await prepareDataset({ ...files, table: tables, rarefyDepth: 100 }, join(scratch, name));
    return openDataset(join(scratch, name));
  };
  const whole = await open(files.table, "whole");
  const merged = await open(parts, "merged");
  expect(merged.sampleIds).toEqual(whole.sampleIds as string[]);
  expect(merged.manifest.sources.filter(({ role }) => role === "table")).toHaveLength(3);
  expect(merged.column("ph")).toEqual(whole.column("ph"));
  // ASVs may come in another order, and draws with them: what is in the tables is the same.
  const counts = (set: typeof whole) =>
    Array.from({ length: set.sampleCount }, (_, i) => set.sample(i).counts.reduce((sum, n) => sum + n, 0));
  expect(counts(merged)).toEqual(counts(whole));
  const unrarefied = await Promise.all(
    [files.table, parts].map(async (tables, i) => {
      await prepareDataset({ ...files, table: tables, rarefyDepth: "none" }, join(scratch, `all${i}`));
      const set = openDataset(join(scratch, `all${i}`));
      return Array.from({ length: set.sampleCount }, (_, s) => {
        const { asvs, counts: own } = set.sample(s);
        return Object.fromEntries(Array.from(asvs, (asv, k) => [set.asvSequence(asv), own[k]]));
      });
    }),
  );
  expect(unrarefied[1]).toEqual(unrarefied[0]);
});
