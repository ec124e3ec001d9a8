import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  exampleDistances,
  exampleTable,
  noProvenance,
  scratchFolder,
} from "../../../lab/material/exampleTable.ts";
import { Random } from "../../../src/common/random/random.ts";
import { UserError } from "../../../src/common/userError.ts";
import type { Batch } from "../../../src/data/batches/batch.ts";
import { BatchBuilder } from "../../../src/data/batches/batch.ts";
import type { LoaderOptions } from "../../../src/data/batches/loader.ts";
import { Loader } from "../../../src/data/batches/loader.ts";
import { batchStarts } from "../../../src/data/batches/plan.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { writeDataset } from "../../../src/data/dataset/write.ts";

const folder = join(scratchFolder(), "set");
const samples = 23;
const unweighted = exampleDistances(samples);
unweighted[0] = Number.NaN; // between samples 0 and 1
writeDataset(folder, {
  table: exampleTable(samples, 30),
  distances: { unweighted },
  vectors: { faith_pd: new Float32Array(samples).map((_, i) => (i === 2 ? Number.NaN : i)) },
  provenance: noProvenance,
});
const dataset = openDataset(folder);
const random = () => new Random(5);

async function collect(loader: Loader, epochs = 1): Promise<Batch[]> {
  const batches: Batch[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) for await (const batch of loader.epoch()) batches.push(batch);
  return batches;
}

describe("a batch", () => {
  test("holds every distinct ASV once, and refers to it", () => {
    const indices = Int32Array.of(4, 0, 9, 17, 4);
    const batch = new BatchBuilder(dataset).build(indices, random());
    expect(new Set(batch.asvRows).size).toBe(batch.distinct);
    expect([...batch.sampleIndices]).toEqual([...indices]);
    const occurrences = new Float32Array(batch.distinct);
    for (let i = 0; i < indices.length; i++) {
      const { asvs, counts } = dataset.sample(indices[i]);
      for (let slot = 0; slot < batch.slots; slot++) {
        const row = batch.asvIndex[i * batch.slots + slot];
        expect(batch.counts[i * batch.slots + slot]).toBe(counts[slot] ?? 0);
        if (slot >= asvs.length) expect(row).toBe(0);
        else {
          expect(batch.asvRows[row - 1]).toBe(asvs[slot]);
          occurrences[row - 1] += 1;
        }
      }
    }
    expect(batch.multiplicity).toEqual(occurrences);
    expect(batch.slots).toBe(Math.max(...[...indices].map((index) => dataset.richness(index))));
  });

  test("orders its ASVs by length and pads them to the longest", () => {
    const batch = new BatchBuilder(dataset).build(Int32Array.of(1, 2, 3), random());
    expect([...batch.asvLengths]).toEqual([...batch.asvLengths].sort((a, b) => a - b));
    expect(batch.tokens).toBe(batch.asvLengths[batch.distinct - 1]);
    for (let row = 0; row < batch.distinct; row++) {
      const stored = dataset.asvTokens(batch.asvRows[row]);
      const tokens = batch.asvTokens.subarray(row * batch.tokens, (row + 1) * batch.tokens);
      expect([...tokens]).toEqual([...stored, ...new Array(batch.tokens - stored.length).fill(0)]);
    }
  });

  test("keeps START and the first bases", () => {
    const batch = new BatchBuilder(dataset, { maxBp: 5 }).build(Int32Array.of(1, 2), random());
    expect(batch.tokens).toBe(6);
    expect([...batch.asvTokens.subarray(0, 6)]).toEqual([
      ...dataset.asvTokens(batch.asvRows[0]).subarray(0, 6),
    ]);
  });

  test("gives distances and values with masks for the unknown ones", () => {
    const builder = new BatchBuilder(dataset, { distance: "unweighted", vector: "faith_pd" });
    const batch = builder.build(Int32Array.of(1, 2, 0), random());
    expect([...batch.distanceMask!]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0]);
    const known = dataset.distance("unweighted");
    expect(batch.distances![1]).toBe(known.between(1, 2));
    expect(batch.distances![5]).toBe(known.between(2, 0));
    expect(batch.distances![2]).toBe(0);
    expect([[...batch.vector!], [...batch.vectorMask!]]).toEqual([
      [1, 0, 0],
      [1, 0, 1],
    ]);
  });

  test("has no tokens where none are wanted", () => {
    const batch = new BatchBuilder(dataset, { withoutTokens: true }).build(Int32Array.of(1, 2), random());
    expect([batch.tokens, batch.asvTokens.length]).toEqual([0, 0]);
    expect(batch.distinct).toBeGreaterThan(0);
  });

  test("holds at most the limit of ASVs of a sample", () => {
    const index = Array.from({ length: samples }, (_, i) => i).find((i) => dataset.richness(i) === 12)!;
    const { asvs, counts } = dataset.sample(index);
    const kept = (asvSampling: "first" | "abundance" | "random", generator = random()) => {
      const builder = new BatchBuilder(dataset, { tokenLimit: 5, asvSampling });
      const batch = builder.build(Int32Array.of(index), generator);
      expect(batch.slots).toBe(5);
      const rows = [...batch.asvIndex].map((row) => batch.asvRows[row - 1]);
      // Each count goes with its ASV.
      expect([...batch.counts]).toEqual(rows.map((row) => counts[asvs.indexOf(row)]));
      return rows;
    };
    expect(kept("first")).toEqual([...asvs.subarray(0, 5)]);
    const byAbundance = [...asvs.keys()].sort((a, b) => counts[b] - counts[a] || a - b).slice(0, 5);
    expect(kept("abundance")).toEqual(byAbundance.map((slot) => asvs[slot]));
    const first = kept("random");
    expect(new Set(first).size).toBe(5);
    expect(first).toEqual([...first].sort((a, b) => a - b));
    expect(kept("random")).toEqual(first);
    const others = Array.from({ length: 20 }, (_, seed) => kept("random", new Random(seed)).join());
    expect(new Set(others).size).toBeGreaterThan(10);
  });

  test("refuses impossible options", () => {
    expect(() => new BatchBuilder(dataset, { tokenLimit: 0 })).toThrow(UserError);
    expect(() => new BatchBuilder(dataset, { distance: "nothing" })).toThrow(UserError);
  });
});

test("batches never hold a single sample as long as there are two", () => {
  const sizes = (count: number, size: number, dropLast = false) => {
    const starts = batchStarts(count, size, dropLast);
    return [...starts.keys()].slice(1).map((batch) => starts[batch] - starts[batch - 1]);
  };
  expect(sizes(9, 4)).toEqual([4, 5]);
  expect(sizes(10, 4)).toEqual([4, 4, 2]);
  expect(sizes(8, 4)).toEqual([4, 4]);
  expect(sizes(3, 4)).toEqual([3]);
  expect(sizes(1, 4)).toEqual([1]);
  expect(sizes(7, 2)).toEqual([2, 2, 3]);
  expect(sizes(9, 4, true)).toEqual([4, 4]);
  expect(sizes(10, 4, true)).toEqual([4, 4]);
  expect(sizes(3, 4, true)).toEqual([3]);
  expect(() => batchStarts(9, 1, false)).toThrow(/from 2 on/);
});

describe("a loader", () => {
  test("gives every sample once an epoch, in another order each time", async () => {
    const loader = new Loader(dataset, { batchSize: 4, seed: 1 });
    const orders: string[] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const order = (await collect(loader)).flatMap((batch) => [...batch.sampleIndices]);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: samples }, (_, i) => i));
      orders.push(order.join());
    }
    expect(new Set(orders).size).toBe(3);
    expect([loader.batchesPerEpoch, loader.samplesPerEpoch]).toEqual([6, samples]);
  });

  test("keeps to the chosen samples and, unshuffled, to their order", async () => {
    const loader = new Loader(dataset, { batchSize: 2, samples: [7, 3, 11], shuffle: false });
    expect((await collect(loader)).map((batch) => [...batch.sampleIndices])).toEqual([[7, 3, 11]]);
    expect(() => new Loader(dataset, { batchSize: 2, samples: [samples] })).toThrow(RangeError);
    expect(() => new Loader(dataset, { batchSize: 2, samples: [] })).toThrow(UserError);
  });

  test("gives the same batches for the same seed, and others for another", async () => {
    const options = { batchSize: 4, tokenLimit: 3, asvSampling: "random" } as const;
    const once = await collect(new Loader(dataset, { ...options, seed: 8 }), 2);
    const again = await collect(new Loader(dataset, { ...options, seed: 8 }), 2);
    expect(again).toEqual(once);
    expect(await collect(new Loader(dataset, { ...options, seed: 9 }), 2)).not.toEqual(once);
  });

  for (const worker of [false, true]) {
    const options: LoaderOptions = {
      batchSize: 4,
      seed: 3,
      tokenLimit: 4,
      asvSampling: "random",
      distance: "unweighted",
      worker,
    };

    test(`continues from any batch (worker: ${worker})`, async () => {
      const all = await collect(new Loader(dataset, { ...options, worker: false }), 2);
      using loader = new Loader(dataset, options);
      expect(await collect(loader, 2)).toEqual(all);
      expect(loader.state()).toMatchObject({ epoch: 2, batch: 0 });
      for (const stop of [1, 5, 6, 8]) {
        using first = new Loader(dataset, options);
        let given = 0;
        while (given < stop) {
          for await (const _ of first.epoch()) if (++given === stop) break;
        }
        const state = JSON.parse(JSON.stringify(first.state()));
        // The loader itself goes on where its loop was left, ...
        expect((await collect(first))[0]).toEqual(all[stop]);
        // ... and so does another one with its state.
        using second = new Loader(dataset, options);
        second.restore(state);
        expect(await collect(second, stop < 6 ? 2 : 1)).toEqual(all.slice(stop));
      }
    });
  }

  test("does not continue what other options began", () => {
    const state = new Loader(dataset, { batchSize: 4 }).state();
    expect(() => new Loader(dataset, { batchSize: 5 }).restore(state)).toThrow(/batchSize is 5, it was 4/);
  });
});

describe("a loader's worker", () => {
  test("tells what is wrong with the data set as the user's error", async () => {
    const path = join(scratchFolder(), "gone");
    writeDataset(path, { table: exampleTable(9, 9), provenance: noProvenance });
    using opened = openDataset(path);
    using loader = new Loader(opened, { batchSize: 4, worker: true });
    await Bun.$`rm -r ${path}`;
    await expect(collect(loader)).rejects.toThrow(/There is no data set/);
  });

  test("does not keep the process alive when its loader is left", async () => {
    const program = `
      const { openDataset } = await import(${JSON.stringify(join(import.meta.dir, "../../../src/data/dataset/dataset.ts"))});
      const { Loader } = await import(${JSON.stringify(join(import.meta.dir, "../../../src/data/batches/loader.ts"))});
      const loader = new Loader(openDataset(${JSON.stringify(folder)}), { batchSize: 2, worker: true });
      for await (const batch of loader.epoch()) { console.log(batch.samples); break; }
      if (process.argv.includes("fail")) throw new Error("on purpose");
    `;
    for (const [last, exitCode] of [
      ["end", 0],
      ["fail", 1],
    ] as const) {
      const child = Bun.spawn([process.execPath, "-e", program, last], { stdout: "pipe", stderr: "pipe" });
      const timer = setTimeout(() => child.kill(9), 10_000);
      expect(await child.exited).toBe(exitCode);
      clearTimeout(timer);
      expect(await new Response(child.stdout).text()).toBe("2\n");
    }
  });
});
