import { describe, expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import type { DecisionTree } from "../../src/training/baselines/decisionTree.ts";
import { RandomForest, type SparseRows } from "../../src/training/baselines/randomForest.ts";
import { TreeShap } from "../../src/training/baselines/treeShap.ts";

/** Samples by features, some of which are 0. */
function simulated(samples: number, features: number, seed: number) {
  const random = new Random(seed);
  const dense = Array.from({ length: samples }, () =>
    Array.from({ length: features }, () => (random.float() < 0.4 ? 0 : Math.ceil(20 * random.float()))),
  );
  const rows: SparseRows = {
    features,
    rows: dense.map((row) => {
      const index = [...row.keys()].filter((i) => row[i] !== 0);
      return { index, value: index.map((i) => row[i]) };
    }),
  };
  return { dense, rows, random };
}

/** What a tree says of a sample of which only some features are known. */
function expectation(tree: DecisionTree, sample: ArrayLike<number>, known: number, node = 0): number[] {
  const own = tree.leaf[node];
  if (own) return [...own];
  const [left, right] = [tree.left[node], tree.right[node]];
  const feature = tree.feature[node];
  if ((known >> feature) & 1)
    return expectation(tree, sample, known, sample[feature] <= tree.threshold[node] ? left : right);
  const other = expectation(tree, sample, known, right);
  return expectation(tree, sample, known, left).map(
    (value, k) => (value * tree.cover[left] + other[k] * tree.cover[right]) / tree.cover[node],
  );
}

/** Shapley's formula over all subsets, as it stands. */
function bruteForce(trees: readonly DecisionTree[], sample: ArrayLike<number>, width: number): number[] {
  const n = sample.length;
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  const values = new Array<number>(n * width).fill(0);
  for (const tree of trees) {
    const game = Array.from({ length: 1 << n }, (_, known) => expectation(tree, sample, known));
    for (let known = 0; known < 1 << n; known++) {
      let size = 0;
      for (let i = 0; i < n; i++) size += (known >> i) & 1;
      for (let i = 0; i < n; i++) {
        if ((known >> i) & 1) continue;
        const weight = (factorial(size) * factorial(n - size - 1)) / factorial(n) / trees.length;
        for (let k = 0; k < width; k++)
          values[i * width + k] += weight * (game[known | (1 << i)][k] - game[known][k]);
      }
    }
  }
  return values;
}

/** A random tree, in which a feature may be asked several times on one path. */
function randomTree(random: Random, features: number, depth: number, width: number): DecisionTree {
  const tree: DecisionTree = { feature: [], threshold: [], left: [], right: [], cover: [], leaf: [] };
  const grow = (level: number, cover: number): number => {
    const node = tree.feature.push(-1) - 1;
    tree.threshold.push(0);
    tree.left.push(-1);
    tree.right.push(-1);
    tree.cover.push(cover);
    tree.leaf.push(null);
    if (level === 0 || cover < 2 || random.float() < 0.1) {
      tree.leaf[node] = Float64Array.from({ length: width }, () => random.normal());
      return node;
    }
    tree.feature[node] = random.integer(features);
    tree.threshold[node] = random.float();
    const left = 1 + random.integer(cover - 1);
    tree.left[node] = grow(level - 1, left);
    tree.right[node] = grow(level - 1, cover - left);
    return node;
  };
  grow(depth, 300);
  return tree;
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));

describe("SHAP values of trees", () => {
  test("are Shapley's formula over all subsets, for random trees that ask a feature again", () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = new Random(seed);
      const width = 1 + (seed % 3);
      const features = 1 + (seed % 6);
      const trees = [1, 2, 3].map((depth) => randomTree(random, features, 3 * depth, width));
      const shap = new TreeShap(trees, features, width);
      for (let round = 0; round < 4; round++) {
        const sample = Float64Array.from({ length: features }, () => random.float());
        const { values } = shap.explain(sample, [0, 1, 2]);
        expect(largest(values, bruteForce(trees, sample, width))).toBeLessThan(1e-11);
      }
    }
  });

  test("with the base add up to a forest's predictions, of numbers and of classes", () => {
    const { rows, dense, random } = simulated(200, 30, 5);
    const numbers = dense.map((row) => row[0] * 3 - row[1] * row[2] + 10 * random.normal());
    const targets = [
      { kind: "numbers", values: numbers, width: 1 },
      { kind: "classes", values: numbers.map((value) => (value < 0 ? 0 : value < 20 ? 1 : 2)), width: 3 },
    ] as const;
    for (const { width, ...y } of targets) {
      const target = y.kind === "classes" ? { ...y, classes: width } : y;
      const forest = new RandomForest(rows, target, { trees: 20, random: new Random(1) });
      const predicted = forest.predict(rows);
      let row = 0;
      for (const { base, values } of forest.shap(rows)) {
        const sums = Array.from(base);
        values.forEach((value, i) => {
          sums[i % width] += value;
        });
        expect(largest(sums, predicted.subarray(row * width, ++row * width))).toBeLessThan(1e-9);
      }
      expect(row).toBe(200);
    }
  });

  test("of the middle fifth of the trees add up to what these predict, which is near the median", () => {
    const { rows, dense, random } = simulated(150, 20, 5);
    // One in five is far away: means lie between, medians do not.
    const values = dense.map((row) => row[0] + (random.float() < 0.2 ? 1000 : 0));
    for (const trees of [1, 2, 15, 50]) {
      const forest = new RandomForest(rows, { kind: "numbers", values }, { trees, random: new Random(1) });
      const middle = forest.predictMiddle(rows);
      let row = 0;
      for (const { base, values: own } of forest.shap(rows, "middle")) {
        const sum = own.reduce((all, value) => all + value, base[0]);
        expect(Math.abs(sum - middle[row++])).toBeLessThan(1e-9);
      }
      if (trees <= 2) expect(largest(middle, forest.predict(rows))).toBeLessThan(1e-9);
      else expect(middle.filter((value) => value < 100).length).toBeGreaterThan(75);
    }
  });

  test("are 0 for what no tree asks, and alike for features that play the same part", () => {
    // Two features of which both are needed, and a third one that is not asked.
    const both: DecisionTree = {
      feature: [0, -1, 1, -1, -1],
      threshold: [0.5, 0, 0.5, 0, 0],
      left: [1, -1, 3, -1, -1],
      right: [2, -1, 4, -1, -1],
      cover: [4, 2, 2, 1, 1],
      leaf: [null, Float64Array.of(0), null, Float64Array.of(0), Float64Array.of(8)],
    };
    const swapped = { ...both, feature: [1, -1, 0, -1, -1] };
    const shap = new TreeShap([both, swapped], 3, 1);
    const valuesOf = (...sample: number[]) => shap.explain(Float64Array.from(sample), [0, 1]);
    expect(valuesOf(1, 1, 1).base).toEqual(Float64Array.of(2));
    expect([...valuesOf(1, 1, 1).values]).toEqual([3, 3, 0].map((value) => expect.closeTo(value, 12)));
    // A sample without the second feature: all that it could have had is lost.
    const [first, second, third] = valuesOf(1, 0, 1).values;
    expect(first + second + 2).toBeCloseTo(0, 12);
    expect(second).toBeLessThan(first);
    expect(third).toBe(0);
  });

  test("stay exact in deep trees", () => {
    // A chain of 60 questions, each of another feature.
    const depth = 60;
    const tree: DecisionTree = { feature: [], threshold: [], left: [], right: [], cover: [], leaf: [] };
    for (let level = 0; level < depth; level++) {
      tree.feature.push(level, -1);
      tree.threshold.push(0.5, 0);
      tree.left.push(2 * level + 1, -1);
      tree.right.push(2 * level + 2, -1);
      tree.cover.push(depth + 1 - level, 1);
      tree.leaf.push(null, Float64Array.of(level));
    }
    tree.feature.push(-1);
    tree.cover.push(1);
    tree.leaf.push(Float64Array.of(1000));
    const shap = new TreeShap([tree], depth, 1);
    const { base, values } = shap.explain(new Float64Array(depth).fill(1), [0]);
    expect(base[0] + values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1000, 9);
  });
});

test("a forest parts two values that have no number between them", () => {
  // Counts as shares may differ by the last bit alone; the middle then rounds to the higher one.
  const low = 0.1 + 2 ** -56;
  const high = low + 2 ** -56;
  const x = { features: 1, rows: [low, low, high, high].map((value) => ({ index: [0], value: [value] })) };
  const forest = new RandomForest(
    x,
    { kind: "numbers", values: [0, 0, 8, 8] },
    { trees: 40, random: new Random(2) },
  );
  const predicted = forest.predict(x);
  expect(high).toBeGreaterThan(low);
  expect(predicted[0]).toBeLessThan(3);
  expect(predicted[2]).toBeGreaterThan(5);
});

test("a forest learns as well in any unit", () => {
  const { dense, rows } = simulated(60, 6, 8);
  const grown = (unit: number) => {
    const values = dense.map(([first, second]) => unit * (first + second / 7));
    return new RandomForest(rows, { kind: "numbers", values }, { trees: 10, random: new Random(1) });
  };
  const usual = grown(1).predict(rows);
  expect(new Set(usual).size).toBeGreaterThan(30);
  for (const unit of [2 ** -40, 2 ** 660])
    expect([...grown(unit).predict(rows)]).toEqual([...usual].map((value) => unit * value));
});
