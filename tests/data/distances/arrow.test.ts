import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { tableFromArrays, tableFromIPC, tableToIPC } from "apache-arrow";
import { exampleDistances } from "../../../lab/material/exampleTable.ts";
import { writeSquareArrow } from "../../../src/data/distances/arrow.ts";
import { type Distances, squareRows } from "../../../src/data/distances/distances.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { userErrorOf, useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();

function write(name: string, distances: Distances): string {
  const precision = distances.values instanceof Float32Array ? "float32" : "float64";
  writeSquareArrow(scratch.path(name), { ids: distances.ids, precision, rows: () => squareRows(distances) });
  return scratch.path(name);
}

describe("distances in Arrow", () => {
  const ids = Array.from({ length: 1700 }, (_, i) => `sample ü ${i}`);
  const single: Distances = { ids, values: exampleDistances(1700) };

  test.each([
    ["float32, in more than one batch", single],
    ["float64", { ids: ids.slice(0, 3), values: Float64Array.of(0.1, 0.2, 1 / 3) }],
  ])("come back as they were: %s", (name, distances) => {
    expect(readDistances(write(name, distances))).toEqual(distances);
  });

  test("are a table with a row for each sample", () => {
    const table = tableFromIPC(
      readFileSync(write("small", { ids: ["a", "b"], values: Float32Array.of(0.5) })),
    );
    expect(table.schema.fields.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      "id: Utf8",
      "distances: FixedSizeList[2]<Float32>",
    ]);
    expect([...table.getChild("distances")!.get(1).toArray()]).toEqual([0.5, 0]);
    expect(tableFromIPC(readFileSync(scratch.path("float32, in more than one batch"))).batches.length).toBe(
      2,
    );
  });

  test("are refused where they are damaged or something else", () => {
    const bytes = readFileSync(write("whole", { ids: ["a", "b"], values: Float32Array.of(0.5) }));
    const cut = scratch.write("cut", bytes.subarray(0, 200));
    expect(userErrorOf(() => readDistances(cut))).toMatch(
      /cut is (a damaged Arrow file|an Arrow file, but not)/,
    );
    const other = tableFromArrays({ id: ["a", "b"], distances: Float32Array.of(1, 2) });
    const path = scratch.write("other", tableToIPC(other, "file"));
    expect(userErrorOf(() => readDistances(path))).toContain(
      'it needs the columns "id" (text) and "distances"',
    );
    const rectangle = {
      ids: ["a", "b", "c"],
      precision: "float32",
      rows: () => [new Float32Array(3)],
    } as const;
    expect(() => writeSquareArrow(scratch.path("x"), rectangle)).toThrow("There are 1 rows for 3 samples.");
  });
});
