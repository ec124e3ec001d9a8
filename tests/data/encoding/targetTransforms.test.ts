import { describe, expect, test } from "bun:test";
import { fitMinMax, fitZScore } from "../../../src/data/encoding/scaling.ts";
import { TargetTransform, targetTransformNames } from "../../../src/data/encoding/targetTransforms.ts";

const values = new Float64Array([2, 4, Number.NaN, 9]);
const keys = ["site=a", "site=a", "site=b", "site=b"];

function fit(name: (typeof targetTransformNames)[number], from = values) {
  return TargetTransform.fit(name, from, "age", { keys, power: 0.5 });
}

describe("TargetTransform", () => {
  const mean = 5;
  const deviation = Math.sqrt((9 + 1 + 16) / 3);
  const roots = [Math.SQRT2, 2, Number.NaN, 3];
  const rootMean = (Math.SQRT2 + 2 + 3) / 3;
  const rootDeviation = Math.sqrt((2 + 4 + 9) / 3 - rootMean ** 2);
  const expected: Record<(typeof targetTransformNames)[number], number[]> = {
    none: [2, 4, Number.NaN, 9],
    minmax: [0, 2 / 7, Number.NaN, 1],
    zscore: [(2 - mean) / deviation, (4 - mean) / deviation, Number.NaN, (9 - mean) / deviation],
    // Of site b only one value is known: its own mean, everyone's deviation.
    "zscore-category": [-1, 1, Number.NaN, 0],
    "log-minmax": [0, Math.log(5 / 3) / Math.log(10 / 3), Number.NaN, 1],
    // 2, 4 and 9 to the power of 1 / 2 have the mean (3 + sqrt 2 + 2) / 3.
    "power-zscore": roots.map((root) => (root - rootMean) / rootDeviation),
    "log-zscore": [-1.1585031144544586, -0.1231748804511143, Number.NaN, 1.2816779949055743],
  };
  test.each([...targetTransformNames])("%s maps there and back, also through JSON", (name) => {
    const transform = fit(name);
    const restored = TargetTransform.fromState(JSON.parse(JSON.stringify(transform.state)));
    for (const one of [transform, restored]) {
      const applied = one.apply(values, "age", keys);
      for (const [i, value] of expected[name].entries()) {
        if (Number.isNaN(value)) expect(applied[i]).toBeNaN();
        else expect(applied[i]).toBeCloseTo(value, 12);
      }
      for (const [i, value] of one.invert(applied, keys).entries()) {
        if (Number.isNaN(values[i])) expect(value).toBeNaN();
        else expect(value).toBeCloseTo(values[i], 12);
      }
    }
    expect(transform.isBounded).toBe(name.endsWith("minmax"));
    expect(transform.usesLog).toBe(name.startsWith("log-"));
    expect(transform.warnings).toEqual([]);
  });

  test("uses the training samples' statistics for others, and everyone's for unknown categories", () => {
    const transform = fit("zscore-category");
    const others = transform.apply(new Float64Array([5, 5, 5]), "age", ["site=a", "site=z", null]);
    expect(others[0]).toBeCloseTo(2, 12);
    expect(others[1]).toBeCloseTo(0, 12);
    expect(others[2]).toBe(others[1]);
    expect(transform.unseenKeys(["site=z", "site=a", null, "site=z", "toString"])).toEqual([
      "site=z",
      "toString",
    ]);
    expect(transform.apply(new Float64Array([11]), "age", ["site=b"])[0]).toBeCloseTo(2 / deviation, 12);
    expect(() => transform.apply(values, "age")).toThrow(RangeError);
    expect(fit("minmax").apply(new Float64Array([16]), "age")[0]).toBe(2);
  });

  test("does not overflow float32 when a logarithm is undone", () => {
    const transform = fit("log-zscore");
    const [huge] = transform.invert(new Float64Array([1e6]));
    expect(Math.fround(huge)).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(huge).toBeGreaterThan(1e38);
  });

  test("powers are for numbers from 0 on, and what is predicted below them is 0", () => {
    expect(() => fit("power-zscore", new Float64Array([1, -0.5]))).toThrow(
      '"age" has the value -0.5, and --target-transform power-zscore is for numbers from 0 on; choose zscore.',
    );
    const transform = fit("power-zscore");
    expect(() => transform.apply(new Float64Array([-2]), "age")).toThrow("the value -2");
    const [zero] = transform.apply(new Float64Array([0]), "age");
    expect(transform.invert(new Float64Array([zero - 1]))[0]).toBe(0);
    expect(TargetTransform.fit("power-zscore", values, "age", { power: 0.75 }).state).toMatchObject({
      power: 0.75,
    });
  });

  test("warns of a constant target and maps it to 0", () => {
    for (const name of ["minmax", "zscore"] as const) {
      const transform = fit(name, new Float64Array([3, 3, 3, Number.NaN]));
      expect(transform.warnings[0]).toContain('the same value of "age"');
      expect([...transform.apply(new Float64Array([3, 4]), "age")]).toEqual([0, 1]);
    }
  });

  test("small units are no reason to take a target for constant, rounding errors are one", () => {
    for (const name of ["minmax", "zscore"] as const) {
      const small = fit(name, new Float64Array([1e-9, 2e-9, 3e-9]));
      expect(small.warnings).toEqual([]);
      const [low, high] = small.apply(new Float64Array([1e-9, 3e-9]), "age");
      expect(high - low).toBeCloseTo(name === "minmax" ? 1 : Math.sqrt(6), 9);
      expect(fit(name, new Float64Array([0.3, 0.1 + 0.2])).warnings).toHaveLength(1);
      expect(fit(name, new Float64Array([0, 0])).warnings).toHaveLength(1);
    }
  });

  test("refuses what cannot be transformed or restored", () => {
    expect(() => fit("none", new Float64Array([Number.NaN]))).toThrow(
      'No training sample has a value of "age"',
    );
    expect(() => fit("log-minmax", new Float64Array([1, -1]))).toThrow("does not exist for its value -1");
    expect(() => fit("log-zscore").apply(new Float64Array([-2]), "age")).toThrow("its value -2");
    expect(() => TargetTransform.fit("zscore-category", values, "age")).toThrow("needs the columns");
    for (const state of [
      null,
      {},
      { name: "cube", scaling: { shift: 0, scale: 1 } },
      { name: "none", scaling: { shift: 0, scale: 0 } },
    ]) {
      expect(() => TargetTransform.fromState(state)).toThrow("Not a saved target transform");
    }
  });
});

test("scalings skip NaN and need a value", () => {
  expect(fitMinMax([Number.NaN, 3, 1])).toEqual({ shift: 1, scale: 2 });
  expect(fitZScore([1, Number.NaN, 3])).toEqual({ shift: 2, scale: 1 });
  expect(fitMinMax([Number.NaN])).toBeUndefined();
  expect(fitZScore([])).toBeUndefined();
});
