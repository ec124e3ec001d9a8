import { expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import type { Learned, LearnTask } from "../../../src/training/predictors/learner.ts";
import { alikeBest, meanOfBest } from "../../../src/training/predictors/stack.ts";

const n = 100;
/** A task whose true values are all 0: a predictor's errors are what it says. */
const taskOf = (groups: number | null) =>
  ({
    target: { kind: "numbers", column: "x", classes: [], values: new Float64Array(n) },
    train: Int32Array.from({ length: n }, (_, i) => i),
    groupOf: groups === null ? null : Int32Array.from({ length: n }, (_, i) => i % groups),
  }) as unknown as LearnTask;
const saying = (of: (row: number) => number): Learned => {
  const unseen = Float64Array.from({ length: n }, (_, row) => of(row));
  return { settings: {}, unseen, predict: (samples) => Float64Array.from(samples, of) };
};

test("predictors whose errors differ by chance are alike, one that errs more throughout is not", () => {
  const random = new Random(3);
  const noise = () => Array.from({ length: n }, () => 2 + random.normal());
  const [first, second] = [noise(), noise()];
  const parts = {
    one: saying((row) => first[row]),
    other: saying((row) => second[row]),
    // By little, but for every sample.
    worse: saying((row) => first[row] + 0.3),
    poor: saying((row) => 3 * second[row]),
  };
  expect(alikeBest(taskOf(null), parts)).toEqual(["one", "other"]);
  const task = taskOf(null);
  const { settings, unseen, predict } = meanOfBest(task, parts);
  expect(settings).toEqual({ mean_of: "one, other" });
  expect(unseen[7]).toBeCloseTo((first[7] + second[7]) / 2, 12);
  expect(predict(Int32Array.of(7))[0]).toBe(unseen[7]);
});

test("a difference that few groups decide is chance, however many samples they have", () => {
  const above = [1, 1, -0.5, -0.5];
  const parts = { steady: saying(() => 5), other: saying((row) => 5 + above[row % 4]) };
  expect(alikeBest(taskOf(null), parts)).toEqual(["steady"]);
  expect(alikeBest(taskOf(4), parts)).toEqual(["steady", "other"]);
  // Of one group alone the samples must tell.
  expect(alikeBest(taskOf(1), parts)).toEqual(["steady"]);
});

test("where the constant is as good as any, it is taken alone", () => {
  const errors = Array.from({ length: n }, (_, row) => 5 + (row % 2 === 0 ? 0.5 : -0.5));
  const said = { constant: saying(() => 5.01), kernel: saying((row) => errors[row]) };
  expect(meanOfBest(taskOf(null), said).settings).toEqual({ mean_of: "constant" });
  const better = { ...said, kernel: saying((row) => errors[row] - 1) };
  expect(meanOfBest(taskOf(null), better).settings).toEqual({ mean_of: "kernel" });
});
