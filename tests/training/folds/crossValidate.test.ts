import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FolderLock } from "../../../src/common/files/folderLock.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { ProgressDisplay } from "../../../src/display/terminal/progressBar.ts";
import { crossValidate } from "../../../src/training/folds/crossValidate.ts";
import { verdictText, writeFoldPredictions } from "../../../src/training/folds/foldReport.ts";
import { makePlan, planSchema } from "../../../src/training/folds/plan.ts";
import { reasonNotes } from "../../../src/training/folds/reasonNotes.ts";
import { FoldRunner } from "../../../src/training/folds/runJob.ts";
import { summarize } from "../../../src/training/folds/summarize.ts";
import { asvId, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
let folder: string;
let dataset: Dataset;
beforeAll(async () => {
  ({ folder } = await plantedStudy(scratch.path("study")));
  dataset = openDataset(folder);
});
const display = new ProgressDisplay("quiet");
type Config = Partial<Parameters<typeof planSchema.parse>[0] & object>;
const configOf = (more: Config) =>
  planSchema.parse({ column: "score", splitBy: "host", folds: 3, trees: 20, seed: 3, ...more });
let outputs = 0;
const validate = (more: Config, workers = 1, output = scratch.path(`cv${outputs++}`), resume = false) =>
  crossValidate({ dataset, config: configOf(more), output, workers, resume, display });

describe("cross-validation", () => {
  test("refuses a folder in which another one is at work", async () => {
    const output = scratch.path("taken");
    using _lock = FolderLock.acquire(output);
    await expect(validate({}, 1, output)).rejects.toThrow(`${output} is in use by process ${process.pid}`);
  });

  test("finds planted ASVs with their signs, and is better than the median", async () => {
    const validated = await validate({ repeats: 2, trees: 10, innerFolds: 3 });
    const { summary, reasons, contributions } = validated;
    // Several in a fold count in each.
    const page = readFileSync(validated.report, "utf8");
    const parts = [...page.matchAll(/<dt>Folds in which auto has ([^<]+)<\/dt><dd>(\d) of 6<\/dd>/g)];
    const counted = summary.meanOf.reduce((sum, { of, folds }) => sum + folds * of.split(", ").length, 0);
    expect(parts.reduce((sum, [, , folds]) => sum + Number(folds), 0)).toBe(counted);
    expect(parts.map(([, title]) => title)).toContain("Ridge on presence");
    const divided = ["forest", "median-forest", "ridge", "kernel", "vectors"];
    expect(Object.keys(contributions)).toEqual(["auto", ...divided]);
    expect(summary).toMatchObject({ isReal: true, samples: 60, groups: 20, repeats: 2, main: "auto" });
    const carrying = reasons.slice(0, 2);
    expect(carrying.map(({ id }) => id)).toEqual([asvId(0), asvId(1)]);
    expect(carrying[0].low).toBeGreaterThan(1);
    expect(carrying[1].high).toBeLessThan(-1);
    expect(carrying[1].importanceLow).toBeGreaterThan(
      Math.max(...reasons.slice(2).map((row) => row.importance)),
    );
    // Contributions say so, too, and add up.
    for (const [name, [first, second, ...others]] of Object.entries(contributions)) {
      expect([first.id, second.id]).toEqual([asvId(0), asvId(1)]);
      expect(first.low).toBeGreaterThan(0.5);
      expect(second.high).toBeLessThan(-0.5);
      expect(second.importanceLow).toBeGreaterThan(Math.max(...others.map((row) => row.importance)));
      expect(summary.contributionGaps[name]).toBeLessThan(1e-5);
    }
    const figures = Object.fromEntries(summary.predictors.map((one) => [one.name, one.figures["mae"]]));
    const singles = ["forest", "ridge", "kernel", "vectors", "neighbours"].map((name) => figures[name].value);
    expect(figures["auto"].value).toBeLessThan(Math.min(...singles) * 1.2);
    for (const { low, value, high } of Object.values(figures)) {
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
    }
    const { coverage } = summary.predictors.find(({ name }) => name === "auto")!;
    expect(coverage.value).toBeGreaterThan(0.8);
  });

  test("tells classes apart, with probabilities that fit", async () => {
    const { summary, reasons, contributions } = await validate({
      column: "state",
      predictors: ["stack"],
      trees: 10,
      innerFolds: 3,
    });
    const { figures } = summary.predictors.find(({ name }) => name === "stack")!;
    expect(figures["error"].value).toBeLessThan(0.15);
    expect(figures["auc"].value).toBeGreaterThan(0.9);
    expect(summary.isReal).toBe(true);
    expect(reasons[0].id).toBe(asvId(0));
    // Half of a class's probability at most is moved, as the classes are about as many.
    expect(Object.keys(contributions)).toEqual(["stack", "forest", "ridge", "kernel", "vectors"]);
    for (const [{ id, className, effect, importance }] of Object.values(contributions)) {
      expect([id, className === "ill" ? effect > 0 : effect < 0]).toEqual([asvId(0), true]);
      expect(importance).toBeGreaterThan(0.1);
      expect(importance).toBeLessThan(0.5);
    }
  });

  test("does not dress up what cannot be predicted", async () => {
    const { summary, contributions, report } = await validate({ column: "noise", trees: 10, innerFolds: 3 });
    expect(contributions["auto"]).toBeUndefined();
    expect(readFileSync(report, "utf8")).toContain(
      "In all folds no ASV moves auto, which is the median there: it has no table.",
    );
    expect(readFileSync(report, "utf8")).toContain("<dt>Folds in which auto has Median</dt><dd>3 of 3</dd>");
    expect(summary.isReal).toBe(false);
    expect(summary.meanOf).toEqual([{ of: "constant", folds: 3 }]);
    expect(verdictText(summary)).toBe(
      "noise: auto is no better than the median (MAE differs by 0 (0 to 0)). In 3 of 3 folds auto is the median: nothing was better by the inner folds.",
    );
  });

  test("ends intervals of what is never below 0 at 0, in the table and in the mean width", async () => {
    const plan = makePlan(dataset, configOf({ predictors: ["ridge"], trees: 5, innerFolds: 2, folds: 2 }));
    const runner = new FoldRunner(dataset, plan);
    const results = await Promise.all(plan.jobs.map((job) => runner.run(job)));
    const wide = results.map((result) => ({
      ...result,
      predictors: Object.fromEntries(
        Object.entries(result.predictors).map(([name, own]) => [
          name,
          { ...own, radius: own.predicted.map(() => 50) },
        ]),
      ),
    }));
    const path = scratch.path("wide.tsv");
    writeFoldPredictions(path, dataset, plan, wide);
    const [head, ...rows] = readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    const of = (name: string) => rows.map((cells) => Number(cells[head.indexOf(name)]));
    expect(new Set(of("constant lower"))).toEqual(new Set([0]));
    const mean = of("constant upper").reduce((sum, end) => sum + end, 0) / rows.length;
    const { width } = summarize(plan, wide).predictors.find(({ name }) => name === "constant")!;
    expect(width).toBeCloseTo(mean, 4);
  });

  test("does not say what a difference between few groups means", async () => {
    const { summary } = await validate({
      ...{ predictors: ["ridge"], trees: 5, splitBy: null, leaveOut: "study", innerFolds: 2 },
    });
    expect(summary.groups).toBe(3);
    expect(new Set(summary.differences.map(({ verdict }) => verdict))).toEqual(
      new Set(["too few groups to tell"]),
    );
    expect(verdictText(summary)).toContain(
      "3 groups are too few to tell whether ridge is better than the median",
    );
    const many = await validate({ predictors: ["ridge"], trees: 5, innerFolds: 2 });
    expect(many.summary.differences[0].verdict).toBe("better");
  });

  test("says what of a mean is not divided among ASVs, and in which folds none moves it", async () => {
    const { summary, report } = await validate({ predictors: ["stack"], trees: 5, innerFolds: 3 });
    const { parts, weight, importance } = summary.undivided["stack"];
    expect(parts).toEqual(["neighbours"]);
    const page = readFileSync(report, "utf8");
    const note = "% of the weight is nearest neighbours, not divided among ASVs: as a whole this moves";
    expect(page.includes(note)).toBe(weight >= 0.001);
    const told = { ...summary, undivided: { stack: { parts, weight: 0.25, importance } } };
    const [text] = reasonNotes({ ...told, unmoved: {} });
    expect(text).toMatch(
      /^Of stack, 25 % of the weight is nearest neighbours, .* moves a prediction by [\d.]+ /,
    );
    expect(reasonNotes({ ...summary, undivided: {}, unmoved: { forest: 1 } })).toEqual([
      "In 1 of 3 folds no ASV moves forest; its table is of the others.",
    ]);
  });

  test("says why kernels have no contributions without the tree, and which parts of a mean lack them", async () => {
    using bare = openDataset(folder);
    Object.defineProperty(bare, "fromTree", { value: [] });
    let said = "";
    const writeError = (text: string) => {
      said += text;
    };
    const heard = new ProgressDisplay("quiet", { columns: 80, write: () => {}, writeError });
    const config = configOf({ predictors: ["stack"], trees: 5, innerFolds: 2 });
    const given = { dataset: bare, config, output: scratch.path("bare"), workers: 1, resume: false };
    const { summary, contributions } = await crossValidate({ ...given, display: heard });
    expect(said).toContain("No contributions of ASVs to kernel and vectors: ");
    expect(Object.keys(contributions)).toEqual(["stack", "forest", "median-forest", "ridge"]);
    expect(summary.undivided["stack"].parts).toEqual(["kernel", "vectors", "neighbours"]);
    expect(summary.contributionGaps["stack"]).toBeLessThan(1e-9);
  });

  test("gives the same numbers for one process and for several, and goes on where it stopped", async () => {
    const config = { predictors: ["ridge", "forest"] as const, trees: 5 };
    const alone = await validate({ ...config, predictors: ["ridge", "forest"] });
    const output = scratch.path("resumed");
    const beside = await validate({ ...config, predictors: ["ridge", "forest"] }, 2, output);
    expect(beside.summary).toEqual(alone.summary);
    const folds = join(output, "folds");
    const files = readdirSync(folds).sort();
    expect(files).toEqual([1, 2, 3].map((fold) => `repeat-1-fold-${fold}.json`));
    const kept = readFileSync(join(folds, files[0]), "utf8");
    rmSync(join(folds, files[1]));
    writeFileSync(join(folds, files[0]), kept.replace(/"seconds":[\d.]+/, '"seconds":77'));
    const again = await validate({ ...config, predictors: ["ridge", "forest"] }, 1, output, true);
    expect(again.summary).toEqual(alone.summary);
    expect(readFileSync(join(folds, files[0]), "utf8")).toContain('"seconds":77');
    expect(validate({ ...config, predictors: ["ridge", "forest"] }, 1, output)).rejects.toThrow("--resume");
    expect(validate({ predictors: ["ridge"] }, 1, output, true)).rejects.toThrow("other data or settings");
    const made = join(output, "cross-validation.json");
    writeFileSync(made, readFileSync(made, "utf8").replace(/ *"rules":.*\n/, ""));
    const before = validate({ ...config, predictors: ["ridge", "forest"] }, 1, output, true);
    expect(before).rejects.toThrow("or of an earlier version");
  });

  test("has a learning curve that falls, from parts of the training samples", async () => {
    const { summary } = await validate({ predictors: ["ridge"], curve: [0.3], repeats: 2 });
    const values = summary.curve.filter(({ name }) => name === "ridge");
    expect(values.map(({ share, trained }) => [share, trained < 30])).toEqual([
      [0.3, true],
      [1, false],
    ]);
    expect(values[0].value).toBeGreaterThan(values[1].value);
  });

  test("says that intervals of few groups keep no promise, and where they can", async () => {
    const warned = async (more: Config) => {
      const { report } = await validate({ predictors: ["ridge"], reasons: false, innerFolds: 2, ...more });
      return readFileSync(report, "utf8").match(/cannot be promised to hold [^;]*/)?.[0];
    };
    expect(await warned({})).toBeUndefined();
    const studies = { splitBy: null, leaveOut: "study" };
    expect(await warned(studies)).toContain("of the true values: with 2 values of");
    expect(await warned({ ...studies, coverage: 0.66 })).toBeUndefined();
    expect(await warned({ splitBy: "study", folds: 2 })).toContain("with 1 value of");
  });

  test("refuses targets of which nothing can be learned, and warns of classes that a fold does not learn", async () => {
    const { table, metadata } = await plantedStudy(scratch.path("targets"), 30, 8);
    const [head, ...rows] = readFileSync(metadata, "utf8").trimEnd().split("\n");
    const cells = (i: number) => [i, 37, `n${i}`, `c${Math.floor(i / 2)}`, i < 5 ? i : "", i < 6 ? i : ""];
    const columns = ["number", "constant", "name", "pair", "five", "six"];
    writeFileSync(
      metadata,
      `${[head, ...columns].join("\t")}\n${rows.map((row, i) => [row, ...cells(i)].join("\t")).join("\n")}\n`,
    );
    const set = scratch.path("targets-set");
    await prepareDataset({ table, metadata, rarefyDepth: "none" }, set);
    using targets = openDataset(set);
    const plan = (more: Config) => makePlan(targets, configOf({ splitBy: null, ...more }));
    expect(() => plan({ column: "constant" })).toThrow('All 30 samples have the same value of "constant"');
    expect(() => plan({ column: "five" })).toThrow(
      'Only 5 samples have values of "five", too few to cross-validate, which takes at least 6;',
    );
    expect(() => plan({ column: "six", folds: 2 })).toThrow("has 3 samples to learn from");
    expect(plan({ column: "six" }).samples.length).toBe(6);
    expect(() => plan({ column: "name" })).toThrow('All 30 held-out samples have classes of "name"');
    // Hosts have three samples each, so that pairs are in one host or two.
    expect(plan({ column: "pair", splitBy: "host" }).warnings.join()).toMatch(
      /^\d+ of the 30 held-out samples have classes of "pair" that no training sample of their fold has \("c\d+", say\)/,
    );
    expect(plan({ column: "number", splitBy: "host" }).warnings).toEqual([]);
    expect(plan({ column: "state", splitBy: "host" }).warnings).toEqual([]);
  });

  test("warns of random folds where hosts have several samples, and of few groups", () => {
    expect(makePlan(dataset, configOf({ splitBy: null })).warnings.join()).toContain("--split-by host");
    expect(makePlan(dataset, configOf({})).warnings).toEqual([]);
    const studies = makePlan(dataset, configOf({ splitBy: null, leaveOut: "study" }));
    expect(studies.warnings.join()).toContain('"study" has only 3 values');
  });
});

describe("a fold", () => {
  test("knows nothing of the held-out samples' values: others give the same predictions", async () => {
    const plan = makePlan(dataset, configOf({}));
    const [job] = plan.jobs;
    const usual = await new FoldRunner(dataset, plan).run(job);
    const values = plan.target.values.slice();
    for (const sample of job.test) values[sample] = 1000;
    const changed = await new FoldRunner(dataset, { ...plan, target: { ...plan.target, values } }).run(job);
    expect(changed.predictors).toEqual(usual.predictors);
    expect(changed.likeness).toEqual(usual.likeness);
    expect(changed.reasons!.effects).toEqual(usual.reasons!.effects);
    expect(changed.contributions).toEqual(usual.contributions);
    expect(changed.reasons!.importance).not.toEqual(usual.reasons!.importance);
  });
});
