import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../../../lab/material/exampleTable.ts";
import { Random } from "../../../src/common/random/random.ts";
import { readMetadata } from "../../../src/data/metadata/read.ts";
import { simulatePhylogeny, tipsOf } from "../../../src/data/simulate/phylogeny.ts";
import { poisson, simulateSequences } from "../../../src/data/simulate/sequences.ts";
import type { Simulation } from "../../../src/data/simulate/simulate.ts";
import { simulate, writeSimulation } from "../../../src/data/simulate/simulate.ts";
import { readTree } from "../../../src/data/tree/read.ts";

const small = { samples: 120, asvs: 200, depth: 1000, richness: 50, length: 100 };
const study = simulate(small);

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = (x: readonly number[], y: readonly number[], mx: number, my: number) =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0);
  return product(a, b, meanA, meanB) / Math.sqrt(product(a, a, meanA, meanA) * product(b, b, meanB, meanB));
}

/** Unweighted UniFrac of all pairs straight from its definition. */
function unweightedUniFrac({ table, tree }: Simulation): number[][] {
  const tipOf = new Map(tree.names.map((name, node) => [name, node]));
  const presence = table.sampleIds.map((_, sample) => {
    const present = new Uint8Array(tree.parent.length);
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      for (let node = tipOf.get(table.asvIds[table.indices[i]])!; node > 0; node = tree.parent[node]) {
        present[node] = 1;
      }
    }
    return present;
  });
  return presence.map((a) =>
    presence.map((b) => {
      let unique = 0;
      let all = 0;
      for (let node = 0; node < a.length; node++) {
        if (a[node] !== b[node]) unique += tree.length[node];
        if (a[node] || b[node]) all += tree.length[node];
      }
      return unique / all;
    }),
  );
}

describe("a simulated study", () => {
  test("is the same for the same options and another for another seed", () => {
    expect(simulate(small)).toEqual(study);
    expect(simulate({ ...small, seed: 1 }).table.asvIds).not.toEqual(study.table.asvIds);
  });

  test("has a table in order: different sequences of the asked length, ascending indices, whole counts", () => {
    const { table } = study;
    expect(new Set(table.asvIds).size).toBe(table.asvIds.length);
    expect(table.asvIds.length).toBeGreaterThan(150);
    expect(table.asvIds.every((id) => /^[ACGT]{100}$/.test(id))).toBe(true);
    const totals = new Float64Array(table.asvIds.length);
    for (let sample = 0; sample < 120; sample++) {
      expect(table.indptr[sample + 1]).toBeGreaterThan(table.indptr[sample]);
      for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
        if (i > table.indptr[sample]) expect(table.indices[i]).toBeGreaterThan(table.indices[i - 1]);
        expect(Number.isInteger(table.data[i]) && table.data[i] > 0).toBe(true);
        totals[table.indices[i]] += table.data[i];
      }
    }
    expect([...totals]).toEqual([...totals].sort((a, b) => b - a));
    const depth = totals.reduce((sum, total) => sum + total, 0) / 120;
    expect(Math.abs(depth - 1000)).toBeLessThan(100);
  });

  test("has a tree with a tip for every ASV", () => {
    const { table, tree } = study;
    expect(tipsOf(tree)).toHaveLength(200);
    expect(tree.parent.every((parent, node) => parent < node)).toBe(true);
    const names = new Set(Array.from(tipsOf(tree), (tip) => tree.names[tip]));
    expect(table.asvIds.every((id) => names.has(id))).toBe(true);
  });

  test("has communities whose UniFrac carries the gradient and the site", () => {
    const unifrac = unweightedUniFrac(study);
    const distance: number[] = [];
    const gradient: number[] = [];
    const otherSite: number[] = [];
    for (let i = 0; i < 120; i++) {
      for (let j = i + 1; j < 120; j++) {
        distance.push(unifrac[i][j]);
        gradient.push(Math.abs(study.samples[i].ph - study.samples[j].ph));
        otherSite.push(study.samples[i].site === study.samples[j].site ? 0 : 1);
      }
    }
    expect(correlation(distance, gradient)).toBeGreaterThan(0.4);
    expect(correlation(distance, otherSite)).toBeGreaterThan(0.15);
    const mean = distance.reduce((sum, value) => sum + value, 0) / distance.length;
    expect(mean).toBeGreaterThan(0.3);
    expect(mean).toBeLessThan(0.8);
  });

  test("has lengths that vary where that is wanted", () => {
    const lengths = simulate({ ...small, varyLength: true }).table.asvIds.map((id) => id.length);
    expect(new Set(lengths).size).toBeGreaterThan(3);
    expect(Math.min(...lengths)).toBeGreaterThan(80);
    expect(Math.max(...lengths)).toBeLessThan(120);
  });

  test("is written as files that the readers read and that say that it is simulated", () => {
    const folder = join(scratchFolder(), "new", "demo");
    const files = writeSimulation(folder, study);
    const tree = readTree(files.tree);
    expect(tree.names[0]).toBe("simulated");
    expect(tree.length).toEqual(study.tree.length);
    const metadata = readMetadata(files.metadata);
    expect(metadata.ids as string[]).toEqual(study.table.sampleIds as string[]);
    expect([...metadata.columns.keys()]).toEqual(["ph", "site", "plot"]);
    expect(readFileSync(files.metadata, "utf8")).toStartWith("# Simulated by ");
    expect(readFileSync(files.table, "latin1")).toContain("Simulated by ");
    const bytes = readFileSync(files.table);
    writeSimulation(folder, study);
    expect(readFileSync(files.table).equals(bytes)).toBe(true);
    // A study of somebody's own stays.
    writeFileSync(files.metadata, "sample-id\tage\nS1\t3\n");
    expect(() => writeSimulation(folder, study)).toThrow(
      /a file of that name is there and was not simulated/,
    );
    expect(readFileSync(files.metadata, "utf8")).toContain("age");
  });

  test("leaves nothing of a study that cannot be written whole", () => {
    const folder = join(scratchFolder(), "full");
    // A folder in the tree's place, where a full disk cannot be had; below, a study that is replaced.
    mkdirSync(join(folder, "tree.nwk", "below"), { recursive: true });
    writeFileSync(join(folder, "metadata.tsv"), "# Simulated by an earlier run\n");
    expect(() => writeSimulation(folder, simulate({ samples: 4, asvs: 8, length: 20 }), 2)).toThrow();
    expect(readdirSync(folder)).toEqual(["tree.nwk"]);
  });

  test("refuses options that make no sense", () => {
    expect(() => simulate({ samples: 0 })).toThrow(/samples must be a whole number/);
    expect(() => simulate({ asvs: 600, length: 4 })).toThrow(/too short for 600 different ASVs/);
  });
});

test("branch lengths are expected substitutions per site", () => {
  // Two tips a known distance apart; few enough changes that hardly any site is hit twice.
  const tree = {
    parent: Int32Array.of(-1, 0, 0),
    length: Float64Array.of(0, 0.01, 0.01),
    names: ["", "a", "b"],
  };
  const length = 200_000;
  const options = { length, varyLength: false };
  const [a, b] = simulateSequences(tree, Int32Array.of(1, 2), options, new Random(4));
  let different = 0;
  for (let site = 0; site < length; site++) if (a[site] !== b[site]) different += 1;
  expect(different / length).toBeGreaterThan(0.0185);
  expect(different / length).toBeLessThan(0.0205);
});

test("a phylogeny is as deep as asked", () => {
  const tree = simulatePhylogeny(2000, 0.35, new Random(9));
  const depth = new Float64Array(tree.parent.length);
  for (let node = 1; node < depth.length; node++) depth[node] = depth[tree.parent[node]] + tree.length[node];
  const tips = tipsOf(tree);
  expect(tips.reduce((sum, tip) => sum + depth[tip], 0) / tips.length / 0.35).toBeCloseTo(1, 0);
  expect(simulatePhylogeny(1, 0.35, new Random(9)).parent).toHaveLength(1);
});

test("Poisson numbers have the right mean and variance", () => {
  const random = new Random(2);
  for (const mean of [0.5, 7, 80]) {
    const draws = Array.from({ length: 20_000 }, () => poisson(mean, random));
    const average = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
    const variance = draws.reduce((sum, draw) => sum + (draw - average) ** 2, 0) / draws.length;
    expect(Math.abs(average / mean - 1)).toBeLessThan(0.05);
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.05);
  }
});
