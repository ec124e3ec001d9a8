/** Tables of results come back from every format as they were written. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { parquetReadObjects } from "hyparquet";
import { UserError } from "../../../src/common/userError.ts";
import type { ResultColumn } from "../../../src/training/targets/predictionTable.ts";
import { formatOfPath, writeResults } from "../../../src/training/targets/resultFile.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

/**
 * More rows than the first row group of a Parquet file holds, with texts that are awkward and
 * numbers that are missing.
 */
const count = 2500;
const awkward = ["", "a,b", 'say "x"', "été 🦠", "x".repeat(100)];
const columns: ResultColumn[] = [
  { name: "sample_id", values: Array.from({ length: count }, (_, i) => `${i} ${awkward[i % 5]}`) },
  {
    name: "prediction",
    values: Float64Array.from({ length: count }, (_, i) => (i % 7 === 3 ? Number.NaN : i / 3)),
  },
  { name: "p_gut, oral", values: Float64Array.from({ length: count }, () => Number.NaN) },
];
const expected = Array.from({ length: count }, (_, i) => ({
  sample_id: columns[0].values[i] as string,
  prediction: i % 7 === 3 ? null : i / 3,
  "p_gut, oral": null,
}));

test("Parquet", async () => {
  const path = scratch.path("results.parquet");
  writeResults(path, columns, "parquet");
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  expect(await parquetReadObjects({ file })).toEqual(expected);
});

test("Arrow", () => {
  const path = scratch.path("results.arrow");
  writeResults(path, columns, "arrow");
  const table = tableFromIPC(readFileSync(path));
  expect(table.toArray().map((row) => ({ ...row }))).toEqual(expected);
});

test("text, with empty cells for what is missing", () => {
  const path = scratch.path("results.csv");
  writeResults(path, columns, "csv");
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines.slice(0, 4)).toEqual([
    'sample_id,prediction,"p_gut, oral"',
    "0 ,0,",
    '"1 a,b",0.33333333,',
    '"2 say ""x""",0.66666667,',
  ]);
  expect(lines[4]).toBe("3 été 🦠,,");
  writeResults(path, columns, "tsv");
  expect(readFileSync(path, "utf8").split("\n")[2]).toBe("1 a,b\t0.33333333\t");
});

describe("the format of a name", () => {
  test.each([
    ["a.tsv", "tsv"],
    ["a.TXT", "tsv"],
    ["a.csv", "csv"],
    ["a.parquet", "parquet"],
    ["a.arrow", "arrow"],
    ["a.feather", "arrow"],
  ] as const)("%s is %s", (path, format) => {
    expect(formatOfPath(path)).toBe(format);
  });

  test("that says nothing is asked for", () => {
    expect(() => formatOfPath("a.docx")).toThrow(UserError);
    expect(formatOfPath("a.qza")).toBe("qza");
    expect(() => formatOfPath("a.qza", "embeddings")).toThrow(/no type for embeddings; end a\.qza in \.tsv/);
    expect(() => formatOfPath("predictions")).toThrow(/.tsv, .csv, .parquet, .arrow, .qza, or give --format/);
  });
});
