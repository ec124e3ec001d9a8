/** Baselines and predictors on distances that are not stored: the same, computed all at once. */
import { afterEach, expect, spyOn, test } from "bun:test";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { ComputedDistances, distancesAmong } from "../../src/data/dataset/pairDistances.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { runBaselines } from "../../src/training/baselines/runBaselines.ts";
import { targetSchema } from "../../src/training/config/config.ts";
import { Study } from "../../src/training/predictors/study.ts";
import { Targets } from "../../src/training/targets/targets.ts";
import { plantedStudy } from "../helpers/plantedStudy.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const between = spyOn(ComputedDistances.prototype, "between");
const block = spyOn(ComputedDistances.prototype, "block");
afterEach(() => {
  between.mockClear();
  block.mockClear();
});

let opened: readonly [stored: Dataset, computed: Dataset] | undefined;
async function bothWays() {
  if (opened) return opened;
  const { folder, table, tree, metadata } = await plantedStudy(scratch.path("study"));
  const given = { table, tree, metadata, metrics: ["unweighted", "faith_pd"] as const };
  const perBatch = scratch.path("per-batch");
  await prepareDataset({ ...given, rarefyDepth: "none", distanceStorage: "per-batch" }, perBatch);
  opened = [openDataset(folder), openDataset(perBatch)];
  expect(opened.map((dataset) => dataset.distance("unweighted").isStored)).toEqual([true, false]);
  return opened;
}
const samplesOf = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, i) => from + i);

test("baselines ask once for the distances of their samples, and predict the same", async () => {
  const [stored, computed] = (await bothWays()).map((dataset) => {
    const [train, validation] = [samplesOf(0, 45), samplesOf(45, 60)];
    const targets = Targets.fit(dataset, train, targetSchema.parse({ metadataColumn: ["score"] }));
    const options = { targets, train, validation, seed: 1, forest: { trees: 2 }, splitBy: "host" };
    return runBaselines(dataset, { ...options, metric: "unweighted" });
  });
  expect(stored.map(({ name }) => name)).toContain("Nearest neighbours");
  expect(computed).toEqual(stored);
  expect([between.mock.calls.length, block.mock.calls.length]).toEqual([0, 1]);
});

test("a study of predictors asks once for them, and has the same kernels", async () => {
  const samples = samplesOf(5, 50).reverse();
  const [stored, computed] = (await bothWays()).map((dataset) => {
    const study = new Study(dataset, samples);
    const kernels = (["unifrac", "branches"] as const).map((name) => study.block(name, samples, samples));
    return { kernels, one: study.distance(7, 30), same: study.distance(9, 9) };
  });
  expect(stored.one).toBeGreaterThan(0);
  expect(computed).toEqual(stored);
  expect([between.mock.calls.length, block.mock.calls.length]).toEqual([0, 1]);
});

test("other samples than those that were asked for are refused, not given another's distance", async () => {
  const [, computed] = await bothWays();
  const distance = distancesAmong(computed.distance("unweighted"), Int32Array.of(3, 8, 3));
  expect(distance(3, 8)).toBe(distance(8, 3));
  expect(() => distance(3, 4)).toThrow("The distance of samples 3 and 4 is not at hand.");
});
