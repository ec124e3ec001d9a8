/**
 * Several data sets learned together: joined, in batches of one study each, with a
 * calibration for every study.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quiet } from "../../lab/material/study.ts";
import { judgeUnseen, trainTogether } from "../../lab/studies/zeroShot.ts";
import { Loader } from "../../src/data/batches/loader.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { joinStudies, type NamedStudy, studiesOf } from "../../src/data/dataset/joinStudies.ts";
import { prepareDataset } from "../../src/data/prepare/prepare.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import type { SetEncoder } from "../../src/models/setEncoder.ts";
import { dataSchema } from "../../src/training/config/config.ts";
import { pretrainConfig } from "../../src/training/config/defaults.ts";
import { calibratedDistance, typicalDistance } from "../../src/training/inference/calibratedDistance.ts";
import { judgeRun } from "../../src/training/inference/judgeEncoder.ts";
import { openRun } from "../../src/training/run/open.ts";
import { openConfiguredData } from "../../src/training/tasks/openData.ts";
import { pretrain } from "../../src/training/tasks/pretrain.ts";
import { splitStudies } from "../../src/training/tasks/splitSamples.ts";
import { refusal, run as runCommand } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const scratch = useScratch();
const names = ["lake", "soil"];
let studies: NamedStudy[];
let joined: Dataset;
let run: string;

async function study(name: string, seed: number): Promise<NamedStudy> {
  const source = scratch.path(`${name}-source`);
  const files = writeSimulation(source, simulate({ samples: 40, asvs: 60, richness: 14, length: 40, seed }));
  const folder = scratch.path(name);
  const metrics = ["unweighted" as const];
  await prepareDataset({ ...files, metrics, rarefyDepth: "none" }, folder);
  return { name, dataset: openDataset(folder) };
}

const config = () =>
  pretrainConfig({
    model: { maxBp: 40, codeDim: 32, words: "4", wordDim: 16 },
    training: { maxSteps: 60, batchSize: 16, seed: 1 },
  });

beforeAll(async () => {
  studies = [await study("lake", 1), await study("soil", 2)];
  joined = await openConfiguredData({
    data: dataSchema.parse({ dataset: names.map((name) => scratch.path(name)) }),
    metric: "unweighted",
    seed: 0,
    output: scratch.path("run"),
    display: quiet(),
  });
  run = scratch.path("run");
  await pretrain({
    dataset: joined,
    output: run,
    config: config(),
    device: "cpu",
    display: quiet(),
    resume: false,
    plots: false,
  });
});

test("joined data keep each study's samples, sequences and distances; those between studies are unknown", () => {
  const [lake, soil] = studies.map(({ dataset }) => dataset);
  expect(joined.sampleCount).toBe(80);
  expect(studiesOf(joined)!.names).toEqual(names);
  expect(studiesOf(lake)).toBeNull();
  const sequences = (dataset: Dataset, sample: number) =>
    Array.from(dataset.sample(sample).asvs, (asv) => dataset.asvSequence(asv)).sort();
  expect(sequences(joined, 40 + 7)).toEqual(sequences(soil, 7));
  const total = (dataset: Dataset, sample: number) =>
    dataset.sample(sample).counts.reduce((a, b) => a + b, 0);
  expect(total(joined, 47)).toBe(total(soil, 7));
  const distances = joined.distance("unweighted");
  expect(distances.between(3, 9)).toBe(lake.distance("unweighted").between(3, 9));
  expect(distances.between(43, 49)).toBe(soil.distance("unweighted").between(3, 9));
  expect(distances.between(3, 43)).toBeNaN();
  // Both simulations number their samples alike.
  expect(joined.sampleIds[47]).toBe(`soil:${soil.sampleIds[7]}`);
  expect(joined.manifest.metadata.map(({ name }) => name)).toContain("ph");
});

test("studies of one name, or without a common metric, are refused", () => {
  const twice = [studies[0], { ...studies[1], name: "lake" }];
  expect(() => joinStudies(scratch.path("twice"), twice)).toThrow("have the same name (lake, lake)");
  const { dataset } = studies[1];
  const other = { name: "other", dataset: { ...dataset, manifest: { ...dataset.manifest, distances: [] } } };
  expect(() => joinStudies(scratch.path("none"), [studies[0], other as NamedStudy])).toThrow(
    "no distances of one metric",
  );
});

test("every batch is of one study, every sample comes once, and a saved state goes on with the same batches", async () => {
  const { of } = studiesOf(joined)!;
  const options = { batchSize: 16, groups: of, seed: 4, distance: "unweighted" };
  using loader = new Loader(joined, options);
  const all: number[][] = [];
  let state = loader.state();
  for await (const batch of loader.epoch()) {
    const samples = [...batch.sampleIndices];
    expect(new Set(samples.map((sample) => of[sample])).size).toBe(1);
    all.push(samples);
    if (all.length === 2) state = loader.state();
  }
  expect(all.length).toBe(loader.batchesPerEpoch);
  expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, i) => i));
  using again = new Loader(joined, options);
  again.restore(state);
  const rest: number[][] = [];
  for await (const batch of again.epoch()) rest.push([...batch.sampleIndices]);
  expect(rest).toEqual(all.slice(2));
});

test("each study is divided by itself, and groups that one lacks leave it at random, with a word", () => {
  const { of } = studiesOf(joined)!;
  const split = splitStudies(joined, { ...config().split, testSize: 0.25 }, 0);
  for (const part of [0, 1]) expect(split.validation.filter((sample) => of[sample] === part).length).toBe(10);
});

test("a run on both tells each study's figures beside its baselines; their means are the run's", () => {
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
  expect(Object.keys(summary.studies)).toEqual(names);
  const mean = (summary.studies.lake.r2 + summary.studies.soil.r2) / 2;
  expect(summary["val.unifrac_r2"]).toBeCloseTo(mean, 6);
  expect(mean).toBeGreaterThan(0.6);
  for (const name of names) expect(summary.studies[name].baselines.jaccard_asv_r2).toBeNumber();
});

test("a run goes on, and its calibrations are two that differ", async () => {
  const opened = openRun(run, "cpu");
  const [first, second] = (opened.encoder as SetEncoder).distances.map(({ calibration }) =>
    calibration.toFloat32Array(),
  );
  expect(first).not.toEqual(second);
  const { summary } = await pretrain({
    dataset: joined,
    output: run,
    config: pretrainConfig({
      ...config(),
      training: { ...config().training, maxSteps: 70 },
      split: {
        trainSamples: join(run, "train_sample_ids.txt"),
        valSamples: join(run, "val_sample_ids.txt"),
      },
    }),
    device: "cpu",
    display: quiet(),
    resume: true,
    plots: false,
  });
  expect(summary.steps).toBe(70);
  expect(Object.keys(summary.studies!)).toEqual(names);
});

test("distances of an unseen study are fitted to a few known ones, exactly those of the form that fits best", async () => {
  const unseen = await study("sea", 5);
  const opened = openRun(run, "cpu");
  const all = Int32Array.from({ length: 40 }, (_, i) => i);
  const typical = judgeRun(
    opened,
    unseen.dataset,
    all,
    "cpu",
    typicalDistance(opened.encoder as SetEncoder),
  )!;
  const form = calibratedDistance(opened, unseen.dataset, all, "cpu")!;
  const fitted = judgeRun(opened, unseen.dataset, all, "cpu", form)!;
  // A line with the least squared error has no bias, and is better than any other.
  expect(fitted.result.bias).toBeCloseTo(0, 4);
  expect(fitted.result.mse).toBeLessThan(typical.result.mse);
  const found = judgeUnseen(run, unseen, { metric: "unweighted", calibrating: 12, seed: 0 });
  expect(found.spearman).toBeGreaterThan(0.4);
  expect(found.r2).toBeGreaterThan(0);
}, 60_000);

test("the comparison of studies left out trains on the others", async () => {
  const folder = await trainTogether(studies, scratch.path("together"), {
    metric: "unweighted",
    minutes: 0.02,
    seed: 0,
  });
  expect(openRun(folder, "cpu").facts.studies).toEqual(names);
});

test("pretrain takes several data sets on the command line, train refuses them, a report shows each study", async () => {
  const both = names.flatMap((name) => ["--dataset", scratch.path(name)]);
  const output = scratch.path("command");
  const small = [
    "--words",
    "4",
    "--word-dim",
    "8",
    "--code-dim",
    "16",
    "--threads",
    "1",
    "--no-plots",
    "--quiet",
  ];
  const done = await runCommand("pretrain", ...both, ...small, "--max-steps", "2", "--output", output);
  expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/lake: R² .*soil: R² /s) });
  expect(
    (await runCommand("pretrain", "--resume", "--max-steps", "3", "--quiet", "--output", output)).code,
  ).toBe(0);
  expect((await runCommand("report", output)).code).toBe(0);
  expect(readFileSync(join(output, "report.html"), "utf8")).toContain("R² of soil");
  const refused = await refusal("train", ...both, "--metadata-column", "ph", "--output", scratch.path("no"));
  expect(refused).toContain("learned together by `pretrain` alone");
}, 60_000);

test("evaluate shows each study's figures beside its own baselines, and lr-finder searches on both", async () => {
  const output = scratch.path("evaluated");
  const small = ["--threads", "1", "--quiet"];
  const ids = join(run, "val_sample_ids.txt");
  const judge = ["evaluate", "--model", run, "--dataset", joined.path, "--samples", ids, ...small];
  const { out, code } = await runCommand(...judge, "--output", output);
  expect({ code, out }).toMatchObject({
    code: 0,
    out: expect.stringMatching(/lake\n.* baselines\n.*soil\n/s),
  });
  const { studies: judged } = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8"));
  for (const name of names) {
    expect(judged[name].r2).toBeCloseTo(summary.studies[name].r2, 5);
    // Calibrated on the study's training samples, as when it was trained.
    const { calibrated_on: _, ...figures } = judged[name].baselines;
    expect(judged[name].baselines.calibrated_on).toBe("its other samples");
    expect(Object.keys(figures)).toContain("jaccard_kmer_r2");
    for (const [figure, value] of Object.entries<number>(figures))
      expect(value).toBeCloseTo(summary.studies[name].baselines[figure], 10);
  }
  const both = names.flatMap((name) => ["--dataset", scratch.path(name)]);
  const search = ["--words", "4", "--code-dim", "16", "--steps", "10", "--batch-size", "8", ...small];
  const found = await runCommand("lr-finder", ...both, ...search, "--output", scratch.path("rates"));
  expect({ ...found, out: "" }).toMatchObject({ code: 0, error: "" });
  expect(found.out).toMatch(/--lr|never/);
}, 60_000);

describe("evaluate and embed", () => {
  showsOptions(["evaluate", "embed"], "--study --calibrate-on");
  const evaluate = async (...args: string[]) => {
    const done = await runCommand("evaluate", "--model", run, "--threads", "1", "--json", ...args);
    const metrics = done.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    return { done, unifrac: metrics.find(({ event }) => event === "metrics")?.unifrac };
  };

  test("take the calibration of a study, fit one, or warn that the scale is a guess", async () => {
    const soil = ["--dataset", scratch.path("soil")];
    const guessed = await evaluate(...soil);
    expect(guessed.done.out + guessed.done.error).toContain("compare their ranks");
    const known = await evaluate(...soil, "--study", "soil");
    expect(known.unifrac.mse).toBeLessThan(guessed.unifrac.mse);
    const fitted = await evaluate(...soil, "--calibrate-on", "20");
    expect(fitted.unifrac.n).toBe(190);
    expect(fitted.unifrac.spearman).toBeGreaterThan(0.5);
    const embed = async (name: string, ...args: string[]) => {
      const path = scratch.path(`${name}.tsv`);
      await runCommand("embed", "--model", run, ...soil, "--distances", path, "--threads", "1", ...args);
      return readFileSync(path, "utf8");
    };
    const texts = [
      await embed("guess"),
      await embed("study", "--study", "soil"),
      await embed("fit", "--calibrate-on", "20"),
    ];
    expect(new Set(texts).size).toBe(3);
  });

  test.each([
    [["--study", "moon"], "it was trained on lake, soil"],
    [["--study", "soil", "--calibrate-on", "5"], "exclude each other"],
    [["--calibrate-on", "40"], "at least 3 are needed, and 2 besides them"],
  ])("refuse %p", async (args, text) => {
    const call = ["evaluate", "--model", run, "--dataset", scratch.path("soil"), ...args];
    expect(await refusal(...call)).toContain(text);
  });
});
