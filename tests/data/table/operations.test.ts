import { describe, expect, test } from "bun:test";
import { asvPrevalence, replaceIdsBySequences } from "../../../src/data/table/operations.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { plain } from "../../helpers/tableFixtures.ts";

const table: Table = {
  sampleIds: ["s", "t", "u"],
  asvIds: ["h1", "h2", "h3", "h4"],
  indptr: Int32Array.of(0, 3, 4, 5),
  indices: Int32Array.of(0, 1, 3, 2, 3),
  data: Float64Array.of(1, 2, 4, 8, 16),
};

test("asvPrevalence counts samples, not reads", () => {
  expect(asvPrevalence(table)).toEqual(Int32Array.of(1, 1, 1, 2));
});

describe("replaceIdsBySequences", () => {
  test("gives every ASV its sequence", () => {
    const sequences = new Map(["AA", "CC", "GG", "TT"].map((sequence, i) => [`h${i + 1}`, sequence]));
    const replaced = replaceIdsBySequences(table, sequences);
    expect(replaced.asvIds).toEqual(["AA", "CC", "GG", "TT"]);
    expect(plain(replaced).counts).toEqual(plain(table).counts);
  });

  test("adds up ASVs with equal sequences, in ascending order, and leaves the table as it was", () => {
    const before = structuredClone(table);
    const sequences = new Map([
      ["h4", "AA"],
      ["h2", "CC"],
      ["h3", "CC"],
      ["h1", "AA"],
      ["unused", "GG"],
    ]);
    const merged = replaceIdsBySequences(table, sequences);
    expect(plain(merged)).toEqual({
      asvIds: ["AA", "CC"],
      sampleIds: ["s", "t", "u"],
      counts: [
        [5, 0, 16],
        [2, 8, 0],
      ],
    });
    expect([...merged.indices]).toEqual([0, 1, 1, 0]);
    expect(table).toEqual(before);
  });

  test("lists ASVs without a sequence", () => {
    expect(() => replaceIdsBySequences(table, new Map([["h2", "A"]]), "t.biom")).toThrow(
      't.biom: 3 of its 4 ASVs have no sequence ("h1", "h3", "h4"); give the sequences made with this table.',
    );
    const many = { ...table, asvIds: Array.from({ length: 9 }, (_, i) => `x${i}`) };
    expect(() => replaceIdsBySequences(many, new Map())).toThrow('("x0", "x1", "x2", "x3", "x4", ...)');
  });
});
