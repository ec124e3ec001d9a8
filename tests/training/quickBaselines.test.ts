/** What `train` says of its model at the end, beside baselines on the same samples. */
import { expect, spyOn, test } from "bun:test";
import { existsSync } from "node:fs";
import { makeStudy } from "../../lab/material/study.ts";
import type { TrainingSetup } from "../../src/cli/options/setUpTraining.ts";
import { reportFineTuning } from "../../src/cli/text/reportFineTuning.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { notBetterThanBaselines, quickBaselines } from "../../src/training/baselines/quickBaselines.ts";
import type { FineTuneConfig } from "../../src/training/config/config.ts";
import { RunFolder } from "../../src/training/run/folder.ts";
import type { FineTuneSummary } from "../../src/training/tasks/fineTune.ts";
import { run, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

test("train ends with the figures of rf-baseline, and warns where its model is not better", async () => {
  const { folder } = await makeStudy(scratch.path("study"));
  const small = "--code-dim 8 --word-dim 8 --nuc-penalty 0 --penalty 0 --lr 1e-9 --epochs 1 --no-plots";
  const given = ["train", "--dataset", folder, ...small.split(" "), "--threads", "1"];
  const output = scratch.path("run");
  const { out, error } = await run(...given, "--metadata-column", "ph,depth", "--output", output);
  expect(error).toMatch(
    /The model \(MAE of ph [\d.]+\) is not better than a baseline on the same samples \(/,
  );
  const told = [...out.matchAll(/^ {4}(\S.*?) \(.*\): MAE ([\d.]+)/gm)].map(([, name, mae]) => [
    name,
    Number(mae).toFixed(3),
  ]);
  expect(existsSync(new RunFolder(output).baselines)).toBe(false);
  const lines = (await succeed("rf-baseline", "--run", output, "--n-estimators", "100", "--json")).trim();
  const known = lines.split("\n").map((line) => JSON.parse(line));
  expect(known.map(({ name }) => name)).toContain("Nearest neighbours");
  expect(told).toEqual(
    ["ph", "depth"].flatMap((column) =>
      known.map(({ name, figures }) => [name, figures[`mae.${column}`].toFixed(3)]),
    ),
  );
  const json = await succeed(
    ...given,
    "--metadata-column",
    "site",
    "--output",
    scratch.path("json"),
    "--json",
  );
  const summary = JSON.parse(json.trim().split("\n").at(-1) ?? "");
  expect(summary.baselines.map(({ name }: { name: string }) => name).at(-1)).toBe("Commonest class");
});

test("a model is judged against the best baseline, by column and by what decides there", () => {
  const baseline = (name: string, figures: Record<string, number>) => ({ name, note: "", figures });
  const numbers = [baseline("a", { "mae.x": 2, "mae.y": 5 }), baseline("b", { "mae.x": 1, "mae.y": 6 })];
  const said = notBetterThanBaselines({ mae: 3, "mae.x": 1.5, "mae.y": 4.5 }, numbers, ["x", "y"]);
  expect(said).toEqual([
    expect.stringMatching(/^The model \(MAE of x 1\.5000\) is not better .*\(b, 1\.0000\)/),
  ]);
  const classes = [baseline("a", { accuracy: 0.5 }), baseline("b", { accuracy: 0.7 })];
  expect(notBetterThanBaselines({ accuracy: 0.71 }, classes, ["x"])).toEqual([]);
  expect(notBetterThanBaselines({ accuracy: 0.7 }, classes, ["x"])).toHaveLength(1);
  expect(notBetterThanBaselines({ accuracy: 0.7 }, [], ["x"])).toEqual([]);
});

test("after an interruption none is computed either", () => {
  const said = spyOn(console, "log").mockImplementation(() => {});
  const summary = {
    ...{
      targets: ["x"],
      kind: "numbers",
      validation: { mae: 1 },
      split: "random",
      stopped_by: "interrupted",
    },
    ...{ samples: { train: 8, validation: 4 }, steps: 3, best_epoch: null, "train.samples_per_second": 1 },
  } as unknown as FineTuneSummary;
  const setup = { display: new ProgressDisplay("quiet"), output: scratch.path("nowhere") };
  reportFineTuning(summary, setup as TrainingSetup<FineTuneConfig>);
  expect(said.mock.calls.flat().join()).toContain("report compares it with baselines");
  said.mockRestore();
});

test("with very many training samples none is computed", () => {
  expect(quickBaselines(new RunFolder(scratch.path("nowhere")), 3001)).toEqual([]);
  expect(() => quickBaselines(new RunFolder(scratch.path("nowhere")), 3000)).toThrow();
});
