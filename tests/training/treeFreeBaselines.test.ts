/** What predicts distances without a tree, against plain loops over the same samples. */
import { beforeAll, describe, expect, test } from "bun:test";
import { makeStudy, pretrainStudy, type Study } from "../../lab/material/study.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import * as torch from "../../src/torch/index.ts";
import {
  brayCurtisDistances,
  jaccardDistances,
} from "../../src/training/baselines/treeFree/sampleDistances.ts";
import {
  baselineTexts,
  bestBaseline,
  notBetterThan,
  treeFreeBaselines,
} from "../../src/training/baselines/treeFree/treeFreeBaselines.ts";
import { wordShares } from "../../src/training/baselines/treeFree/wordShares.ts";
import { fitCubic } from "../../src/training/objectives/polynomial.ts";
import { useScratch } from "../helpers/scratch.ts";
import { tokenize } from "../helpers/tokenize.ts";

const scratch = useScratch();
let study: Study;

beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 60);
});

/** Samples of sequences with counts, as far as words need them. */
function samplesOf(sequences: readonly string[], samples: readonly Record<number, number>[]): Dataset {
  return {
    asvCount: sequences.length,
    asvTokens: (row: number) => tokenize(sequences[row]),
    sample: (index: number) => ({
      asvs: Int32Array.from(Object.keys(samples[index]), Number),
      counts: Float32Array.from(Object.values(samples[index])),
    }),
  } as unknown as Dataset;
}

/** The study with other distances. */
function withDistances(between: (a: number, b: number) => number): Dataset {
  const { asvCount } = study.dataset;
  return {
    asvCount,
    asvTokens: (row: number) => study.dataset.asvTokens(row),
    sample: (index: number) => study.dataset.sample(index),
    distance: () => ({
      block: (samples: Int32Array) =>
        Float32Array.from({ length: samples.length ** 2 }, (_, i) =>
          between(samples[Math.floor(i / samples.length)], samples[i % samples.length]),
        ),
    }),
  } as unknown as Dataset;
}

test("words are counted by their sample's shares, without those that hold an unknown base", () => {
  const dataset = samplesOf(["AAAC", "ACNAAA"], [{ 0: 3, 1: 1 }, { 1: 2 }]);
  const { features, rows } = wordShares(dataset, Int32Array.of(0, 1), 2, 100);
  // AA and AC; the second sequence has AC, AA and AA.
  expect(features).toBe(2);
  expect([...(rows[0].value as Float64Array)]).toEqual([8 / 12, 4 / 12]);
  expect([...(rows[1].value as Float64Array)]).toEqual([4 / 6, 2 / 6]);
});

test("more words than columns share columns, and shares stay whole", () => {
  const { features, rows } = wordShares(study.dataset, Int32Array.of(0, 1, 2), 8, 16);
  expect(features).toBe(16);
  for (const { index, value } of rows) {
    expect(index.length).toBeLessThanOrEqual(16);
    expect((value as Float64Array).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
  }
});

test("Jaccard and Bray-Curtis distances are those of plain loops, over more than one block of columns", () => {
  const shares = [
    new Map([
      [1, 0.5],
      [9000, 0.25],
      [20_000, 0.25],
    ]),
    new Map([
      [1, 0.25],
      [9000, 0.75],
    ]),
    new Map([[5, 1]]),
    new Map<number, number>(),
  ];
  const rows = shares.map((own) => ({ index: [...own.keys()], value: [...own.values()] }));
  using _scope = torch.scope();
  const square = (of: torch.Tensor) => {
    const values = of.toFloat32Array();
    return shares.map((_, i) => values.subarray(i * shares.length, (i + 1) * shares.length));
  };
  const jaccard = square(jaccardDistances({ features: 20_001, rows }));
  const brayCurtis = square(brayCurtisDistances({ features: 20_001, rows }));
  shares.forEach((a, i) => {
    shares.forEach((b, j) => {
      const all = new Set([...a.keys(), ...b.keys()]);
      const both = [...all].filter((key) => a.has(key) && b.has(key)).length;
      expect(jaccard[i][j]).toBeCloseTo(all.size === 0 ? 0 : 1 - both / all.size, 6);
      const apart = [...all].reduce((sum, key) => sum + Math.abs((a.get(key) ?? 0) - (b.get(key) ?? 0)), 0);
      expect(brayCurtis[i][j]).toBeCloseTo(apart / 2, 6);
    });
  });
});

describe("a cubic", () => {
  test("is found again, and stays at its ends beyond them", () => {
    const x = Float64Array.from({ length: 50 }, (_, i) => 3 + i / 10);
    const cubic = (value: number) => 0.1 * value ** 3 - value ** 2 + 2 * value - 7;
    const fitted = fitCubic(x, x.map(cubic));
    expect(fitted(Float64Array.of(3.33, 7.9))[0]).toBeCloseTo(cubic(3.33), 8);
    expect(fitted(Float64Array.of(-100))[0]).toBeCloseTo(cubic(3), 8);
    expect(fitted(Float64Array.of(100))[0]).toBeCloseTo(cubic(7.9), 8);
  });

  test("of equal values is their mean", () => {
    const fitted = fitCubic(Float64Array.of(2, 2, 2), Float64Array.of(1, 2, 6));
    expect(fitted(Float64Array.of(2, 5))[1]).toBeCloseTo(3, 9);
  });
});

describe("baselines of a study", () => {
  const split = {
    train: Int32Array.from({ length: 40 }, (_, i) => i),
    validation: Int32Array.from({ length: 20 }, (_, i) => 40 + i),
    seed: 0,
  };

  test.each([
    ["unweighted", ["jaccard"]],
    ["weighted_normalized", ["bray_curtis"]],
    ["faith_pd", ["count"]],
  ])("of %s are %p, and tell something of it", (metric, kinds) => {
    const figures = treeFreeBaselines(study.dataset, { ...split, metric });
    const expected = kinds.flatMap((kind) =>
      ["asv_r2", "asv_mae", "kmer_r2", "kmer_mae", "kmer"].map((end) => `${kind}_${end}`),
    );
    expect(Object.keys(figures).sort()).toEqual(expected.sort());
    for (const kind of kinds) {
      expect([6, 8, 10]).toContain(figures[`${kind}_kmer`]!);
      expect(figures[`${kind}_asv_r2`]).toBeGreaterThan(0.2);
      expect(figures[`${kind}_asv_r2`]).toBeLessThan(1);
      expect(figures[`${kind}_kmer_mae`]).toBeGreaterThan(0);
    }
    expect(baselineTexts(figures).at(-1)).toMatch(/of (6|8|10)-mers: R² -?\d\.\d{4}, MAE \d+\.\d{4}/);
  });

  test("generalized UniFrac has both kinds", () => {
    const weighted = study.dataset.distance("weighted_normalized");
    const dataset = withDistances((a, b) => weighted.between(a, b));
    const figures = treeFreeBaselines(dataset, { ...split, metric: "generalized" });
    expect(figures["jaccard_asv_r2"]).toBeNumber();
    expect(figures["bray_curtis_asv_r2"]).toBeNumber();
  });

  test("R² is null where distances do not vary, and unknown ones are left out", () => {
    const constant = (value: number) => withDistances((a, b) => (a === 41 || b === 41 ? Number.NaN : value));
    const figures = treeFreeBaselines(constant(0.25), { ...split, metric: "unweighted" });
    expect(figures["jaccard_asv_r2"]).toBeNull();
    expect(figures["jaccard_asv_mae"]).toBeCloseTo(0, 9);
    const unknown = treeFreeBaselines(constant(Number.NaN), { ...split, metric: "unweighted" });
    expect(unknown).toMatchObject({ jaccard_asv_r2: null, jaccard_asv_mae: null });
    expect(bestBaseline(unknown)).toBeNull();
  });

  test("warn of a model that is not better, in words", () => {
    const figures = { jaccard_asv_r2: 0.5, jaccard_kmer_r2: 0.7, jaccard_kmer: 8, judged_samples: 2000 };
    expect(notBetterThan(figures, 0.71)).toBeNull();
    expect(notBetterThan(figures, 0.6)).toContain("(Jaccard distance of 8-mers (of 2000 samples), R² 0.700)");
  });

  test("stand in the summary of a run, which warns where it is worse", async () => {
    const warnings: string[] = [];
    const display = new ProgressDisplay("quiet", { columns: 80, write: () => {}, writeError: () => {} });
    display.warn = (text: string) => void warnings.push(text);
    const { summary } = await pretrainStudy(
      study,
      scratch.path("run"),
      { model: { encoder: "aam" }, training: { epochs: 1 } },
      { display },
    );
    expect(summary.baselines["jaccard_asv_r2"]).toBeGreaterThan(0.2);
    expect(summary["val.unifrac_r2"]).toBeLessThan(summary.baselines["jaccard_asv_r2"]!);
    expect(warnings.join("\n")).toContain("is not better than what needs no training");
  });
});
