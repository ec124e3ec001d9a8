import { expect, test } from "bun:test";
import { asvPrevalence } from "../../../src/data/table/operations.ts";
import type { Table } from "../../../src/data/table/table.ts";

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
