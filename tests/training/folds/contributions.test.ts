import { beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { makePlan, planSchema } from "../../../src/training/folds/plan.ts";
import { kernelContributions } from "../../../src/training/predictors/kernelContributions.ts";
import type { KernelName } from "../../../src/training/predictors/kernelName.ts";
import { kernelRidge, RidgeFits } from "../../../src/training/predictors/kernelRidge.ts";
import { type KernelScores, multiply } from "../../../src/training/predictors/kernels.ts";
import { type LearnTask, widthOf } from "../../../src/training/predictors/learner.ts";
import { contributedReasons } from "../../../src/training/predictors/reasons.ts";
import { Study } from "../../../src/training/predictors/study.ts";
import { openRun } from "../../../src/training/run/open.ts";
import { plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const asvs = 7;
let dataset: Dataset;
let tasks: { readonly task: LearnTask; readonly test: Int32Array }[];
beforeAll(async () => {
  dataset = openDataset((await plantedStudy(scratch.path("study"), 45, asvs)).folder);
  tasks = ["score", "state"].map((column) => taskOf(dataset, column));
});

function taskOf(data: Dataset, column: string) {
  const plan = makePlan(data, planSchema.parse({ column, splitBy: "host", folds: 3 }));
  const [{ train, test }] = plan.jobs;
  const hosts = { column: "host", values: Array.from(plan.groupOf!, String) };
  const study = new Study(data, plan.samples, openRun("builtin", "cpu"));
  const inner = makeFolds(train, { folds: 3, groups: hosts });
  const { target, groupOf } = plan;
  return { test, task: { study, target, train, inner, groupOf, random: new Random(1), trees: 5 } };
}

/** What a fit says of every set of ASVs there is, by a bit for each ASV: [2^A * width]. */
function scoresOfSets({ study, train }: LearnTask, { kernel, alpha, offsets }: KernelScores): Float64Array {
  const { parent, length, tipOfAsv } = study.dataset.tree();
  const bits = (sample: number) =>
    study.dataset.sample(sample).asvs.reduce((sum, asv) => sum | (1 << asv), 0);
  const branches = (set: number) => {
    const found = new Set<number>();
    tipOfAsv.forEach((tip, asv) => {
      for (let node = tip; (set >> asv) & 1 && node > 0; node = parent[node]) found.add(node);
    });
    return found;
  };
  const known = Array.from(train, (sample) => ({ own: bits(sample), branches: branches(bits(sample)) }));
  const sets = Array.from({ length: 1 << asvs }, (_, set) => set);
  const likeness: Partial<Record<KernelName, (set: number) => number[]>> = {
    presence: (set) => known.map(({ own }) => (own & set).toString(2).replaceAll("0", "").length),
    branches(set) {
      const own = branches(set);
      return known.map((other) =>
        [...own].reduce((sum, node) => sum + (other.branches.has(node) ? length[node] : 0), 0),
      );
    },
  };
  const block = kernel.ofBlocks(sets.length, (name) => Float64Array.from(sets.flatMap(likeness[name]!)));
  return multiply(block, alpha, sets.length, train.length, offsets);
}

/** Shapley's formula where ASVs that are not known are there as often as in training, independently. */
function shapley(scores: Float64Array, shares: number[], set: number, width: number): number[] {
  const all = 1 << asvs;
  const game = Array.from({ length: all }, (_, given) => {
    const sums = new Array<number>(width).fill(0);
    for (let other = 0; other < all; other++) {
      let chance = 1;
      shares.forEach((share, asv) => {
        const has = (other >> asv) & 1;
        if ((given >> asv) & 1) chance *= has === ((set >> asv) & 1) ? 1 : 0;
        else chance *= has ? share : 1 - share;
      });
      for (let c = 0; c < width; c++) sums[c] += chance * scores[other * width + c];
    }
    return sums;
  });
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  const values = new Array<number>(asvs * width).fill(0);
  for (let given = 0; given < all; given++) {
    const size = given.toString(2).replaceAll("0", "").length;
    for (let asv = 0; asv < asvs; asv++) {
      if ((given >> asv) & 1) continue;
      const weight = (factorial(size) * factorial(asvs - size - 1)) / factorial(asvs);
      for (let c = 0; c < width; c++)
        values[asv * width + c] += weight * (game[given | (1 << asv)][c] - game[given][c]);
    }
  }
  return values;
}

describe("contributions to kernel ridge regression", () => {
  test("are Shapley's formula over all subsets for presence and branches, of numbers and of classes", () => {
    for (const { task, test: held } of tasks)
      for (const names of [["presence"], ["presence", "branches"]] as const) {
        const width = widthOf(task.target);
        const fits = new RidgeFits(task, names, task.train);
        const fit = { kernel: fits.kernel, ...fits.solve({ penalty: 0.1, robust: 0, power: 1, shared: 0 }) };
        const scores = scoresOfSets(task, fit);
        const has = (sample: number, asv: number) => dataset.sample(sample).asvs.includes(asv);
        const shares = Array.from(
          { length: asvs },
          (_, asv) => task.train.filter((sample) => has(sample, asv)).length / task.train.length,
        );
        const some = held.slice(0, 3);
        let row = 0;
        for (const { values } of kernelContributions(task, names, fit, null)!(some)) {
          const set = dataset.sample(some[row++]).asvs.reduce((sum, asv) => sum | (1 << asv), 0);
          const expected = shapley(scores, shares, set, width);
          values.forEach((value, i) => {
            expect(value).toBeCloseTo(expected[i], 5);
          });
        }
        expect(row).toBe(3);
      }
  });

  test("add up to what is predicted, in its unit, with every kernel; the planted ASVs are first", () => {
    const [{ task, test: held }, { task: classes }] = tasks;
    // A power is learned of these, and some are predicted beyond the bounds.
    const values = task.target.values.map((value) => (value - 3) ** 3 / 100);
    const skewed = { ...task, target: { ...task.target, values } };
    const { kernels, encoderKernels } = task.study;
    for (const names of [["presence"], kernels, encoderKernels] as const) {
      const learned = kernelRidge(skewed, names);
      expect(learned.settings["power"]).toBeLessThan(1);
      const predicted = learned.predict(held);
      const bases = Array.from(learned.explain!(held), (own, row) => {
        const sum = own.values.reduce((total, value) => total + value, 0);
        expect(sum).toBeCloseTo(own.total[0], 3);
        return predicted[row] - own.total[0];
      });
      for (const base of bases) expect(base).toBeCloseTo(bases[0], 9);
      const { asvs: found, effects, importance, gap } = contributedReasons(skewed, learned.explain!, held);
      expect(gap).toBeLessThan(1e-4);
      const order = [...found.keys()].sort((a, b) => importance[b] - importance[a]);
      expect(order.slice(0, 2).map((i) => [found[i], Math.sign(effects[i]!)])).toEqual([
        [0, 1],
        [1, -1],
      ]);
      const ofClasses = contributedReasons(classes, kernelRidge(classes, names).explain!, held);
      expect(ofClasses.gap).toBeLessThan(1e-4);
      const ill = classes.target.classes.indexOf("ill");
      expect([ofClasses.effects[ill]! > 0.5, ofClasses.effects[1 - ill]! < -0.5]).toEqual([true, true]);
    }
  });

  test("of a kernel of the tree need the tree", async () => {
    const bare = scratch.path("bare");
    const { table, metadata } = await plantedStudy(scratch.path("other"), 15, 4);
    await prepareDataset({ table, metadata, rarefyDepth: "none" }, bare);
    using data = openDataset(bare);
    const { study } = taskOf(data, "score").task;
    expect(study.soft(["unifrac"])).toBeNull();
    expect(study.soft(["codes"])).not.toBeNull();
  });

  test("that do not add up are told by how much", () => {
    const [{ task, test: held }] = tasks;
    const explain = (samples: Int32Array) =>
      Array.from(samples, (_, row) => ({
        values: Float64Array.from({ length: asvs }, (_value, asv) => (asv === 2 ? row : 0)),
        total: Float64Array.of(row === 4 ? 3 : row),
      }));
    const last = held.length - 1;
    expect(contributedReasons(task, explain, held).gap).toBeCloseTo(1 / last, 12);
  });
});
