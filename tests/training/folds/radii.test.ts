import { describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { conformalRadius } from "../../../src/metrics/intervals.ts";
import { radiiOf } from "../../../src/training/folds/radii.ts";
import type { LearnTask } from "../../../src/training/predictors/learner.ts";

const count = 400;
const train = Int32Array.from({ length: count }, (_, i) => i);
const inner = makeFolds(train, { folds: 5 });

/** Predictions from 0 to 10, and values whose error grows with the prediction by `growth`. */
function study(seed: number, growth: number) {
  const random = new Random(seed);
  const unseen = Float64Array.from(train, () => 10 * random.float());
  const values = unseen.map((value) => value + (1 + growth * value) * random.normal());
  return { unseen, values };
}

const taskOf = (values: Float64Array) =>
  ({
    target: { kind: "numbers", column: "y", values, classes: [] },
    ...{ train, inner, groupOf: null },
  }) as unknown as LearnTask;

describe("how far values may be from predictions", () => {
  test("follows errors that grow with the prediction, and holds the wanted share at low and high ones", () => {
    const { unseen, values } = study(1, 1);
    const held = study(2, 1);
    const radii = radiiOf(taskOf(values), { unseen }, held.unseen, 0.9);
    const holds = (from: number, to: number) => {
      const rows = [...train].filter((row) => held.unseen[row] >= from && held.unseen[row] < to);
      return (
        rows.filter((row) => Math.abs(held.values[row] - held.unseen[row]) <= radii[row]).length / rows.length
      );
    };
    for (const third of [holds(0, 3.3), holds(3.3, 6.6), holds(6.6, 10)]) {
      expect(third).toBeGreaterThan(0.82);
      expect(third).toBeLessThan(0.98);
    }
    const [low, high] = radiiOf(taskOf(values), { unseen }, Float64Array.of(1, 9), 0.9);
    expect(high / low).toBeGreaterThan(3);
    expect(high / low).toBeLessThan(8);
  });

  test("is about the same everywhere where errors are", () => {
    const { unseen, values } = study(3, 0);
    const [low, high] = radiiOf(taskOf(values), { unseen }, Float64Array.of(0, 10), 0.9);
    expect(high / low).toBeGreaterThan(0.75);
    expect(high / low).toBeLessThan(1.35);
  });

  test("falls where large predictions are the good ones", () => {
    const { unseen, values } = study(4, 1);
    const turned = [unseen, values].map((own) => own.map((value) => 10 - value));
    const [low, high] = radiiOf(taskOf(turned[1]), { unseen: turned[0] }, Float64Array.of(1, 9), 0.9);
    expect(low / high).toBeGreaterThan(3);
  });

  test("is no wider for chance: a predictor that says each fold's median has intervals of one width", () => {
    const random = new Random(6);
    const values = Float64Array.from(train, () => 30 + 10 * random.normal());
    const unseen = new Float64Array(count);
    inner.forEach(({ test }, fold) => {
      for (const row of test) {
        unseen[row] = 30 + fold;
        // The errors of one fold are larger.
        if (fold === 4) values[row] = 30 + 3 * (values[row] - 30);
      }
    });
    const radii = radiiOf(taskOf(values), { unseen }, Float64Array.of(25, 31, 32, 60), 0.9);
    expect(Math.max(...radii)).toBe(Math.min(...radii));
    expect(Math.max(...radii)).toBeLessThan(40);
  });

  test("is finite, and as wide as errors are, where most predictions hit exactly", () => {
    const values = Float64Array.from(train, (row) => (row % 3 === 0 ? 1 + (row % 7) : 0));
    const radii = radiiOf(taskOf(values), { unseen: new Float64Array(count) }, Float64Array.of(0, 2), 0.9);
    for (const radius of radii) {
      expect(radius).toBeGreaterThanOrEqual(4);
      expect(radius).toBeLessThanOrEqual(7);
    }
    // Nothing is known to be wrong.
    const exact = { unseen: values };
    expect(radiiOf(taskOf(values), exact, Float64Array.of(0, 2), 0.9)).toEqual([0, 0]);
  });

  test("is one number for classes: the quantile of the true classes' improbability", () => {
    const random = new Random(5);
    const values = Float64Array.from(train, () => random.integer(2));
    const unseen = new Float64Array(2 * count);
    train.forEach((row) => {
      unseen[2 * row] = random.float();
      unseen[2 * row + 1] = 1 - unseen[2 * row];
    });
    const task = {
      ...taskOf(values),
      target: { kind: "classes", column: "y", values, classes: ["a", "b"] },
    } as const;
    const scores = values.map((value, row) => 1 - unseen[2 * row + value]);
    const radius = conformalRadius(scores, train, 0.8);
    expect(radiiOf(task, { unseen }, Float64Array.of(0.2, 0.8, 0.5, 0.5), 0.8)).toEqual([radius, radius]);
  });
});
