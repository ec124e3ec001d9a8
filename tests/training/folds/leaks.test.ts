/** Leaks of each kind are planted into predictors and caught; the same checks find none in ours. */
import { beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { textValues } from "../../../src/data/encoding/categories.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { makePlan, type Plan, planSchema } from "../../../src/training/folds/plan.ts";
import { learnAll } from "../../../src/training/predictors/index.ts";
import { kernelRidge } from "../../../src/training/predictors/kernelRidge.ts";
import type { Learned, LearnTask } from "../../../src/training/predictors/learner.ts";
import { Study } from "../../../src/training/predictors/study.ts";
import { type OpenedRun, openRun } from "../../../src/training/run/open.ts";
import { plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let dataset: Dataset;
let plan: Plan;
let encoder: OpenedRun;
beforeAll(async () => {
  dataset = openDataset((await plantedStudy(scratch.path("study"))).folder);
  encoder = openRun("builtin", "cpu");
  plan = makePlan(dataset, planSchema.parse({ column: "score", splitBy: "host", folds: 3, trees: 5 }));
});

type Learn = (task: LearnTask, test: Int32Array) => Promise<Learned["predict"]> | Learned["predict"];

/** Which leaks a way of learning has. */
async function leaksOf(learn: Learn): Promise<string[]> {
  const [{ train, test }] = plan.jobs;
  const { groupOf, target } = plan;
  const values = { column: "host", values: Array.from(groupOf!, String) };
  const taskOf = (own: Int32Array, changed = target.values, studied = plan.samples): LearnTask => ({
    study: new Study(dataset, studied, encoder),
    target: { ...target, values: changed },
    train: own,
    inner: makeFolds(own, { folds: 3, groups: values }),
    groupOf,
    random: new Random(1),
    trees: 5,
  });
  const usual = (await learn(taskOf(train), test))(test);
  const leaks: string[] = [];
  // Other values of held-out samples must change nothing.
  const changed = target.values.slice();
  for (const sample of test) changed[sample] = 100 - changed[sample];
  if (!Bun.deepEquals((await learn(taskOf(train, changed), test))(test), usual)) leaks.push("values");
  // Nor may it matter which other samples are held out beside one.
  const [first] = test;
  const alone = Int32Array.of(first);
  const small = Int32Array.from([...train, first]).sort();
  const [one] = (await learn(taskOf(train, target.values, small), alone))(alone);
  if (Math.abs(one - usual[0]) > 1e-9) leaks.push("features");
  return leaks;
}

const meanOf = (values: ArrayLike<number>, samples: Int32Array) =>
  samples.reduce((sum, sample) => sum + values[sample], 0) / samples.length;

describe("planted leaks are caught:", () => {
  test("the mean of a target over all samples", async () => {
    const leaky: Learn = ({ target, study }) => {
      const mean = meanOf(target.values, study.samples);
      return (samples) => new Float64Array(samples.length).fill(mean);
    };
    expect(await leaksOf(leaky)).toContain("values");
  });

  test("a setting chosen by the errors on held-out samples", async () => {
    const leaky: Learn = (task, test) => {
      const { target, train } = task;
      const own = meanOf(target.values, train);
      const errors = [0.5, 1, 2].map((factor) => Math.abs(own * factor - meanOf(target.values, test)));
      const factor = [0.5, 1, 2][errors.indexOf(Math.min(...errors))];
      return (samples) => new Float64Array(samples.length).fill(own * factor);
    };
    expect(await leaksOf(leaky)).toEqual(["values"]);
  });

  test("features scaled by all samples, held-out ones too", async () => {
    const leaky: Learn = ({ study }) => {
      const richness = Float64Array.from({ length: dataset.sampleCount }, (_, i) => dataset.richness(i));
      const mean = meanOf(richness, study.samples);
      return (samples) => Float64Array.from(samples, (sample) => richness[sample] - mean);
    };
    expect(await leaksOf(leaky)).toEqual(["features"]);
  });

  test("a target's transform, fitted to held-out values too", async () => {
    const leaky: Learn = ({ target, study, train }) => {
      const spread = Math.max(...Array.from(study.samples, (sample) => target.values[sample]));
      const scaled = meanOf(target.values, train) / spread;
      return (samples) => new Float64Array(samples.length).fill(scaled);
    };
    expect(await leaksOf(leaky)).toContain("values");
  });

  test("a calibration that knows how far held-out predictions are off", async () => {
    const leaky: Learn = (task, test) => {
      const learned = kernelRidge(task, ["presence"]);
      const off =
        meanOf(task.target.values, test) - meanOf(learned.predict(test), Int32Array.from(test.keys()));
      return (samples) => learned.predict(samples).map((value) => value + off);
    };
    expect(await leaksOf(leaky)).toContain("values");
  });

  test("an encoder whose axis was fitted to held-out samples too", async () => {
    const leaky: Learn = ({ study }) => {
      const axis = new Float64Array(dataset.asvCount);
      for (const { index, value } of study.relative(study.samples).rows)
        for (let k = 0; k < index.length; k++) axis[index[k]] += value[k] / study.samples.length;
      return (samples) =>
        Float64Array.from(study.relative(samples).rows, ({ index, value }) =>
          Array.from(index).reduce((sum, asv, k) => sum + axis[asv] * value[k], 0),
        );
    };
    expect(await leaksOf(leaky)).toEqual(["features"]);
  });

  test("categories that were counted in held-out samples too", async () => {
    const leaky: Learn = ({ study }) => {
      const { values } = textValues(dataset.column("study"));
      const count = (name: string | null) => study.samples.filter((sample) => values[sample] === name).length;
      return (samples) => Float64Array.from(samples, (sample) => count(values[sample]));
    };
    expect(await leaksOf(leaky)).toEqual(["features"]);
  });

  test("a depth of rarefaction that the shallowest sample of all decides", async () => {
    const depthOf = (sample: number) => dataset.sample(sample).counts.reduce((sum, count) => sum + count, 0);
    const leaky: Learn = ({ study }) => {
      const depth = Math.min(...Array.from(study.samples, depthOf));
      return (samples) => Float64Array.from(samples, (sample) => depthOf(sample) / depth);
    };
    // The shallowest one must be a held-out sample for a difference to be seen.
    const [job] = plan.jobs;
    const ascending = [...plan.samples].sort((a, b) => depthOf(a) - depthOf(b));
    const all = plan;
    const fold = plan.jobs.find(({ test }) => test.includes(ascending[0]) && test[0] !== ascending[0]);
    plan = { ...plan, jobs: [fold ?? job] };
    expect(await leaksOf(leaky)).toEqual(["features"]);
    plan = all;
  });

  test("a group on both sides, inside as outside", () => {
    const isShared = (train: Int32Array, test: Int32Array) => {
      const trained = new Set(Array.from(train, (sample) => plan.groupOf![sample]));
      return Array.from(test).some((sample) => trained.has(plan.groupOf![sample]));
    };
    for (const { train, test } of plan.jobs) expect(isShared(train, test)).toBe(false);
    const random = makePlan(dataset, { ...plan.config, splitBy: null });
    expect(random.jobs.some(({ train, test }) => isShared(train, test))).toBe(true);
    expect(random.warnings.join()).toContain("on both sides");
  });
});

test("our predictors have none of these leaks", async () => {
  for (const name of [
    "forest",
    "ridge",
    "kernel",
    "vectors",
    "neighbours",
    "encoder",
    "stack",
    "auto",
  ] as const)
    expect([name, await leaksOf(async (task) => (await learnAll(task, [name]))[name].predict)]).toEqual([
      name,
      [],
    ]);
  expect(await leaksOf((task) => kernelRidge(task, ["unifrac"]).predict)).toEqual([]);
});
