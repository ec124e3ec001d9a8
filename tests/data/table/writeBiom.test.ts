import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleTable } from "../../../lab/material/exampleTable.ts";
import { readTableWithNotes } from "../../../src/data/table/read.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";
import { openHdf5 } from "../../helpers/openHdf5.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-biom-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "t.biom");
const empty = { indptr: Int32Array.of(0), indices: new Int32Array(0), data: new Float64Array(0) };

describe("writeBiom", () => {
  test("writes what readTable reads, both orientations, with and without compression", async () => {
    const table = exampleTable(300, 400);
    for (const gzip of [undefined, 0, 1, 9]) {
      writeBiom(path, table, { gzip });
      const reading = await readTableWithNotes(path);
      expect(reading.table).toEqual(table);
      expect(reading.notes).toEqual([]);
      expect(openHdf5(path).dataset("observation/matrix/data").filters.length).toBe(gzip === 0 ? 0 : 2);
    }
    expect(readdirSync(folder)).toEqual(["t.biom"]);
  });

  test("writes every attribute and group that the format demands", () => {
    writeBiom(path, exampleTable(3, 5), { tableId: "mine", generatedBy: "test", creationDate: new Date(0) });
    const file = openHdf5(path);
    const attribute = (name: string): unknown[] => [...(file.attribute("", name) ?? [])];
    expect(attribute("id")).toEqual(["mine"]);
    expect(attribute("type")).toEqual(["OTU table"]);
    expect(attribute("format-url")).toEqual(["http://biom-format.org"]);
    expect(attribute("format-version")).toEqual([2, 1]);
    expect(attribute("generated-by")).toEqual(["test"]);
    expect(attribute("creation-date")).toEqual(["1970-01-01T00:00:00.000Z"]);
    expect(attribute("shape")).toEqual([5, 3]);
    expect(attribute("nnz")).toEqual([file.dataset("sample/matrix/data").length]);
    for (const axis of ["observation", "sample"]) {
      for (const group of ["metadata", "group-metadata", "matrix"])
        expect(file.has(`${axis}/${group}`)).toBe(true);
    }
  });

  test("writes the same bytes for the same table and date", () => {
    const bytes = [1, 2].map(() => {
      writeBiom(path, exampleTable(20, 30), { creationDate: new Date(0) });
      return readFileSync(path);
    });
    expect(bytes[0].equals(bytes[1])).toBe(true);
  });

  test("writes tables without samples, ASVs or either, and ids of any letters", async () => {
    const tables = [
      { ...empty, sampleIds: [], asvIds: [] },
      { ...empty, sampleIds: [], asvIds: ["A", "B"] },
      { ...empty, sampleIds: ["é", "日本 🧬"], asvIds: [], indptr: Int32Array.of(0, 0, 0) },
    ];
    for (const table of tables) {
      writeBiom(path, table);
      expect((await readTableWithNotes(path)).table).toEqual(table);
    }
  });

  test("refuses an id with a NUL and a place that cannot be written", () => {
    expect(() => writeBiom(path, { ...empty, sampleIds: [], asvIds: ["A\0"] })).toThrow(
      'the id "A\\u0000" contains a NUL',
    );
    const table = exampleTable(2, 3);
    expect(() => writeBiom(join(folder, "none", "t.biom"), table)).toThrow("its folder does not exist");
    mkdirSync(join(folder, "taken"));
    expect(() => writeBiom(join(folder, "taken"), table)).toThrow("Cannot write");
    expect(readdirSync(folder).sort()).toEqual(["t.biom", "taken"]);
  });
});
