import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { median } from "../../../src/common/median.ts";
import { Random } from "../../../src/common/random/random.ts";
import { type Dataset, openDataset } from "../../../src/data/dataset/dataset.ts";
import { prepareDataset } from "../../../src/data/prepare/prepare.ts";
import { fineTuneSchema } from "../../../src/training/config/config.ts";
import { fineTunedOn } from "../../../src/training/predictors/fineTuned.ts";
import { importanceOf } from "../../../src/training/search/importance.ts";
import type { Trial } from "../../../src/training/search/outcome.ts";
import { simplePredictors } from "../../../src/training/search/simplePredictors.ts";
import { type Dimension, drawPlaces, valueAtPlace } from "../../../src/training/search/space.ts";
import { type SearchConfig, SearchRunner } from "../../../src/training/search/trial.ts";
import { type PlantedStudy, plantedStudy } from "../../helpers/plantedStudy.ts";
import { useScratch } from "../../helpers/scratch.ts";

const scratch = useScratch();
const range = (name: string, low: number, high: number, log = false, whole = false): Dimension => ({
  ...{ name, path: `training.${name}` },
  values: { kind: "range", low, high, log, whole },
});

describe("a space", () => {
  test("is drawn evenly: of a logarithmic range in its logarithm, of whole numbers with both ends", () => {
    const drawn = (dimension: Dimension) =>
      Array.from({ length: 4000 }, (_, i) =>
        valueAtPlace(dimension, drawPlaces([dimension], new Random(1).derive("trial", i))[0]),
      ) as number[];
    const shareBelow = (values: number[], limit: number) =>
      values.filter((value) => value < limit).length / values.length;
    expect(shareBelow(drawn(range("a", 0, 1)), 0.25)).toBeCloseTo(0.25, 1);
    expect(shareBelow(drawn(range("a", 1e-4, 1e-2, true)), 1e-3)).toBeCloseTo(0.5, 1);
    const whole = drawn(range("a", 2, 5, false, true));
    expect([...new Set(whole)].sort()).toEqual([2, 3, 4, 5]);
    expect(shareBelow(whole, 3)).toBeCloseTo(0.25, 1);
    const choice: Dimension = { name: "b", path: "b", values: { kind: "choice", of: ["x", "y", null] } };
    expect(new Set(drawn(choice) as unknown[])).toEqual(new Set(["x", "y", null]));
  });

  test("what one setting is does not depend on the others", () => {
    const [a, b] = [range("a", 0, 1), range("b", 0, 1)];
    const random = () => new Random(3).derive("trial", 1);
    expect(drawPlaces([b], random())[0]).toBe(drawPlaces([a, b], random())[1]);
  });
});

test("the setting that a loss depends on is the one that mattered", () => {
  const space = [range("idle", 0, 1), range("decisive", 0, 1)];
  const placesOf = (trial: number) => drawPlaces(space, new Random(2).derive("trial", trial));
  const trials = Array.from({ length: 40 }, (_, trial) => ({ trial }) as Trial);
  const found = importanceOf(space, trials, placesOf, (trial) => 5 * Math.abs(placesOf(trial)[1] - 0.3))!;
  expect(found["decisive"]).toBeGreaterThan(5 * found["idle"]);
  expect(importanceOf(space, trials.slice(0, 8), placesOf, () => 1)).toBeNull();
});

describe("samples held out from a search", () => {
  let study: PlantedStudy;
  let dataset: Dataset;
  const config: SearchConfig = {
    base: {
      model: { encoder: "set", codes: "kmer", codeDim: 8, wordDim: 8 },
      target: { metadataColumn: ["score"] },
      training: { epochs: 2, nucPenalty: 0, penalty: 0 },
      split: { by: "host" },
    },
    space: [range("lr", 1e-3, 1e-2, true)],
    ...{ method: "random", trials: 1, folds: 2, seed: 4 },
  };

  beforeAll(async () => {
    study = await plantedStudy(scratch.path("study"), 30, 8);
    dataset = openDataset(study.folder);
  });

  /** The study with other values, counts or categories of some samples. */
  async function changed(
    ids: ReadonlySet<string>,
    what: "values" | "counts" | "categories",
  ): Promise<Dataset> {
    const rows = (path: string) =>
      readFileSync(path, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t"));
    const write = (name: string, lines: string[][]) =>
      scratch.write(name, `${lines.map((cells) => cells.join("\t")).join("\n")}\n`);
    const metadata = rows(study.metadata).map((cells) => {
      if (what === "counts" || !ids.has(cells[0])) return cells;
      return what === "values"
        ? [cells[0], "500", ...cells.slice(2)]
        : [...cells.slice(0, -1), "a-new-study"];
    });
    const [head, ...body] = rows(study.table);
    const counts = body.map((cells) =>
      cells.map((cell, c) =>
        what === "counts" && ids.has(head[c]) && cell !== "0" ? String(97 + Number(cell)) : cell,
      ),
    );
    const folder = scratch.path(`changed-${what}`);
    const given = {
      table: write(`${what}.tsv`, [head, ...counts]),
      metadata: write(`${what}-metadata.tsv`, metadata),
    };
    await prepareDataset(
      { ...given, tree: study.tree, metrics: ["unweighted", "faith_pd"], rarefyDepth: "none" },
      folder,
    );
    return openDataset(folder);
  }

  test("are in no fold, with their groups, and decide nothing: values and counts of theirs change no trial", async () => {
    const runner = new SearchRunner(dataset, config);
    const { outer, inner, plan } = runner;
    const groups = new Set(Array.from(outer.test, (sample) => plan.groupOf![sample]));
    for (const { train, test } of inner)
      expect([...train, ...test].some((sample) => groups.has(plan.groupOf![sample]))).toBe(false);
    const usual = await runner.run("trial-1-fold-1");
    expect(usual.error).toBeNull();
    const held = new Set(Array.from(outer.test, (sample) => dataset.sampleIds[sample]));
    for (const what of ["values", "counts"] as const) {
      using other = await changed(held, what);
      const found = await new SearchRunner(other, config).run("trial-1-fold-1");
      expect([what, found.losses]).toEqual([what, usual.losses]);
    }
    // Others' values do decide.
    const searched = new Set(Array.from(inner[0].train, (sample) => dataset.sampleIds[sample]));
    using other = await changed(searched, "values");
    expect((await new SearchRunner(other, config).run("trial-1-fold-1")).losses).not.toEqual(usual.losses);
  });

  test("decide nothing of a fine-tuned model: not its encoder, transforms, categories or time to stop", async () => {
    const fineTune = fineTuneSchema.parse({ ...config.base, categorical: { columns: ["study"] } });
    const { outer, plan } = new SearchRunner(dataset, config);
    const predict = (data: Dataset, train: Int32Array) =>
      fineTunedOn(data, fineTune, { train, test: outer.test.subarray(0, 1) }, plan.target);
    const others = new Set(Array.from(outer.test.subarray(1), (sample) => dataset.sampleIds[sample]));
    const usual = await predict(dataset, outer.train);
    // The same check finds the leak where these samples are trained on.
    const all = Int32Array.from([...outer.train, ...outer.test.subarray(1)]).sort();
    const leaky = await predict(dataset, all);
    for (const what of ["values", "counts", "categories"] as const) {
      using other = await changed(others, what);
      expect([what, await predict(other, outer.train)]).toEqual([what, usual]);
      expect([what, await predict(other, all)]).not.toEqual([what, leaky]);
    }
  });

  test("are predicted by the median and by forests of the samples that are searched on", async () => {
    const runner = new SearchRunner(dataset, config);
    const { outer, plan } = runner;
    const found = await simplePredictors(dataset, runner);
    expect(found.map(({ name }) => name)).toEqual(["Median", "Random forest", "Median forest"]);
    const middle = median(Array.from(outer.train, (sample) => plan.target.values[sample]));
    expect(found[0].losses).toEqual(
      Array.from(outer.test, (sample) => Math.abs(middle - plan.target.values[sample])),
    );
    for (const { losses } of found.slice(1)) {
      expect(losses.length).toBe(outer.test.length);
      expect(losses).not.toEqual(found[0].losses);
    }
    const classes = { ...config, base: { ...config.base, target: { metadataColumn: ["state"] } } };
    const ofClasses = await simplePredictors(dataset, new SearchRunner(dataset, classes));
    expect(ofClasses.map(({ name }) => name)).toEqual(["Shares of the classes", "Random forest"]);
  });

  test("settings with which a training fails end their trial, and the search if they are the first ones", async () => {
    const impossible: Dimension = {
      ...{ name: "lr", path: "training.lr" },
      values: { kind: "choice", of: [-1] },
    };
    const runner = new SearchRunner(dataset, { ...config, space: [impossible] });
    const { error, losses } = await runner.run("trial-1-fold-1");
    expect([losses, error]).toEqual([[], expect.stringContaining("lr")]);
    const without = { ...config, base: { ...config.base, pretrainedEncoder: scratch.path("none") } };
    expect(new SearchRunner(dataset, without).run("trial-0-fold-1")).rejects.toThrow("none");
  });
});
