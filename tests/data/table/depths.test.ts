import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { logFactorial } from "../../../src/common/logFactorial.ts";
import { suggestDepth, summarizeDepths } from "../../../src/data/table/depths.ts";
import { rarefy } from "../../../src/data/table/rarefy.ts";
import { readTable } from "../../../src/data/table/read.ts";
import { sampleTotals } from "../../../src/data/table/select.ts";
import { inOneSlice } from "../../../src/data/table/slices.ts";
import { outsideData } from "../../helpers/outsideData.ts";
import { toTable } from "../../helpers/toTable.ts";

const repeated = (total: number, times: number) => Array.from({ length: times }, () => total);

describe("the suggested depth", () => {
  test.each([
    ["of equal samples is theirs", repeated(500, 10), 500],
    ["passes failed samples by, however many", [...repeated(5000, 80), ...repeated(68, 20)], 5000],
    ["keeps the most counts", [...repeated(9000, 10), ...repeated(4000, 90)], 4000],
    [
      "keeps nine of ten samples, though few have the most counts",
      [...repeated(90_000, 10), ...repeated(4000, 90)],
      4000,
    ],
    ["is not below 1,000 where samples have that", [...repeated(1500, 40), ...repeated(900, 60)], 1500],
    ["is below 1,000 where hardly any has that", [...repeated(1500, 5), ...repeated(900, 95)], 900],
    ["of two as good is the one that keeps more samples", [...repeated(2000, 5), ...repeated(1000, 5)], 1000],
    ["does not count empty samples", [0, 0, 0, 7, 7], 7],
    ["of nothing is 0", [0], 0],
  ])("%s", (_, totals, depth) => expect(suggestDepth(Float64Array.from(totals))).toBe(depth));
});

describe("what depths keep", () => {
  const counts = [
    [40, 30, 20, 9, 1, 0],
    [5, 0, 60, 34, 0, 1],
    [50, 50, 0, 0, 0, 0],
    [2, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
  ];
  const table = toTable(counts);

  test("is told of each depth, with the failed samples", () => {
    const summary = summarizeDepths(inOneSlice(table), 20)!;
    expect(summary).toMatchObject({ samples: 5, asvs: 6, median: 100 });
    expect(summary.failed).toEqual([
      { id: "s4", total: 0 },
      { id: "s3", total: 3 },
    ]);
    expect(summary.rows.map(({ depth, samples, counts: kept }) => [depth, samples, kept])).toEqual([
      [3, 4, 12],
      [20, 3, 60],
      [100, 3, 300],
    ]);
    // Every count is drawn at the full depth.
    expect(summary.rows.at(-1)!.asvs).toBe(6);
    // At their full depth samples show all of their ASVs.
    const full = summarizeDepths(inOneSlice(table), 100)!.curve.at(-1)!;
    expect(full).toMatchObject({ depth: 100, p10: 2, p90: 5 });
    expect(full.mean).toBeCloseTo(11 / 3, 10);
    expect(summary.curve[0]).toMatchObject({ depth: 1, mean: expect.closeTo(1, 10) });
  });

  test("is what drawing gives on average", () => {
    const { rows, curve } = summarizeDepths(inOneSlice(table), 20)!;
    const draws = 300;
    let [asvs, richness] = [0, 0];
    for (let seed = 0; seed < draws; seed++) {
      const drawn = rarefy(table, { depth: 20, seed }).table;
      asvs += drawn.asvIds.length / draws;
      richness += drawn.data.length / drawn.sampleIds.length / draws;
    }
    expect(Math.abs(rows.find(({ depth }) => depth === 20)!.asvs - asvs)).toBeLessThan(0.7);
    expect(curve.at(-1)!.depth).toBe(20);
    expect(Math.abs(curve.at(-1)!.mean - richness)).toBeLessThan(0.1);
  });

  test("is not told of fractions and of nothing", () => {
    expect(summarizeDepths(inOneSlice(toTable([[0.5, 2]])), 1)).toBeUndefined();
    expect(summarizeDepths(inOneSlice(toTable([[0]])), 1)).toBeUndefined();
  });

  const real = join(outsideData, "crc-udca2/table.qza");
  test.skipIf(!existsSync(real))("of a real study with failed samples", async () => {
    const study = await readTable(real);
    const depth = suggestDepth(sampleTotals(study));
    const { rows, failed } = summarizeDepths(inOneSlice(study), depth)!;
    const { samples } = rows.find((row) => row.depth === depth)!;
    expect(samples).toBeGreaterThan(0.85 * study.sampleIds.length);
    expect(depth).toBeGreaterThanOrEqual(1000);
    expect(failed).toContainEqual({ id: "udca.trial.2P98GWQ5WK6IP", total: 1 });
  });
});

test("logarithms of factorials", () => {
  let sum = 0;
  for (let n = 1; n <= 3000; n++) {
    sum += Math.log(n);
    expect(Math.abs(logFactorial(n) - sum)).toBeLessThan(1e-11 * Math.max(1, sum));
  }
  expect(logFactorial(0)).toBe(0);
});
