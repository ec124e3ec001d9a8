import { describe, expect, test } from "bun:test";
import { median } from "../../../src/common/median.ts";
import { Random } from "../../../src/common/random/random.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import type { Learned, LearnTask } from "../../../src/training/predictors/learner.ts";
import { fitMedianLine, type MedianLine, onMedianLine } from "../../../src/training/predictors/medianLine.ts";

const count = 60;
const train = Int32Array.from({ length: count }, (_, i) => i);
const random = new Random(3);
const raw = Float64Array.from(train, () => 10 * random.float());

/** A task on samples whose values are given, and a predictor that says `raw` of each. */
function given(values: Float64Array, said = raw) {
  const target = { kind: "numbers", column: "y", values, classes: [] } as const;
  const task = {
    target,
    train,
    inner: makeFolds(train, { folds: 3 }),
    groupOf: null,
  } as unknown as LearnTask;
  const predict = (samples: Int32Array) => Float64Array.from(samples, (sample) => said[sample]);
  const learned: Learned = {
    settings: { penalty: 1 },
    unseen: predict(train),
    predict,
    // All of it is owed to the second of two ASVs, from a base of 1.
    *explain(samples) {
      for (const value of predict(samples))
        yield { values: Float64Array.of(0, value - 1), base: Float64Array.of(1) };
    },
  };
  return { task, learned };
}

const errorOf = (predicted: ArrayLike<number>, values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value, i) => sum + Math.abs(value - predicted[i]), 0);

describe("the line of least absolute errors", () => {
  test("is the true one, however far some values are off", () => {
    const truth = raw.map((value, i) => 3 + 2 * value + (i % 5 === 0 ? 500 : 0));
    const { slope, offset } = fitMedianLine(raw, truth, [...train]);
    expect([slope, offset]).toEqual([expect.closeTo(2, 6), expect.closeTo(3, 5)]);
  });

  test("errs no more than any other line of a grid", () => {
    const truth = raw.map((value) => 1.5 * value + 4 * random.normal());
    const { slope, offset } = fitMedianLine(raw, truth, [...train]);
    const found = errorOf(
      raw.map((value) => offset + slope * value),
      truth,
    );
    for (let other = 0; other <= 4; other += 0.02) {
      const middle = median(Array.from(truth, (value, i) => value - other * raw[i]));
      expect(
        errorOf(
          raw.map((value) => middle + other * value),
          truth,
        ),
      ).toBeGreaterThanOrEqual(found - 1e-6);
    }
  });

  test("is flat at the median where predictions tell nothing, or the contrary", () => {
    const against = fitMedianLine(
      raw,
      raw.map((value) => -value),
      [...train],
    );
    expect(against).toEqual({ slope: 0, offset: -median([...raw]) });
    expect(fitMedianLine(new Float64Array(count).fill(7), raw, [...train])).toEqual({
      slope: 0,
      offset: median([...raw]),
    });
  });
});

describe("a predictor on its median line", () => {
  test("says what the line says, within the range of the training samples, with contributions that add up", () => {
    const values = raw.map((value) => Math.min(16, 2 * value));
    const { task, learned } = given(values);
    const better = onMedianLine(task, learned);
    expect(errorOf(better.predict(train), values)).toBeLessThan(1e-4);
    const { penalty, slope, offset } = better.settings as unknown as MedianLine & { penalty: number };
    expect([penalty, slope]).toEqual([1, expect.closeTo(2, 6)]);
    let row = 0;
    for (const { values: own, base } of better.explain!(train)) {
      expect(own[0]).toBe(0);
      expect(base[0]).toBeCloseTo(offset + slope * 1, 9);
      expect(base[0] + own[1]).toBeCloseTo(values[row++], 4);
    }
  });

  test("has contributions that add up in any unit", () => {
    for (const unit of [1e-12, 1e12]) {
      const said = raw.map((value) => unit * value);
      const { task } = given(raw.map((value) => unit * 2 * value));
      const predict = (samples: Int32Array) => Float64Array.from(samples, (sample) => said[sample]);
      const better = onMedianLine(task, {
        ...{ settings: {}, unseen: said, predict },
        *explain(samples) {
          for (const value of predict(samples))
            yield { values: Float64Array.of(value - unit), base: Float64Array.of(unit) };
        },
      });
      const predicted = better.predict(train);
      let row = 0;
      for (const { values: own, base } of better.explain!(train))
        expect((base[0] + own[0] - predicted[row++]) / unit).toBeCloseTo(0, 6);
    }
  });

  test("says of a training sample what a line without the sample's fold says", () => {
    const values = raw.map((value) => 2 * value);
    const { task, learned } = given(values);
    const [first] = task.inner;
    // A fold whose values lie elsewhere has no part in its own line.
    for (const sample of first.test) values[sample] += 50;
    const better = onMedianLine(task, learned);
    for (const sample of first.test)
      expect(better.unseen[sample]).toBeCloseTo(Math.max(Math.min(...values), 2 * raw[sample]), 4);
  });

  test("leaves classes as they are", () => {
    const { task, learned } = given(raw);
    const classes = { ...task, target: { ...task.target, kind: "classes" } } as LearnTask;
    expect(onMedianLine(classes, learned)).toBe(learned);
  });
});
