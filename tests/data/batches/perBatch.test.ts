/** Distances that are computed when a batch is made are those that would be stored, bit by bit. */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { Random } from "../../../src/common/random/random.ts";
import { BatchBuilder } from "../../../src/data/batches/batch.ts";
import { Loader, type LoaderOptions } from "../../../src/data/batches/loader.ts";
import { type Dataset, openDataset, verifyDataset } from "../../../src/data/dataset/dataset.ts";
import { chooseStorage } from "../../../src/data/prepare/distanceStorage.ts";
import { metrics, type PrepareOptions } from "../../../src/data/prepare/options.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { selectSamples } from "../../../src/data/table/select.ts";
import { writeBiom } from "../../../src/data/table/writeBiom.ts";
import { uniFracMetrics } from "../../../src/data/unifrac/metrics.ts";

const scratch = scratchFolder();
// So many samples that other computations of all pairs take LibTorch to the branches that many of them have.
const study = simulate({ samples: 210, asvs: 90, depth: 300, richness: 20, length: 30 });
const files = writeSimulation(join(scratch, "study"), study);
// Twins, whose distance is exactly 0, and counts that single precision does not hold.
const twins = {
  ...selectSamples(
    study.table,
    study.table.sampleIds.map((_, i) => (i === 18 ? 17 : i)),
  ),
  sampleIds: study.table.sampleIds,
};
const fractional = join(scratch, "shares.biom");
writeBiom(fractional, { ...twins, data: twins.data.map((count) => count / 300) });

let sets = 0;
async function bothWays(options: PrepareOptions): Promise<[stored: Dataset, computed: Dataset]> {
  const folders = ["all-pairs", "per-batch"].map((name) => join(scratch, `${name}${sets++}`));
  await prepareDataset({ ...options, distanceStorage: "all-pairs" }, folders[0]);
  await prepareDataset({ ...options, distanceStorage: "per-batch" }, folders[1]);
  return [openDataset(folders[0]), openDataset(folders[1])];
}

const bits = (values: Float32Array | undefined) => values && new Uint32Array(values.slice().buffer);

const kinds: [name: string, options: Partial<PrepareOptions>][] = [
  ["counts", { alpha: 0.5, metrics }],
  ["drawn counts in double precision", { rarefyDepth: 150, precision: "float64", alpha: 0.3, metrics }],
  ["shares", { table: fractional, rarefyDepth: "none", alpha: 0, metrics }],
  ["variance-adjusted forms", { varianceAdjusted: true, alpha: 0.7, metrics: uniFracMetrics }],
];

describe.each(kinds)("computed distances of %s", (_name, given) => {
  let both: [Dataset, Dataset] | undefined;
  const open = async () => (both ??= await bothWays({ ...files, rarefyDepth: "none", ...given }));

  test("equal stored ones in any batch", async () => {
    const [stored, computed] = await open();
    expect(computed.manifest.perBatch).toEqual([...uniFracMetrics]);
    expect(existsSync(join(computed.path, "distances.arrow"))).toBe(false);
    const random = new Random(3);
    for (const distance of uniFracMetrics) {
      for (let round = 0; round < 12; round++) {
        const size = 2 + random.integer(30);
        // In any order, and now and then a sample twice.
        const samples = Int32Array.from({ length: size }, () => random.integer(stored.sampleCount));
        const [a, b] = [stored, computed].map((dataset) =>
          new BatchBuilder(dataset, { distance }).build(samples, random),
        );
        expect(bits(b.distances)).toEqual(bits(a.distances));
        expect(b).toEqual(a);
      }
      const all = [stored, computed].map((dataset) => [...dataset.distance(distance).condensed()]);
      const [x, y] = all.map((parts) => bits(Float32Array.from(parts.flatMap((part) => [...part]))));
      expect(y).toEqual(x);
      expect(new Set(x).size).toBeGreaterThan(1000);
      expect(computed.distance(distance).between(7, 2)).toBe(stored.distance(distance).between(2, 7));
    }
    if (!given.varianceAdjusted) expect(computed.vector("faith_pd")).toEqual(stored.vector("faith_pd"));
  });

  test("equal stored ones from loaders, with a worker too", async () => {
    const [stored, computed] = await open();
    const collect = async (dataset: Dataset, options: Partial<LoaderOptions>) => {
      using loader = new Loader(dataset, { batchSize: 32, distance: "generalized", ...options });
      const batches = [];
      for await (const batch of loader.epoch()) batches.push(batch);
      return batches;
    };
    const expected = await collect(stored, {});
    expect(await collect(computed, {})).toEqual(expected);
    expect(await collect(computed, { worker: true })).toEqual(expected);
  });
});

test("twins are at distance 0, and nobody else is", async () => {
  const [, computed] = await bothWays({ ...files, table: fractional, rarefyDepth: "none" });
  const block = computed.distance("unweighted").block([17, 5, 18, 17]);
  expect([0, 2, 3].map((column) => block[column])).toEqual([0, 0, 0]);
  expect(block[1]).toBeGreaterThan(0);
  expect(block[1]).toBe(block[6]);
});

test("a damaged tree is told apart from a whole one", async () => {
  const [, { path }] = await bothWays({ ...files, rarefyDepth: "none" });
  verifyDataset(path);
  const file = join(path, "tree.arrow");
  const bytes = await Bun.file(file).bytes();
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(file, bytes);
  expect(() => verifyDataset(path)).toThrow(/tree\.arrow is damaged/);
});

test("all pairs are stored where they take little of what is free", () => {
  const free = { disk: 1e9, memory: 1e9 };
  const chosen = (samples: number, space = free, bytesEach = 4, metrics = 1) =>
    chooseStorage("auto", { samples, metrics, bytesEach }, space);
  // 7,000 samples have 24.5 million pairs, 98 MB.
  expect(chosen(7000)).toBe("all-pairs");
  expect(chosen(7200)).toBe("per-batch");
  expect(chosen(7000, { ...free, disk: 9e8 })).toBe("per-batch");
  expect(chosen(7000, { ...free, memory: 9e8 })).toBe("per-batch");
  expect(chosen(7000, free, 8)).toBe("per-batch");
  expect(chosen(7000, free, 4, 2)).toBe("per-batch");
  // One array cannot hold more, however much is free.
  expect(chosen(60_000, { disk: 1e15, memory: 1e15 })).toBe("per-batch");
  expect(chooseStorage("all-pairs", { samples: 1e6, metrics: 1, bytesEach: 4 }, free)).toBe("all-pairs");
});

test("refuses to compute what is given", async () => {
  const distances = { path: files.table, name: "unweighted" };
  const options = { ...files, distances, distanceStorage: "per-batch" } as const;
  expect(prepareDataset(options, join(scratch, "none"))).rejects.toThrow(/per-batch computes distances from/);
});
