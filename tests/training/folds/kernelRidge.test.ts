import { beforeAll, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { makePlan, planSchema } from "../../../src/training/folds/plan.ts";
import { kernelRidge, RidgeFits } from "../../../src/training/predictors/kernelRidge.ts";
import type { LearnTask } from "../../../src/training/predictors/learner.ts";
import { Study } from "../../../src/training/predictors/study.ts";
import { plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let dataset: Dataset;
let task: LearnTask;
beforeAll(async () => {
  dataset = openDataset((await plantedStudy(scratch.path("study"))).folder);
  const plan = makePlan(dataset, planSchema.parse({ column: "score", splitBy: "host", folds: 3 }));
  const [{ train }] = plan.jobs;
  const hosts = { column: "host", values: Array.from(plan.groupOf!, String) };
  task = {
    study: new Study(dataset, plan.samples),
    target: plan.target,
    train,
    inner: makeFolds(train, { folds: 3, groups: hosts }),
    groupOf: plan.groupOf,
    random: new Random(1),
    trees: 5,
  };
});

const skewed = (values: Float64Array) => values.map((value) => (value - 3) ** 3 / 100);

test("coefficients solve the equations of a mixed model with an offset for each group", () => {
  const { train, target, groupOf } = task;
  const fits = new RidgeFits(task, ["presence", "counts"], train);
  for (const shared of [0, 0.3, 2]) {
    const [penalty, power] = [0.2, 0.5];
    const { alpha, offsets } = fits.solve({ penalty, robust: 0, power, shared });
    train.forEach((sample, i) => {
      let sum = offsets[0];
      train.forEach((other, j) => {
        const error = (i === j ? 1 : 0) + (groupOf![sample] === groupOf![other] ? shared : 0);
        sum += (fits.kernel.gram[i * train.length + j] + penalty * error) * alpha[j];
      });
      expect(sum).toBeCloseTo(target.values[sample] ** power, 8);
    });
  }
});

test("a power is learned where errors grow with the number, and only of numbers from 0 on", () => {
  const settingsOf = (values: Float64Array) =>
    kernelRidge({ ...task, target: { ...task.target, values } }, ["presence"]).settings;
  const values = skewed(task.target.values);
  expect(settingsOf(values)["power"]).toBeLessThan(1);
  expect(settingsOf(values.map((value) => value - 100))["power"]).toBe(1);
});

test("predictions of a power are in the target's own unit, and better than without", () => {
  const values = skewed(task.target.values);
  const target = { ...task.target, values };
  const learned = kernelRidge({ ...task, target }, ["presence"]);
  const errors = (predicted: ArrayLike<number>) =>
    task.train.reduce((sum, sample, row) => sum + Math.abs(predicted[row] - values[sample]), 0);
  const plain = new RidgeFits({ ...task, target }, ["presence"], task.train);
  const { alpha, offsets } = plain.solve({ penalty: 0.01, robust: 0, power: 1, shared: 0 });
  const n = task.train.length;
  const straight = Array.from(task.train, (_, i) =>
    alpha.reduce((sum, own, j) => sum + own * plain.kernel.gram[i * n + j], offsets[0]),
  );
  expect(errors(learned.predict(task.train))).toBeLessThan(errors(straight));
});
