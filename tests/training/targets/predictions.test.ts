import { expect, test } from "bun:test";
import { ClassificationMetrics } from "../../../src/metrics/metrics.ts";
import { type ColumnQuality, oneClassWarning } from "../../../src/training/targets/predictions.ts";

function quality(predicted: number[], actual: number[]): ColumnQuality {
  const metrics = new ClassificationMetrics(["Cesarean", "Vaginal"]);
  metrics.update(predicted, actual);
  return { kind: "classes", column: "delivery", ...metrics.result() };
}

test("a classifier that gives all samples the same class is told so, with the class, the column and the cure", () => {
  const warning = oneClassWarning(quality([0, 0, 0], [0, 0, 1]));
  expect(warning).toContain('All 3 validation samples are predicted to be "Cesarean" in "delivery"');
  expect(warning).toContain("--class-weights auto");
});

test("samples that are all of one class are told to say nothing, however they are predicted", () => {
  for (const predicted of [
    [0, 0],
    [0, 1],
  ])
    expect(oneClassWarning(quality(predicted, [0, 0]))).toContain(
      'All 2 validation samples have the class "Cesarean" of "delivery"',
    );
});

test("no such warning where several classes are predicted, or no sample has a known class", () => {
  expect(oneClassWarning(quality([0, 1, 0], [0, 0, 1]))).toBeNull();
  expect(oneClassWarning(quality([], []))).toBeNull();
});
