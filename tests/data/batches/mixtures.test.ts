/** Mixtures of samples: what they have, and that the data set's tree gives their distances. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { Random } from "../../../src/common/random/random.ts";
import { BatchBuilder } from "../../../src/data/batches/batch.ts";
import { Loader } from "../../../src/data/batches/loader.ts";
import { MixedSamples, type Mixtures } from "../../../src/data/batches/mixtures.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { joinStudies } from "../../../src/data/dataset/joinStudies.ts";
import { manifestName, manifestText } from "../../../src/data/dataset/manifest.ts";
import { metrics } from "../../../src/data/prepare/options.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import type { Table } from "../../../src/data/table/table.ts";
import { readTree } from "../../../src/data/tree/read.ts";
import { faithPd, uniFracAllPairs } from "../../../src/data/unifrac/index.ts";
import { uniFracMetrics } from "../../../src/data/unifrac/metrics.ts";

const scratch = scratchFolder();
const study = simulate({ samples: 12, asvs: 60, depth: 300, richness: 20, length: 30 });
const files = writeSimulation(join(scratch, "study"), study);
const mixtures: Mixtures = { of: Int32Array.of(1, 4, 7), seed: 5 };
const count = 40;

let prepared: Dataset | undefined;
async function dataset(): Promise<Dataset> {
  const folder = join(scratch, "data set");
  if (!prepared) await prepareDataset({ ...files, rarefyDepth: "none", alpha: 0.5, metrics }, folder);
  return (prepared ??= openDataset(folder));
}

/** The data set's samples and the mixtures as a table. */
function asTable(from: Dataset, limit?: number): Table {
  const mixed = new MixedSamples(from, mixtures, limit);
  const samples = Array.from({ length: from.sampleCount + count }, (_, i) => mixed.sample(i));
  let end = 0;
  const ends = samples.map(({ asvs }) => {
    end += asvs.length;
    return end;
  });
  return {
    sampleIds: samples.map((_, i) => `s${i}`),
    asvIds: from.asvIds(),
    indptr: Int32Array.of(0, ...ends),
    indices: Int32Array.from(samples.flatMap(({ asvs }) => [...asvs])),
    data: Float64Array.from(samples.flatMap(({ counts }) => [...counts])),
  };
}

test("a mixture has ASVs of one or two of the samples that it is made of, and is always the same", async () => {
  const from = await dataset();
  const mixed = new MixedSamples(from, mixtures);
  const parts = Array.from(mixtures.of, (sample) => new Set(from.sample(sample).asvs));
  let ofOne = 0;
  for (let i = 0; i < count; i++) {
    const { asvs, counts } = mixed.sample(from.sampleCount + i);
    expect(asvs.length).toBeGreaterThan(0);
    expect([...asvs]).toEqual([...new Set(asvs)].sort((a, b) => a - b));
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const isWithin = (some: readonly Set<number>[]) => asvs.every((asv) => some.some((set) => set.has(asv)));
    if (parts.some((part) => isWithin([part]))) ofOne++;
    expect(parts.some((_, left) => isWithin(parts.filter((_, part) => part !== left)))).toBe(true);
    expect(new MixedSamples(from, mixtures).sample(from.sampleCount + i)).toEqual({ asvs, counts });
  }
  expect(ofOne).toBeGreaterThan(10);
  expect(ofOne).toBeLessThan(40);
  const others = new MixedSamples(from, { ...mixtures, seed: 6 });
  expect(others.sample(from.sampleCount)).not.toEqual(mixed.sample(from.sampleCount));
});

/** Compares a batch's distances with those of the tree; mixtures have as many ASVs as are read at most. */
async function expectDistances(metric: (typeof uniFracMetrics)[number], limit?: number): Promise<void> {
  const from = await dataset();
  const table = asTable(from, limit);
  const n = table.sampleIds.length;
  const all = await uniFracAllPairs(table, readTree(files.tree), { metric, alpha: 0.5 });
  const samples = Int32Array.of(20, 3, 51, 8, 33, 40);
  const options = { distance: metric, mixtures, tokenLimit: limit };
  const { distances } = new BatchBuilder(from, options).build(samples, new Random(0));
  samples.forEach((a, i) => {
    samples.forEach((b, j) => {
      const [row, column] = a < b ? [a, b] : [b, a];
      const expected = a === b ? 0 : all[(row * (2 * n - row - 1)) / 2 + column - row - 1];
      expect(distances?.[i * samples.length + j]).toBeCloseTo(expected, 6);
    });
  });
}

test.each([...uniFracMetrics])("their %s distances are those of the tree", (metric) =>
  expectDistances(metric),
);

test("they are no richer than what is read of a sample, and so are their distances", async () => {
  const from = await dataset();
  const limit = 8;
  const [mixed, whole] = [new MixedSamples(from, mixtures, limit), new MixedSamples(from, mixtures)];
  let cut = 0;
  for (let i = from.sampleCount; i < from.sampleCount + count; i++) {
    const { asvs, counts } = mixed.sample(i);
    const all = whole.sample(i);
    expect(asvs.length).toBe(Math.min(limit, all.asvs.length));
    expect([...counts]).toEqual(Array.from(asvs, (asv) => all.counts[all.asvs.indexOf(asv)]));
    if (all.asvs.length > limit) cut++;
  }
  expect(cut).toBeGreaterThan(5);
  for (const metric of uniFracMetrics) await expectDistances(metric, limit);
});

test("their Faith's PD is that of the tree, and samples keep their own numbers bit for bit", async () => {
  const from = await dataset();
  const values = faithPd(asTable(from), readTree(files.tree));
  const samples = Int32Array.of(20, 3, 51);
  const options = { vector: "faith_pd", distance: "unweighted" };
  const { vector } = new BatchBuilder(from, { ...options, mixtures }).build(samples, new Random(0));
  samples.forEach((sample, i) => {
    expect(vector?.[i]).toBeCloseTo(values[sample], 5);
  });
  const own = Int32Array.of(2, 9, 4);
  expect(new BatchBuilder(from, { ...options, mixtures }).build(own, new Random(0))).toEqual(
    new BatchBuilder(from, options).build(own, new Random(0)),
  );
});

test("each pass has others, of its samples' ASVs alone, and a worker makes the same batches", async () => {
  const from = await dataset();
  const options = { samples: [3, 7, 9], mixtures: 5, batchSize: 4, minBatches: 4, vector: "faith_pd" };
  const batches = async (worker: boolean) => {
    using loader = new Loader(from, { ...options, distance: "unweighted", worker });
    return await Array.fromAsync(loader.epoch());
  };
  const made = await batches(false);
  expect(await batches(true)).toEqual(made);
  const asvs = new Set(options.samples.flatMap((sample) => [...from.sample(sample).asvs]));
  expect(asvs.size).toBeLessThan(from.asvCount);
  expect(made.every(({ asvRows }) => asvRows.every((asv) => asvs.has(asv)))).toBe(true);
  const passes = [made.slice(0, 2), made.slice(2)].map((some) =>
    some.flatMap(({ sampleIndices }) => [...sampleIndices]).sort((a, b) => a - b),
  );
  expect(passes).toEqual([
    [3, 7, 9, 12, 13, 14, 15, 16],
    [3, 7, 9, 17, 18, 19, 20, 21],
  ]);
});

test("a data set without a tree has none", async () => {
  const from = await dataset();
  const joined = join(scratch, "joined");
  joinStudies(joined, [{ name: "one", dataset: from }]);
  const { fromTree, path } = openDataset(joined);
  expect(fromTree).toEqual([]);
  expect(() => new BatchBuilder(openDataset(path), { vector: "faith_pd", mixtures })).toThrow("no tree");
});

test.each([
  ["all-pairs", []],
  ["per-batch", [...uniFracMetrics]],
] as const)("of a data set from before, the tree gives what is not stored: %s", async (storage, expected) => {
  const folder = join(scratch, storage);
  const options = { ...files, rarefyDepth: "none", metrics, distanceStorage: storage } as const;
  const { fromTree, ...older } = await prepareDataset(options, folder);
  expect(fromTree).toEqual([...metrics]);
  writeFileSync(join(folder, manifestName), manifestText(older));
  const opened = openDataset(folder);
  expect(opened.fromTree).toEqual([...expected]);
  expect(() => new BatchBuilder(opened, { vector: "faith_pd", mixtures })).toThrow("no tree");
});
