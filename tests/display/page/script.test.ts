import { expect, test } from "bun:test";
import { generatePageScript } from "../../../scripts/generatePage.ts";
import { cellTexts, compareCells, largestOf } from "../../../src/display/page/browser/sampleRows.ts";
import { readProjectText } from "../../helpers/projectFiles.ts";

test("the script in the page is the one that `bun scripts/generatePage.ts` makes of browser/", async () => {
  expect(readProjectText("src/display/page/pageScript.gen.ts")).toBe(await generatePageScript());
});

test("the table's numbers have as many decimals as their column needs", () => {
  const columns = [{ kind: "text" }, { kind: "number" }, { kind: "error" }] as const;
  const rows = [
    ["a", 12, -0.5],
    ["b", null, 123.456],
  ];
  const data = { columns, rows };
  const largest = largestOf(data);
  expect(largest).toEqual([0, 12, 123.456]);
  expect(cellTexts(data, largest)).toEqual([
    ["a", "12", "−0.5"],
    ["b", "", "123.5"],
  ]);
});

test("cells are sorted as numbers, errors by their size, missing ones last in either direction", () => {
  const sorted = (cells: (string | number | null)[], kind: string, direction: 1 | -1) =>
    cells.toSorted((a, b) => compareCells(a, b, kind, direction));
  expect(sorted(["s10", "s9", null], "text", 1)).toEqual(["s9", "s10", null]);
  expect(sorted([1, null, -3], "number", -1)).toEqual([1, -3, null]);
  expect(sorted([1, null, -3], "error", -1)).toEqual([-3, 1, null]);
});
