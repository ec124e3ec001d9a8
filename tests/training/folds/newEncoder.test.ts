/** Encoders that folds pretrain themselves: what they may see, and what they leave behind. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { weightsOf } from "../../../lab/material/study.ts";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { ProgressDisplay } from "../../../src/display/terminal/progressBar.ts";
import { fineTuneConfig } from "../../../src/training/config/defaults.ts";
import { crossValidate } from "../../../src/training/folds/crossValidate.ts";
import { describeNewEncoders } from "../../../src/training/folds/foldEncoder.ts";
import { withNewEncoder } from "../../../src/training/folds/newEncoder.ts";
import { makePlan, type Plan, planSchema } from "../../../src/training/folds/plan.ts";
import { FoldRunner } from "../../../src/training/folds/runJob.ts";
import { RunFolder } from "../../../src/training/run/folder.ts";
import { checkpointOf } from "../../../src/training/run/open.ts";
import { trainedOn } from "../../../src/training/run/trainedOn.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { projectRoot } from "../../helpers/projectFiles.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let study: PlantedStudy;
let dataset: Dataset;
beforeAll(async () => {
  study = await plantedStudy(scratch.path("study"));
  dataset = openDataset(study.folder);
});

const base = { column: "score", splitBy: "host", folds: 3, innerFolds: 2, trees: 5, reasons: false };
const configOf = (more: object = {}) =>
  planSchema.parse({ ...base, predictors: ["encoder"], encoder: "new", encoderSteps: 3, ...more });

/** The study with other counts, distances and values of some samples, but the same ASVs. */
async function changedStudy(samples: Iterable<number>): Promise<Dataset> {
  const ids = new Set(Array.from(samples, (sample) => dataset.sampleIds[sample]));
  const rows = (path: string) =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
  const write = (name: string, lines: readonly (readonly string[])[]) =>
    scratch.write(name, `${lines.map((cells) => cells.join("\t")).join("\n")}\n`);
  const [head, ...counts] = rows(study.table);
  const next = counts.map((cells, row) =>
    cells.map((cell, c) => (ids.has(head[c]) ? counts[(row + 1) % counts.length][c] : cell)),
  );
  const values = rows(study.metadata).map(([id, ...cells]) =>
    ids.has(id) ? [id, "500", ...cells.slice(1)] : [id, ...cells],
  );
  const folder = scratch.path(`changed-${ids.size}`);
  await prepareDataset(
    {
      ...{ table: write("table.tsv", [head, ...next]), metadata: write("values.tsv", values) },
      ...{ tree: study.tree, metrics: ["unweighted", "faith_pd"], rarefyDepth: "none" },
    },
    folder,
  );
  return openDataset(folder);
}

/** Weights, line by line, of an encoder of some samples. */
const weightsOn = (of: Dataset, train: Int32Array, { groupOf, groupColumn }: Plan, steps = 3) =>
  withNewEncoder(of, { train, groupOf, groupColumn, steps, seed: 1 }, async (run) => [
    ...weightsOf(checkpointOf(run)),
  ]);

describe("an encoder that is new in each fold", () => {
  test("is learned from the training samples alone: others change no bit of it", async () => {
    const plan = makePlan(dataset, configOf());
    const [{ train, test }] = plan.jobs;
    const usual = await weightsOn(dataset, train, plan);
    using others = await changedStudy(test);
    const [a] = test;
    const held = (of: Dataset) => of.distance("unweighted").block(test);
    expect(held(others)).not.toEqual(held(dataset));
    expect(await weightsOn(others, train, plan)).toEqual(usual);
    // Training samples do decide, and the leak of a sample would be seen.
    expect(await weightsOn(others, Int32Array.from([...train, a]), plan)).not.toEqual(
      await weightsOn(dataset, Int32Array.from([...train, a]), plan),
    );
    expect(await weightsOn(dataset, train, plan, 4)).not.toEqual(usual);
  });

  test("knows no held-out sample, and whole groups of the others tell when it is at its best", async () => {
    const { jobs, groupOf, groupColumn } = makePlan(dataset, configOf());
    const [{ train, test }] = jobs;
    const options = { train, groupOf, groupColumn, steps: 2, seed: 1 };
    await withNewEncoder(dataset, options, async (run) => {
      expect(trainedOn(checkpointOf(run), dataset, test)).toBe(0);
      const { trainIds, validationIds, config } = new RunFolder(run);
      const groupsIn = (path: string) =>
        new Set(
          readFileSync(path, "utf8")
            .trim()
            .split("\n")
            .map((id) => groupOf![dataset.sampleIndex(id)]),
        );
      const [learned, judged] = [groupsIn(trainIds), groupsIn(validationIds)];
      expect([learned.size + judged.size, learned.intersection(judged).size]).toEqual([13, 0]);
      const { mixtures, training } = JSON.parse(readFileSync(config, "utf8"));
      expect([mixtures, training.maxSteps, training.maxMinutes]).toEqual([400, 2, null]);
    });
  });

  test("may have few samples", async () => {
    const { groupOf, groupColumn } = makePlan(dataset, configOf());
    const fit = (count: number) =>
      withNewEncoder(
        dataset,
        { train: Int32Array.from(Array(count).keys()), groupOf, groupColumn, steps: 1, seed: 1 },
        async (run) => trainedOn(checkpointOf(run), dataset, Int32Array.of(0, 1, 2, 3)),
      );
    expect(await fit(4)).toBe(2);
    await expect(fit(3)).rejects.toThrow("too few");
  });

  test.each([1, 0.5])(
    "and what is built on it, too, with share %p of the training samples",
    async (share) => {
      const fineTune = fineTuneConfig({ training: { epochs: 20, lr: 0.01, penalty: 0 } });
      const config = configOf({
        predictors: ["encoder", "finetuned"],
        fineTune,
        curve: share < 1 ? [share] : [],
      });
      const plan = makePlan(dataset, config);
      const job = plan.jobs.find((one) => one.share === share)!;
      const units = [...new Set(job.train.map((sample) => plan.groupOf![sample]))];
      const order = new Random(config.seed).derive("curve", job.repeat, job.fold).shuffle(units);
      const kept = new Set(order.slice(0, Math.round(share * units.length)));
      const left = job.train.filter((sample) => !kept.has(plan.groupOf![sample]));
      expect(left.length > 0).toBe(share < 1);
      const run = async (of: Dataset) => await new FoldRunner(of, makePlan(of, config)).run(job);
      const usual = await run(dataset);
      expect(usual.trained).toBe(job.train.length - left.length);
      // The first held-out sample stays as it is.
      using others = await changedStudy([...job.test.subarray(1), ...left]);
      const changed = await run(others);
      for (const name of ["encoder", "finetuned"]) {
        const [was, is] = [usual, changed].map((result) => result.predictors[name]);
        expect([is.settings, is.inner]).toEqual([was.settings, was.inner]);
        expect(is.radius[0]).toBeCloseTo(was.radius[0], 9);
        expect(is.predicted[0]).toBeCloseTo(was.predicted[0], 9);
        expect(is.predicted[1]).not.toBeCloseTo(was.predicted[1], 9);
      }
    },
  );
});

const validate = (more: object, workers: number, output: string, resume = false) =>
  crossValidate({
    ...{ dataset, config: configOf(more), output, workers, resume },
    display: new ProgressDisplay("quiet"),
  });

/** Runs with a folder of temporary files of its own, and says what is left in it. */
async function withTemporary(name: string, work: () => Promise<unknown>): Promise<string[]> {
  const folder = scratch.path(name);
  mkdirSync(folder);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    await work();
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  return readdirSync(folder).filter((entry) => !entry.startsWith("bun-cc-"));
}

describe("a cross-validation with new encoders", () => {
  test("has the same figures for several processes and after a resume, no warning, and leaves nothing", async () => {
    const outputs = ["alone", "beside"].map((name) => scratch.path(name));
    const summaries: unknown[] = [];
    const keep = async (...given: Parameters<typeof validate>) => {
      const { summary, report } = await validate(...given);
      summaries.push(summary);
      expect(readFileSync(report, "utf8")).not.toContain("not the values, of");
    };
    const predictors = ["encoder", "kernel"];
    expect(await withTemporary("one", () => keep({ predictors }, 1, outputs[0]))).toEqual([]);
    expect(await withTemporary("two", () => keep({ predictors }, 2, outputs[1]))).toEqual([]);
    rmSync(join(outputs[0], "folds/repeat-1-fold-2.json"));
    await keep({ predictors }, 1, outputs[0], true);
    expect(summaries).toEqual([summaries[0], summaries[0], summaries[0]]);
    await expect(validate({ predictors, encoderSteps: 4 }, 1, outputs[0], true)).rejects.toThrow(
      "other data or settings",
    );
  });

  test("says so where a folder is called new", () => {
    const [empty, taken] = ["empty", "taken/new"].map((name) => scratch.path(name));
    for (const folder of [empty, taken]) mkdirSync(folder, { recursive: true });
    const before = process.cwd();
    const said = [empty, dirname(taken)].map((folder) => {
      process.chdir(folder);
      try {
        return describeNewEncoders().warnings;
      } finally {
        process.chdir(before);
      }
    });
    expect(said).toEqual([
      [],
      [`"new" is an encoder that each fold pretrains, not ${realpathSync(taken)}; give ./new for that.`],
    ]);
  });

  test("is refused for data without distances, in one sentence", async () => {
    const folder = scratch.path("treeless");
    await prepareDataset({ table: study.table, metadata: study.metadata, rarefyDepth: "none" }, folder);
    using treeless = openDataset(folder);
    expect(() => makePlan(treeless, configOf())).toThrow(
      `--encoder new is pretrained on UniFrac distances, and the data set ${folder} has none; prepare it with --tree`,
    );
  });
});

describe.skipIf(process.platform !== "linux")("an interrupt while an encoder is trained", () => {
  test.each(["1", "2"])("leaves nothing, with %p workers", async (workers) => {
    const [output, temporary] = [`cut-${workers}`, `tmp-${workers}`].map((name) => scratch.path(name));
    mkdirSync(temporary);
    const given = ["--predictor", "encoder", "--encoder", "new", "--encoder-steps", "1000000"];
    const child = Bun.spawn(
      [
        ...[
          process.execPath,
          join(projectRoot, "scripts/aam.ts"),
          "cross-validate",
          "--dataset",
          study.folder,
        ],
        ...["--metadata-column", "score", ...given, "--workers", workers, "--output", output],
      ],
      { stdout: "pipe", stderr: "pipe", env: { ...process.env, TMPDIR: temporary } },
    );
    const left = () => readdirSync(temporary, { recursive: true }).map(String);
    // The first epoch is over.
    while (child.exitCode === null && !left().some((path) => path.endsWith("best.safetensors")))
      await Bun.sleep(20);
    child.kill("SIGINT");
    await child.exited;
    expect(await new Response(child.stderr).text()).toContain("Interrupted; ");
    expect(child.exitCode).not.toBe(0);
    expect(left().filter((path) => !path.startsWith("bun-cc-"))).toEqual([]);
    expect(readdirSync(join(output, "folds"))).toEqual([]);
  });
});
