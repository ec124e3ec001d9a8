/** What programs may give by mistake is told, instead of giving a number without a word. */
import { expect, test } from "bun:test";
import { type AlphaMetric, alphaDiversity } from "../../../src/data/statistics/alphaDiversity.ts";
import { type BetaMetric, betaDiversity } from "../../../src/data/statistics/betaDiversity.ts";
import { groupsOf } from "../../../src/data/statistics/grouping.ts";
import { anosim, permanova } from "../../../src/data/statistics/groupTests.ts";
import { type MantelOptions, mantel } from "../../../src/data/statistics/mantel.ts";
import { pcoa } from "../../../src/data/statistics/pcoa.ts";
import { procrustes } from "../../../src/data/statistics/procrustes.ts";
import { rarefactionCurves } from "../../../src/data/statistics/rarefactionCurves.ts";
import { tableOf } from "../../helpers/uniFracTables.ts";

const of = (...values: number[]) => ({ ids: ["a", "b", "c", "d"], values: Float64Array.from(values) });
const distances = of(1, 2, 3, 1, 2, 1);
const groups = groupsOf(["x", "x", "y", "y"]);
const table = tableOf([[5, 1, 2]], ["x", "y", "z"]);

const wrong = [
  ["too few", of(1, 2, 3), "3 distances for 4 samples, which have 6 pairs"],
  ["unknown", of(1, NaN, 3, 1, 2, 1), "not known (nan)"],
  ["infinite", of(1, Infinity, 3, 1, 2, 1), "A distance is Infinity"],
  ["negative", of(1, -0.5, 3, 1, 2, 1), "A distance is -0.5"],
] as const;

test.each(wrong)("%s distances", async (_, given, message) => {
  for (const compute of [() => pcoa(given), () => permanova(given, groups), () => anosim(given, groups)])
    expect(compute).toThrow(message);
  await expect(mantel(distances, given)).rejects.toThrow(message);
});

test.each([-1, 1.5, NaN])("%d permutations", async (permutations) => {
  const message = `The option permutations must be a whole number from 0 on, got ${permutations}`;
  expect(() => permanova(distances, groups, { permutations })).toThrow(message);
  expect(() => procrustes(pcoa(distances), pcoa(distances), { permutations })).toThrow(message);
  await expect(mantel(distances, distances, { permutations })).rejects.toThrow(message);
});

test("options that mean nothing", async () => {
  const from1 = "must be a whole number from 1 on";
  expect(() => pcoa(distances, { dimensions: 0 })).toThrow(from1);
  expect(() => procrustes(pcoa(distances), pcoa(distances), { dimensions: 1.5 })).toThrow(from1);
  expect(() => rarefactionCurves(table, { metrics: ["shannon"], steps: 0 })).toThrow(from1);
  expect(() => rarefactionCurves(table, { metrics: ["shannon"], repeats: 0 })).toThrow(from1);
  expect(() => permanova(distances, groups, { strata: Int32Array.of(0, 0) })).toThrow(
    "2 strata's numbers for 4",
  );
  expect(() => alphaDiversity(table, "shannon", { base: 1 })).toThrow("must be above 0 and not 1");
  expect(() => alphaDiversity(table, "richness" as AlphaMetric)).toThrow('"richness" is no metric');
  expect(() => betaDiversity(table, { metric: "euclidean" as BetaMetric })).toThrow(
    "choose one of braycurtis",
  );
  const kendall = { method: "kendall" } as unknown as MantelOptions;
  await expect(mantel(distances, distances, kendall)).rejects.toThrow("choose pearson or spearman");
});
