import { expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { pairIndex } from "../../../src/data/distances/distances.ts";
import { selectSamples } from "../../../src/data/table/select.ts";
import type { Table } from "../../../src/data/table/table.ts";
import {
  distanceRows,
  distanceRowsOnThreads,
  shearTree,
  type UniFracOptions,
  uniFracAllPairs,
  uniFracMetrics,
} from "../../../src/data/unifrac/index.ts";
import * as torch from "../../../src/torch/index.ts";
import { bruteForce, randomCounts, randomTree, tableOf, worst } from "../../helpers/uniFracTables.ts";

const double = { precision: "float64" } as const;

function randomStudy(seed: number, samples: number, tips: number) {
  const random = new Random(seed);
  const tree = randomTree(random, tips);
  const asvIds = tree.names.filter((name) => name !== "" && random.integer(4) > 0);
  random.shuffle(asvIds);
  return { tree, table: tableOf(randomCounts(random, samples, asvIds.length), asvIds), random };
}

function randomOptions(random: Random): UniFracOptions {
  return {
    metric: uniFracMetrics[random.integer(uniFracMetrics.length)],
    alpha: [0, 0.1, 0.3, 0.5, 0.9, 1][random.integer(6)],
    varianceAdjusted: random.integer(3) === 0,
    absolute: random.integer(4) === 0,
    bypassTips: random.integer(4) === 0,
  };
}

test("dense, sparse and mixed branches give what the definitions say, on random trees and tables", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const { tree, table, random } = randomStudy(seed, 1 + (seed % 13), 2 + (seed % 40));
    const options = randomOptions(random);
    const expected = bruteForce(table, tree, options);
    const largest = Math.max(1, ...expected);
    for (const denseShare of [0, 0.4, 2]) {
      const found = await uniFracAllPairs(table, tree, { ...options, ...double, denseShare });
      expect([seed, options, denseShare, worst(found, expected) <= 1e-11 * largest]).toEqual([
        seed,
        options,
        denseShare,
        true,
      ]);
    }
  }
});

test("the order of the samples does not matter", async () => {
  for (const metric of uniFracMetrics) {
    const { tree, table, random } = randomStudy(5, 40, 60);
    const order = random.permutation(40);
    const mixed: Table = selectSamples(table, order);
    const straight = await uniFracAllPairs(table, tree, { metric, alpha: 0.5, denseShare: 0.3, ...double });
    const permuted = await uniFracAllPairs(mixed, tree, { metric, alpha: 0.5, denseShare: 0.3, ...double });
    for (let i = 0; i < 40; i++) {
      for (let j = i + 1; j < 40; j++) {
        const [a, b] = order[i] < order[j] ? [order[i], order[j]] : [order[j], order[i]];
        expect(Math.abs(permuted[pairIndex(40, i, j)] - straight[pairIndex(40, a, b)])).toBeLessThan(1e-13);
      }
    }
  }
});

test("ratios lie between 0 and 1, alpha 1 is weighted normalized, and float32 is near float64", async () => {
  const { tree, table } = randomStudy(8, 300, 200);
  for (const metric of ["unweighted", "weighted_normalized", "generalized"] as const) {
    const options = { metric, alpha: 0.5 };
    const single = await uniFracAllPairs(table, tree, options);
    expect(single.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(worst(single, await uniFracAllPairs(table, tree, { ...options, ...double }))).toBeLessThan(2e-6);
  }
  const weighted = await uniFracAllPairs(table, tree, { metric: "weighted_normalized", ...double });
  expect(
    worst(await uniFracAllPairs(table, tree, { metric: "generalized", ...double }), weighted),
  ).toBeLessThan(1e-14);
});

test("samples with the same shares are at distance exactly 0, also in float32 on dense branches", async () => {
  const { tree, table } = randomStudy(3, 50, 80);
  const doubled = tableOf(
    Array.from({ length: 100 }, (_, row) => {
      const counts = new Array(table.asvIds.length).fill(0);
      const sample = row % 50;
      for (let k = table.indptr[sample]; k < table.indptr[sample + 1]; k++) {
        counts[table.indices[k]] = table.data[k] * (row < 50 ? 1 : 7);
      }
      return counts;
    }),
    table.asvIds,
  );
  for (const metric of uniFracMetrics) {
    for (const varianceAdjusted of [false, true]) {
      const distances = await uniFracAllPairs(doubled, tree, {
        metric,
        alpha: 0.3,
        varianceAdjusted,
        denseShare: 0,
      });
      for (let i = 0; i < 50; i++) expect(distances[pairIndex(100, i, i + 50)]).toBe(0);
    }
  }
});

test("two samples without counts are at distance 0, one of them and any other at 1", async () => {
  const { tree } = randomStudy(1, 1, 12);
  const asvIds = tree.names.filter((name) => name !== "");
  const some = asvIds.map((_, i) => (i % 3 === 0 ? 5 : 0));
  const table = tableOf([some, asvIds.map(() => 0), asvIds.map(() => 0)], asvIds);
  for (const metric of ["unweighted", "weighted_normalized", "generalized"] as const) {
    for (const denseShare of [0, 2]) {
      expect([...(await uniFracAllPairs(table, tree, { metric, alpha: 0.5, denseShare }))]).toEqual([
        1, 1, 0,
      ]);
    }
  }
});

const forms = [
  { metric: "unweighted" },
  { metric: "weighted_normalized" },
  { metric: "generalized", alpha: 0.5 },
  { metric: "unweighted", varianceAdjusted: true },
] as const;

test("several threads give the very rows of one, in order", async () => {
  // A number of rows that does not fill the last block.
  const { tree, table } = randomStudy(4, 301, 100);
  const sheared = shearTree(tree, table.asvIds);
  for (const form of forms) {
    const several = await uniFracAllPairs(table, tree, { ...form, threads: 3 });
    expect(worst(several, await uniFracAllPairs(table, tree, { ...form, threads: 1 }))).toBe(0);
    let rows = 0;
    for await (const { from, to, values } of distanceRowsOnThreads(table, sheared, { ...form, threads: 2 })) {
      expect(from).toBe(rows);
      expect(values.length).toBe((to - from) * (301 - from));
      rows = to;
    }
    expect(rows).toBe(301);
  }
});

test("no tensor outlives the distances, also where the rows are not all taken", async () => {
  const { tree, table } = randomStudy(4, 301, 100);
  const sheared = shearTree(tree, table.asvIds);
  const before = torch.memory().liveTensors;
  for (const form of forms) {
    await uniFracAllPairs(table, tree, form);
    for (const _ of distanceRows(table, sheared, form)) break;
    for await (const _ of distanceRowsOnThreads(table, sheared, { ...form, threads: 2 })) break;
  }
  expect(torch.memory().liveTensors).toBe(before);
});

test("progress goes up to 1 and settings of LibTorch stay as they were", async () => {
  const { tree, table } = randomStudy(4, 400, 300);
  const threads = torch.getNumThreads();
  torch.setFloat32MatmulPrecision("medium");
  try {
    const shares: number[] = [];
    const medium = await uniFracAllPairs(table, tree, { onProgress: (share) => shares.push(share) });
    expect(shares.length).toBeGreaterThan(2);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
    expect(worst(await uniFracAllPairs(table, tree, { threads: 2 }), medium)).toBe(0);
    expect(torch.getFloat32MatmulPrecision()).toBe("medium");
    expect(torch.getNumThreads()).toBe(threads);
    torch.setFloat32MatmulPrecision("highest");
    expect(worst(medium, await uniFracAllPairs(table, tree))).toBe(0);
  } finally {
    torch.setFloat32MatmulPrecision("highest");
  }
});
