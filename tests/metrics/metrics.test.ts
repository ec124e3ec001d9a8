import { describe, expect, test } from "bun:test";
import {
  areaUnderRoc,
  ClassificationMetrics,
  RegressionMetrics,
  spearman,
} from "../../src/metrics/metrics.ts";
// By scikit-learn and SciPy: lab/python/fixtures/metrics.py.
import cases from "../fixtures/metrics.json";

function expectNear(actual: number, expected: number, relative = 1e-9): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(relative * Math.max(1, Math.abs(expected)));
}

describe("regression", () => {
  for (const [name, { actual, predicted, expected }] of Object.entries(cases.regression)) {
    test(`${name}: equals scikit-learn and SciPy, in pieces and merged`, () => {
      const whole = new RegressionMetrics();
      whole.update(predicted, actual);
      const merged = new RegressionMetrics();
      for (const [from, to] of [
        [0, 1],
        [1, 17],
        [17, 17],
        [17, actual.length],
      ]) {
        const part = new RegressionMetrics();
        part.update(Float64Array.from(predicted.slice(from, to)), actual.slice(from, to));
        merged.merge(part);
      }
      merged.merge(new RegressionMetrics());
      for (const metrics of [whole, merged]) {
        const { fit, ...result } = metrics.result();
        const { slope, intercept, spearman: rank, ...rest } = expected;
        expect(Object.keys(result).sort()).toEqual(Object.keys(rest).sort());
        // Far from zero the data themselves have only eight digits behind the point.
        const relative = name === "far from zero" ? 1e-6 : 1e-9;
        for (const key of Object.keys(rest) as (keyof typeof rest)[])
          expectNear(result[key], rest[key], relative);
        expectNear(fit.slope, slope, relative);
        expectNear(fit.intercept, intercept, relative);
        expectNear(spearman(predicted, actual), rank);
      }
    });
  }

  test("nothing counted and constant targets give 0, not NaN", () => {
    const metrics = new RegressionMetrics();
    expect(metrics.result()).toMatchObject({ n: 0, mae: 0, mse: 0, rmse: 0, r2: 0, pearson: 0, bias: 0 });
    metrics.update([1, 2, 4], [3, 3, 3]);
    expect(metrics.result()).toMatchObject({ n: 3, mae: 4 / 3, r2: 0, pearson: 0 });
    expect(spearman([1, 2, 4], [3, 3, 3])).toBe(0);
    expect(spearman([], [])).toBe(0);
  });

  test("a NaN among the values shows in the result", () => {
    const metrics = new RegressionMetrics();
    metrics.update([1, Number.NaN], [1, 2]);
    expect(metrics.result().mae).toBeNaN();
    expect(metrics.result().r2).toBeNaN();
  });

  test("many small errors beside a large one are not lost", () => {
    const metrics = new RegressionMetrics();
    metrics.update([1e16], [0]);
    for (let i = 0; i < 1000; i++) metrics.update([1], [0]);
    expect(metrics.result().mae * 1001 - 1e16).toBeCloseTo(1000, -1);
  });

  test("different numbers of values are refused", () => {
    expect(() => new RegressionMetrics().update([1, 2], [1])).toThrow(RangeError);
    expect(() => spearman([1, 2], [1])).toThrow(RangeError);
  });
});

describe("classification", () => {
  for (const [name, one] of Object.entries(cases.classification)) {
    test(`${name}: equals scikit-learn, in pieces and merged`, () => {
      const { actual, predicted, expected } = one;
      const scores = "scores" in one ? one.scores : undefined;
      const names = Array.from({ length: one.count }, (_, i) => `class ${i}`);
      const metrics = new ClassificationMetrics(names);
      const other = new ClassificationMetrics(names);
      metrics.update(predicted.slice(0, 20), Int32Array.from(actual.slice(0, 20)), scores?.slice(0, 20));
      other.update(predicted.slice(20), actual.slice(20), scores?.slice(20));
      metrics.merge(other);
      const result = metrics.result();
      expect(result.n).toBe(actual.length);
      expect(result.confusion).toEqual(expected.confusion);
      expectNear(result.accuracy, expected.accuracy);
      for (const kind of ["weighted", "macro"] as const) {
        for (const key of ["precision", "recall", "f1"] as const)
          expectNear(result[kind][key], expected[kind][key]);
      }
      if ("auc" in expected) expectNear(result.auc!, expected.auc as number);
      else expect(result.auc).toBeUndefined();
      expect(result.perClass.reduce((sum, row) => sum + row.support, 0)).toBe(actual.length);
    });
  }

  test("a class that occurs nowhere counts in no mean", () => {
    const metrics = new ClassificationMetrics(["a", "b", "never"]);
    metrics.update([0, 1], [0, 1]);
    expect(metrics.result()).toMatchObject({ accuracy: 1, macro: { f1: 1 }, weighted: { recall: 1 } });
    expect(metrics.result().perClass[2]).toEqual({
      name: "never",
      support: 0,
      precision: 0,
      recall: 0,
      f1: 0,
    });
    expect(new ClassificationMetrics(["a"]).result()).toMatchObject({ n: 0, accuracy: 0, macro: { f1: 0 } });
  });

  test("a class that does not exist and different classes are refused", () => {
    const metrics = new ClassificationMetrics(["a", "b"]);
    for (const wrong of [2, -1, 0.5, Number.NaN])
      expect(() => metrics.update([wrong], [0])).toThrow(RangeError);
    expect(() => metrics.merge(new ClassificationMetrics(["a", "c"]))).toThrow(RangeError);
  });

  test("the AUC of one class alone does not exist", () => {
    expect(areaUnderRoc([0.1, 0.9], [1, 1])).toBeUndefined();
    expect(areaUnderRoc([0.5, 0.5], [0, 1])).toBe(0.5);
  });
});
