import { describe, expect, test } from "bun:test";
import { Random } from "../../src/common/random/random.ts";
import { NearestNeighbours } from "../../src/training/baselines/nearestNeighbours.ts";
import { RandomForest, type SparseRows } from "../../src/training/baselines/randomForest.ts";
import expected from "../fixtures/random-forest.json" with { type: "json" };

function sparse(rows: readonly (readonly number[])[]): SparseRows {
  return {
    features: rows[0].length,
    rows: rows.map((row) => {
      const index = [...row.keys()].filter((i) => row[i] !== 0);
      return { index, value: index.map((i) => row[i]) };
    }),
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const train = sparse(expected.x.slice(0, expected.train));
const unseen = sparse(expected.x.slice(expected.train));

describe("a random forest", () => {
  test("errs as much as scikit-learn's, over ten seeds", () => {
    const truth = expected.y.slice(expected.train);
    const errors = Array.from({ length: 10 }, (_, seed) => {
      const y = { kind: "numbers", values: expected.y.slice(0, expected.train) } as const;
      const forest = new RandomForest(train, y, { trees: 100, random: new Random(seed) });
      return mean([...forest.predict(unseen)].map((value, i) => Math.abs(value - truth[i])));
    });
    expect(Math.abs(mean(errors) - expected.mae.mean)).toBeLessThan(3 * expected.mae.std);
  });

  test("is right as often as scikit-learn's, and gives shares of classes", () => {
    const truth = expected.classes.slice(expected.train);
    const shares = Array.from({ length: 10 }, (_, seed) => {
      const y = { kind: "classes", values: expected.classes.slice(0, expected.train), classes: 3 } as const;
      const found = new RandomForest(train, y, { trees: 100, random: new Random(seed) }).predict(unseen);
      const right = truth.map((label, i) => {
        const own = [...found.subarray(3 * i, 3 * i + 3)];
        expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
        return own.indexOf(Math.max(...own)) === label ? 1 : 0;
      });
      return mean(right);
    });
    expect(Math.abs(mean(shares) - expected.accuracy.mean)).toBeLessThan(3 * expected.accuracy.std);
  });

  test("learns a rule on one feature exactly, and is the same for the same seed", () => {
    const x = sparse(Array.from({ length: 40 }, (_, i) => [i % 2 === 0 ? 0 : 5 + i, i % 3]));
    const values = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : 9));
    const grow = (seed: number) =>
      new RandomForest(
        x,
        { kind: "numbers", values },
        { trees: 20, maxFeatures: "all", random: new Random(seed) },
      );
    const found = grow(1).predict(x);
    for (const [i, value] of values.entries()) expect(found[i]).toBeCloseTo(value, 9);
    expect(grow(1).predict(x)).toEqual(found);
  });

  test.each([1, 0.5, "sqrt", "all"] as const)("B41: takes %s features for a split", (maxFeatures) => {
    const y = { kind: "numbers", values: expected.y.slice(0, expected.train) } as const;
    const found = new RandomForest(train, y, { trees: 5, maxFeatures, random: new Random(0) }).predict(
      unseen,
    );
    expect(found.every(Number.isFinite)).toBe(true);
  });

  test("has leaves of the size wanted", () => {
    const y = { kind: "numbers", values: expected.y.slice(0, expected.train) } as const;
    const found = new RandomForest(train, y, { trees: 1, minLeaf: 100, random: new Random(0) }).predict(
      unseen,
    );
    expect(new Set(found).size).toBe(1);
  });
});

describe("nearest neighbours", () => {
  const at = [0, 1, 2, 3, 10, 11, 12, 13];
  const distance = (a: number, b: number) => Math.abs(at[a] - at[b]);
  const samples = Int32Array.from(at.keys());

  test("predict the mean of the nearest, never of themselves", () => {
    const values = [1, 1, 1, 1, 5, 5, 5, 5];
    const found = new NearestNeighbours({ distance, train: samples, target: { kind: "numbers", values } });
    expect(found.k).toBeLessThanOrEqual(3);
    expect([...found.predict(Int32Array.of(0, 7))]).toEqual([1, 5]);
  });

  test("choose k without neighbours of the same group", () => {
    // Each group is alone with its value: the nearest sample is of the same group, and
    // tells nothing of others.
    const values = [1, 1, 9, 9, 1, 1, 9, 9];
    const groupOf = [0, 0, 1, 1, 2, 2, 3, 3];
    const input = { distance, train: samples, target: { kind: "numbers", values } as const };
    expect(new NearestNeighbours(input).errors.get(1)).toBeLessThan(3);
    expect(new NearestNeighbours({ ...input, groupOf }).errors.get(1)).toBeGreaterThan(3);
  });

  test("skip unknown distances, and vote for classes", () => {
    const target = { kind: "classes", values: [0, 0, 0, 0, 1, 1, 1, 1], classes: 2 } as const;
    const partly = (a: number, b: number) => (a + b === 1 ? Number.NaN : distance(a, b));
    const found = new NearestNeighbours({ distance: partly, train: samples, target });
    expect([...found.predict(Int32Array.of(1))]).toEqual([1, 0]);
  });
});
