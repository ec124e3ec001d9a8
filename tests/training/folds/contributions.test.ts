import { beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { makePlan, planSchema } from "../../../src/training/folds/plan.ts";
import { contributedReasons } from "../../../src/training/predictors/contributedReasons.ts";
import { learnAll } from "../../../src/training/predictors/index.ts";
import { kernelContributions } from "../../../src/training/predictors/kernelContributions.ts";
import type { KernelName } from "../../../src/training/predictors/kernelName.ts";
import { kernelRidge, RidgeFits } from "../../../src/training/predictors/kernelRidge.ts";
import { type KernelScores, multiply } from "../../../src/training/predictors/kernels.ts";
import { type Learned, type LearnTask, widthOf } from "../../../src/training/predictors/learner.ts";
import { toProbabilities } from "../../../src/training/predictors/probabilityContributions.ts";
import { forest, neighbours } from "../../../src/training/predictors/simple.ts";
import { stack } from "../../../src/training/predictors/stack.ts";
import { Study } from "../../../src/training/predictors/study.ts";
import { supportVectors } from "../../../src/training/predictors/supportVectors.ts";
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

function reasonsOf(task: LearnTask, learned: Learned, held: Int32Array) {
  return contributedReasons(task, { learned }, held)["learned"];
}

const sumsOf = (values: Float64Array, width: number) =>
  Array.from({ length: width }, (_, c) => values.filter((_value, i) => i % width === c)).map((own) =>
    own.reduce((sum, value) => sum + value, 0),
  );

describe("contributions to probabilities", () => {
  // By hand: three classes of log scores s, p = exp(s) / sum.
  const softmax = (s: Float64Array) => {
    const most = Math.max(...s);
    const all = s.reduce((sum, value) => sum + Math.exp(value - most), 0);
    return s.map((value) => Math.exp(value - most) / all);
  };
  test("add up to their change for any scores, and over classes to nothing", () => {
    const random = new Random(3);
    for (const width of [2, 3, 6]) {
      const draw = (count: number, size: number) =>
        Float64Array.from({ length: count }, () => size * random.normal());
      const contributions = Array.from({ length: 20 }, (_, i) => {
        const values = draw(4 * width, i % 4);
        return { values, base: draw(width, 2) };
      });
      const at = Float64Array.from(
        contributions.flatMap(({ values, base }) => sumsOf(values, width).map((sum, c) => base[c] + sum)),
      );
      let row = 0;
      const cube = (s: number) => s ** 3 / 10;
      const say = (s: Float64Array) => softmax(s.map(cube));
      for (const { values, base } of toProbabilities(at, contributions, cube, say)) {
        const p = say(at.subarray(row * width, (row + 1) * width));
        const q = say(contributions[row].base);
        sumsOf(values, width).forEach((sum, c) => {
          expect(sum).toBeCloseTo(p[c] - q[c], 9);
        });
        expect(base).toEqual(q);
        for (let i = 0; i < values.length; i += width)
          expect(values.subarray(i, i + width).reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9);
        row++;
      }
      expect(row).toBe(20);
    }
  });

  test("of two classes share out the change as those to the scores do; of small ones go by the slope", () => {
    const two = Float64Array.of(1, -1);
    const values = Float64Array.of(1.5, -1.5, -0.5, 0.5);
    const base = new Float64Array(2);
    const [found] = toProbabilities(two, [{ values, base }], (s) => s, softmax);
    const change = 1 / (1 + Math.exp(-2)) - 1 / 2;
    [1.5 * change, -1.5 * change, -0.5 * change, 0.5 * change].forEach((expected, i) => {
      expect(found.values[i]).toBeCloseTo(expected, 12);
    });
    const s = Float64Array.of(0.3, -0.7, 1.1);
    const p = softmax(s);
    const small = Float64Array.of(1e-8, 0, 0, 0, -2e-8, 0);
    const moved = Float64Array.from(sumsOf(small, 3), (sum, c) => s[c] + sum);
    const [near] = toProbabilities(moved, [{ values: small, base: s }], (value) => value, softmax);
    // d p_c / d s_k = p_c (1{c = k} - p_k)
    near.values.forEach((value, i) => {
      const k = i < 3 ? 0 : 1;
      const slope = p[i % 3] * (Number(i % 3 === k) - p[k]);
      expect(value * 1e8).toBeCloseTo((k === 0 ? 1 : -2) * slope, 6);
    });
  });
});

describe("contributions of predictors", () => {
  test("add up to predictions from one base, of numbers and of classes", () => {
    for (const { task, test: held } of tasks) {
      const width = widthOf(task.target);
      const { kernels } = task.study;
      for (const learned of [forest(task), supportVectors(task, kernels), kernelRidge(task, kernels)]) {
        const predicted = learned.predict(held);
        const bases: Float64Array[] = [];
        for (const { values, base } of learned.explain!(held)) {
          const row = bases.push(base) - 1;
          sumsOf(values, width).forEach((sum, c) => {
            expect(base[c] + sum).toBeCloseTo(predicted[row * width + c], 4);
          });
          expect(base).toEqual(bases[0]);
          expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.1);
        }
        expect(bases.length).toBe(held.length);
      }
    }
  });

  test("to a mean of means are the mean of its parts' by their weights; neighbours are one piece", () => {
    for (const { task, test: held } of tasks) {
      const width = widthOf(task.target);
      const single = {
        forest: forest(task),
        kernel: kernelRidge(task, ["presence"]),
        neighbours: neighbours(task),
      };
      const inner: Learned = {
        ...stack(task, single),
        parts: [
          { name: "forest", learned: single.forest, weight: 0.5 },
          { name: "neighbours", learned: single.neighbours, weight: 0.3 },
          { name: "kernel", learned: single.kernel, weight: 0.2 },
        ],
      };
      const outer = { weight: 0.6, name: "kernel", learned: single.kernel };
      const parts = [outer, { weight: 0.4, name: "stack", learned: inner }];
      const weights = { forest: 0.2, kernel: 0.68, neighbours: 0.12 };
      const said = Object.entries(weights).map(([name, weight]) =>
        single[name as keyof typeof single].predict(held).map((value) => weight * value),
      );
      const predict = () => said[0].map((value, i) => value + said[1][i] + said[2][i]);
      const auto: Learned = { settings: {}, unseen: inner.unseen, predict, parts };
      const found = reasonsOf(task, auto, held);
      expect(found.gap).toBeLessThan(1e-9);

      const ofForest = [...single.forest.explain!(held)];
      const ofKernel = [...single.kernel.explain!(held)];
      const mixed = ofForest.map(({ values }, row) =>
        values.map((value, i) => 0.2 * value + 0.68 * ofKernel[row].values[i]),
      );
      const has = Array.from(held, (sample) => dataset.sample(sample).asvs.includes(0));
      const meanOf = (c: number, wanted: boolean) => {
        const own = mixed.filter((_, row) => has[row] === wanted).map((values) => values[c]);
        return own.reduce((sum, value) => sum + value, 0) / own.length;
      };
      const sizes = mixed.flatMap((values) => [...values.slice(0, width)]).map(Math.abs);
      expect(found.asvs[0]).toBe(0);
      expect(found.importance[0]).toBeCloseTo(sizes.reduce((sum, size) => sum + size, 0) / sizes.length, 9);
      for (let c = 0; c < width; c++)
        expect(found.effects[c]!).toBeCloseTo(meanOf(c, true) - meanOf(c, false), 9);
      const whole = said[2];
      const mean = (c: number) =>
        whole.reduce((sum, value, i) => sum + (i % width === c ? value : 0), 0) / held.length;
      const rest = whole.map((value, i) => Math.abs(value - mean(i % width)));
      expect(found.undivided!.parts).toEqual(["neighbours"]);
      expect(found.undivided!.weight).toBeCloseTo(0.12, 12);
      expect(found.undivided!.importance).toBeCloseTo(
        rest.reduce((sum, size) => sum + size, 0) / (width === 1 ? held.length : 2 * held.length),
        9,
      );
      // One that says the same of every sample is no part of what ASVs do.
      const same = {
        ...single.neighbours,
        predict: (samples: Int32Array) => new Float64Array(width * samples.length),
      };
      const still = parts.map((part) => ({ ...part, learned: part.name === "stack" ? same : part.learned }));
      const half = () => single.kernel.predict(held).map((value) => 0.6 * value);
      expect(reasonsOf(task, { ...auto, predict: half, parts: still }, held).undivided).toBeUndefined();
    }
  });

  test("are found for the stack and for auto, whose parts are explained once", async () => {
    for (const { task, test: held } of tasks) {
      const learned = await learnAll(task, ["auto", "stack"]);
      let asked = 0;
      const { explain } = learned["kernel"];
      Object.assign(learned["kernel"], {
        explain: (samples: Int32Array) => {
          asked++;
          return explain!(samples);
        },
      });
      const { auto, stack: stacked, kernel } = contributedReasons(task, learned, held);
      expect(asked).toBe(1);
      for (const { asvs: found, importance, gap } of [auto, stacked, kernel]) {
        expect(gap).toBeLessThan(1e-4);
        expect(found[importance.indexOf(Math.max(...importance))]).toBe(0);
      }
      expect(stacked.undivided!.parts).toEqual(["neighbours"]);
      expect(stacked.undivided!.weight).toBeCloseTo(Number(learned["stack"].settings["neighbours"]), 2);
    }
  });
});

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
        expect(own.base[0] + sum).toBeCloseTo(predicted[row], 3);
        return own.base[0];
      });
      for (const base of bases) expect(base).toBeCloseTo(bases[0], 9);
      const { asvs: found, effects, importance, gap } = reasonsOf(skewed, learned, held);
      expect(gap).toBeLessThan(1e-4);
      const order = [...found.keys()].sort((a, b) => importance[b] - importance[a]);
      expect(order.slice(0, 2).map((i) => [found[i], Math.sign(effects[i]!)])).toEqual([
        [0, 1],
        [1, -1],
      ]);
      const ofClasses = reasonsOf(classes, kernelRidge(classes, names), held);
      expect(ofClasses.gap).toBeLessThan(1e-4);
      const ill = classes.target.classes.indexOf("ill");
      expect(ofClasses.effects[ill]!).toBeGreaterThan(0.3);
      expect(ofClasses.effects[1 - ill]!).toBeCloseTo(-ofClasses.effects[ill]!, 9);
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
    const own: Learned = {
      settings: {},
      unseen: new Float64Array(task.train.length),
      predict: (samples) => Float64Array.from(samples, (_, row) => (row === 4 ? 13 : 10 + row)),
      explain: (samples) =>
        Array.from(samples, (_, row) => ({
          values: Float64Array.from({ length: asvs }, (_value, asv) => (asv === 2 ? row : 0)),
          base: Float64Array.of(10),
        })),
    };
    expect(reasonsOf(task, own, held).gap).toBeCloseTo(1 / (held.length - 1), 12);
    const still: Learned = {
      ...own,
      predict: (samples) => new Float64Array(samples.length).fill(0.1 + 0.2),
      explain: (samples) =>
        Array.from(samples, () => ({ values: new Float64Array(asvs), base: Float64Array.of(0.3) })),
    };
    expect(reasonsOf(task, still, held)).toMatchObject({ asvs: [], gap: expect.closeTo(0, 6) });
  });
});
