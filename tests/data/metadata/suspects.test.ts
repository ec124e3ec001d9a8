import { describe, expect, test } from "bun:test";
import { parseMetadata } from "../../../src/data/metadata/read.ts";
import { missingAsNumber } from "../../../src/data/metadata/suspects.ts";
import { run } from "../../helpers/commandLine.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const warningsOf = (...cells: (string | number)[]) =>
  parseMetadata(`id\tx\n${cells.map((cell, i) => `S${i}\t${cell}\n`).join("")}`, "m.tsv").warnings;

describe("numbers that stand for a missing value", () => {
  test.each([
    [[3, 5, -999, 7.5], /line 4: "x" is -999 for 1 of 4 samples and 3 to 7\.5 for the others/],
    [[3, 5, -9, -9, 7], /"x" is -9 for 2 of 5 samples/],
    [[20, 9999, 40, 31], /"x" is 9999 for 1 of 4/],
    [[-12.5, -3, 4, -9999], /"x" is -9999/],
  ])("%p: told", (cells, message) => expect(warningsOf(...cells)).toEqual([expect.stringMatching(message)]));
  test.each([
    [[3, 5, -9, 17]],
    [[-12, -9, -9, 4, 5]],
    [[0, 450, 999, 800]],
    [[999, 999, 999]],
    [[-999, 1000, -400, 800]],
  ])("%p: may be meant", (cells) => expect(warningsOf(...cells)).toEqual([]));
  test("of more samples than a function takes arguments, too", () => {
    const cells = Array.from({ length: 700_000 }, (_, i) => (i === 5 ? -999 : i % 50));
    expect(missingAsNumber({ name: "x", values: cells.map(String), declaredType: undefined })?.row).toBe(5);
  });
});

describe("a number far from all others", () => {
  const ages = [31, 45, 22, 60, 38, 51, 27, 33, 49, 72];
  test.each([
    [
      [...ages, 1e12],
      /line 12: "x" is 1000000000000 for 1 of 11 samples and 22 to 72 for the others: if that is a slip/,
    ],
    [[-4e9, ...ages], /line 2: "x" is -4000000000 for 1 of 11/],
  ])("%p: told", (cells, message) => expect(warningsOf(...cells)).toEqual([expect.stringMatching(message)]));
  test.each([
    [[...ages, 4e7]],
    [[1, 2, 3, 1e12]],
    [[...ages.map(() => 5), 1e12]],
    [ages.map((_, i) => 10 ** i)],
    [[...ages.map((_, i) => i / 1e3), 5e3]],
  ])("%p: may be meant", (cells) => expect(warningsOf(...cells)).toEqual([]));
});

describe("two spellings of one class", () => {
  test.each([
    [["Male", "male", "Female", "Female"], /line 3: "x" has both "Male" and "male", which count as two/],
    [["left palm", "left_palm", "gut", "gut", "gut", "gut"], /"left palm" and "left_palm"/],
  ])("%p: told", (cells, message) => expect(warningsOf(...cells)).toEqual([expect.stringMatching(message)]));
  test.each([[["a", "b", "a", "b"]], [["Note", "note", "another", "fourth"]], [["1-2", "12", "1-2", "12"]]])(
    "%p: may be meant",
    (cells) => expect(warningsOf(...cells)).toEqual([]),
  );
});

test("what is odd about metadata is said by the commands that use them", async () => {
  const table = scratch.write("t.tsv", "#OTU ID\ta\tb\tc\td\nx\t5\t1\t7\t3\ny\t1\t4\t2\t2\nz\t9\t4\t0\t1\n");
  const metadata = scratch.write("m.tsv", "id\tsex\na\tm\nb\tm\nc\tf\nd\tM\n");
  const [out, plot] = [scratch.path("o.tsv"), scratch.path("p.svg")];
  for (const line of [
    ["permanova", "--column", "sex"],
    ["pcoa", "--color-by", "sex", "--plot", plot, "-o", out],
    ["rarefaction", "--group-by", "sex", "--plot", plot, "-o", out, "--max-depth", "10", "--steps", "2"],
    ["table", "filter", "--where", "sex=m", "-o", out],
  ]) {
    const { code, error } = await run(...line, "--table", table, "--metadata", metadata);
    expect([code, error]).toEqual([0, expect.stringMatching(/has both "m" and "M"/)]);
  }
});
