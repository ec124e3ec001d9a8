import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { makeFolds } from "../../../src/data/split/folds.ts";
import { fineTuneConfig } from "../../../src/training/config/defaults.ts";
import { fineTuneOf, makePlan, planSchema } from "../../../src/training/folds/plan.ts";
import { FoldRunner } from "../../../src/training/folds/runJob.ts";
import { divided, fineTuned, fineTunedOn } from "../../../src/training/predictors/fineTuned.ts";
import type { MedianLine } from "../../../src/training/predictors/medianLine.ts";
import { Study } from "../../../src/training/predictors/study.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let study: PlantedStudy;
let dataset: Dataset;
beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"), 30, 8);
  dataset = openDataset(study.folder);
});

const fineTune = fineTuneConfig({
  model: { codeDim: 8, wordDim: 8 },
  training: { epochs: 20, penalty: 0, lr: 0.01 },
});
const planOf = (data: Dataset, more: object = {}) =>
  makePlan(
    data,
    planSchema.parse({
      ...{ column: "score", splitBy: "host", folds: 2, innerFolds: 2, trees: 5, reasons: false, seed: 1 },
      ...{ predictors: ["finetuned", "ridge"], fineTune, ...more },
    }),
  );

describe("a fine-tuned model as a predictor", () => {
  test("starts from the encoder of the plan, and without one from that of its settings", () => {
    const own = { predictors: ["finetuned"], fineTune: { ...fineTune, pretrainedEncoder: "own" } };
    const encoderOf = (more: object) =>
      fineTuneOf(planOf(dataset, { ...own, ...more }).config)?.pretrainedEncoder;
    expect([encoderOf({}), encoderOf({ encoder: "given" })]).toEqual(["own", "given"]);
  });
  test("is trained on the training part alone: values of held-out samples change no prediction", async () => {
    const plan = planOf(dataset);
    const [job] = plan.jobs;
    const usual = await new FoldRunner(dataset, plan).run(job);
    const { predicted, radius, inner, settings } = usual.predictors["finetuned"];
    const raw = await fineTunedOn(dataset, fineTuneOf(plan.config)!, job, plan.target);
    const { slope, offset } = settings as unknown as MedianLine;
    expect(slope).toBeGreaterThan(0);
    const lowest = Math.min(...Array.from(job.train, (sample) => plan.target.values[sample]));
    expect(predicted).toEqual(Array.from(raw, (value) => Math.max(lowest, offset + slope * value)));
    expect([Math.min(...radius) > 0, inner > 0]).toEqual([true, true]);
    const held = new Set(Array.from(job.test, (sample) => dataset.sampleIds[sample]));
    const changed = async (isChanged: (id: string) => boolean) => {
      const lines = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
      const others = lines.map((line) => {
        const cells = line.split("\t");
        return isChanged(cells[0]) ? [cells[0], "500", ...cells.slice(2)].join("\t") : line;
      });
      const metadata = scratch.write("changed.tsv", `${others.join("\n")}\n`);
      const folder = scratch.path("changed");
      const { table, tree } = study;
      await prepareDataset(
        { table, tree, metadata, metrics: ["unweighted", "faith_pd"], rarefyDepth: "none" },
        folder,
      );
      using other = openDataset(folder);
      return (await new FoldRunner(other, planOf(other)).run(job)).predictors["finetuned"];
    };
    expect(await changed((id) => held.has(id))).toEqual(usual.predictors["finetuned"]);
    // Values of the training samples do decide.
    const [first] = job.train;
    const trained = await changed((id) => id === dataset.sampleIds[first]);
    expect(trained.predicted).not.toEqual(predicted);
  });

  test("says what each ASV adds: the planted ones are first, and sums are its predictions", async () => {
    using larger = openDataset((await plantedStudy(scratch.path("larger"), 90, 6)).folder);
    const training = { ...fineTune.training, epochs: 60, patience: 60, lr: 0.03, warmup: 0 };
    const given = { reasons: true, predictors: ["finetuned"], fineTune: { ...fineTune, training } };
    const plan = planOf(larger, given);
    const { contributions } = await new FoldRunner(larger, plan).run(plan.jobs[0]);
    const { asvs, effects, importance, gap } = contributions["finetuned"];
    expect(gap).toBeLessThan(1e-4);
    const order = [...asvs.keys()].sort((a, b) => importance[b] - importance[a]).slice(0, 2);
    const planted = order.map((i) => [asvs[i], Math.sign(effects[i]!)]).sort(([a], [b]) => a - b);
    expect(planted).toEqual([
      [0, 1],
      [1, -1],
    ]);
  });

  test("says what each ASV adds to every class, also where a fold's training samples lack one", async () => {
    const study = new Study(
      dataset,
      Int32Array.from({ length: 30 }, (_, i) => i),
    );
    const classes = ["absent", "ill", "well"];
    const has = (sample: number) => dataset.sample(sample).asvs.includes(0);
    const values = Float64Array.from({ length: 30 }, (_, sample) => (has(sample) ? 1 : 2));
    const train = study.samples.subarray(0, 20);
    const target = { kind: "classes", column: "state", values, classes } as const;
    const inner = makeFolds(train, { folds: 2 });
    const task = { study, target, train, inner, groupOf: null, random: new Random(1), trees: 5, fineTune };
    const learned = await fineTuned({
      ...task,
      fineTune: { ...fineTune, target: { ...fineTune.target, metadataColumn: ["state"] } },
    });
    const test = study.samples.subarray(20);
    const predicted = learned.predict(test);
    let row = 0;
    for (const { values: own, base } of learned.explain!(test)) {
      expect(own.length).toBe(8 * 3);
      expect(base.length).toBe(3);
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let asv = 0; asv < 8; asv++) sum += own[3 * asv + c];
        expect(sum).toBeCloseTo(predicted[3 * row + c] - base[c], 5);
      }
      expect(Math.abs(base[0])).toBeLessThan(0.01);
      row++;
    }
    expect(row).toBe(10);
  });

  test("gives probabilities of classes, and is a part of stack and auto where it is asked for", async () => {
    const run = async (predictors: string[], reasons = false) => {
      const plan = planOf(dataset, { column: "state", predictors, reasons });
      return await new FoldRunner(dataset, plan).run(plan.jobs[0]);
    };
    const { predictors, contributions } = await run(["auto", "stack", "finetuned"], true);
    const { finetuned, auto, stack } = predictors;
    // Its contributions are in the unit of the others', as those to the stack add up.
    expect(stack.settings["finetuned"]).toBeGreaterThan(0);
    expect(contributions["stack"].gap).toBeLessThan(1e-4);
    expect(contributions["stack"].undivided!.parts).toEqual(["neighbours"]);
    for (let row = 0; row < finetuned.predicted.length; row += 2)
      expect(finetuned.predicted[row] + finetuned.predicted[row + 1]).toBeCloseTo(1, 9);
    expect(new Set(finetuned.predicted).size).toBeGreaterThan(2);
    expect(auto.settings["mean_of"]).toBeString();
    expect(Object.keys((await run(["auto"])).predictors)).not.toContain("finetuned");
  });

  test("leaves few training samples out where the last epoch is kept", () => {
    const heldOf = (train: readonly number[], by: string | null, bestMetric = "last") => {
      const config = { ...fineTune, bestMetric, split: { ...fineTune.split, by } } as typeof fineTune;
      const parts = divided(dataset, config, Int32Array.from(train));
      expect([...parts.train, ...parts.validation].sort((a, b) => a - b)).toEqual([...train]);
      return [...parts.validation];
    };
    const all = Array.from({ length: 30 }, (_, sample) => sample);
    expect(heldOf(all, null, "target_loss")).toHaveLength(6);
    for (let count = 10; count <= 30; count++) expect(heldOf(all.slice(0, count), null)).toHaveLength(2);
    // Every host has three samples in a row.
    expect(heldOf(all, "host")).toEqual([0, 1, 2]);
    expect(heldOf(all.slice(0, 29), "host")).toEqual([27, 28]);
    // One large group among single samples is learned from.
    expect(heldOf([0, 1, 2, 3, 6, 9, 12], "host")).toEqual([3, 6]);
    expect(heldOf([0, 1, 2, 3, 4, 6], "host")).toEqual([3, 4]);
  });

  test("tells the time to stop by samples where all training samples are of one group", async () => {
    const folder = scratch.path("two");
    const lines = readFileSync(study.metadata, "utf8").trimEnd().split("\n");
    const metadata = scratch.write(
      "two.tsv",
      `${lines.map((line, i) => (i === 0 ? line : line.replace(/h\d+/, `h${i % 2}`))).join("\n")}\n`,
    );
    await prepareDataset({ table: study.table, metadata, rarefyDepth: "none" }, folder);
    using two = openDataset(folder);
    const plan = planOf(two, { splitBy: null, leaveOut: "host" });
    const { predictors } = await new FoldRunner(two, plan).run(plan.jobs[0]);
    expect(predictors["finetuned"].predicted.every(Number.isFinite)).toBe(true);
  });
});
