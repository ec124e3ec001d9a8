/**
 * Commands that compute for long tell how much of what is done, and where that is known, when they will end.
 */
import { beforeAll, expect, test } from "bun:test";
import { fineTuneStudy, makeStudy, type Study } from "../../lab/material/study.ts";
import { ProgressDisplay } from "../../src/display/terminal/progressBar.ts";
import { stageReporter } from "../../src/display/terminal/stageReporter.ts";
import { baselinesOfRun } from "../../src/training/baselines/baselinesOfRun.ts";
import { RunFolder } from "../../src/training/run/folder.ts";
import { succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
let study: Study;
const model = () => scratch.path("model");
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
  await fineTuneStudy(study, model(), { target: { metadataColumn: ["ph"] } });
});

/** The stretches of work that a command tells of in its JSON lines, with their amounts. */
async function stretchesOf(...args: string[]): Promise<(string | number)[][]> {
  const lines = (await succeed(...args, "--json")).trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line) as Record<string, string | number>);
  const ended = events.filter(({ event }) => event === "done");
  for (const { done, total } of ended) expect(done).toBe(total);
  return ended.map(({ title, total, unit }) => [title, total, unit]);
}

test("prep: drawing counts, and pairs", async () => {
  const { table, tree } = study;
  const files = ["--table", table, "--tree", tree, "--output", scratch.path("prepared")];
  const [read, ...others] = await stretchesOf("prep", ...files, "--rarefy-depth", "100");
  expect(read).toEqual(["Reading the table", expect.any(Number), "counts"]);
  expect(others).toEqual([
    ["Rarefying", 36, "samples"],
    ["Computing unweighted", 630, "pairs"],
  ]);
});

test("unifrac: drawing counts, and pairs", async () => {
  const { table, tree } = study;
  const files = ["--table", table, "--tree", tree, "--output", scratch.path("distances.npy")];
  expect(await stretchesOf("unifrac", ...files, "--rarefy-depth", "100")).toEqual([
    ["Rarefying", 36, "samples"],
    ["Computing unweighted", 630, "pairs"],
  ]);
});

test("predict, embed and evaluate: ASVs and samples that are encoded", async () => {
  const samples = ["--model", model(), "--dataset", study.folder];
  const encoding = [
    ["Encoding ASVs", study.dataset.asvCount, "ASVs"],
    ["Encoding samples", 36, "samples"],
  ];
  const predict = ["predict", ...samples, "--output", scratch.path("p.tsv")];
  expect(await stretchesOf(...predict)).toEqual(encoding);
  const contributions = ["--contributions", scratch.path("c.tsv")];
  const explaining = expect.arrayContaining([["Explaining samples", 36, "samples"]]);
  expect(await stretchesOf(...predict, ...contributions)).toEqual(explaining);
  expect(await succeed(...predict, ...contributions)).toContain(
    "what each ASV adds to the predictions of 36",
  );
  expect(await stretchesOf("embed", ...samples, "--distances", scratch.path("d.tsv"))).toEqual(encoding);
  // The targets, then the distances.
  expect(await stretchesOf("evaluate", ...samples)).toEqual([...encoding, ...encoding]);
});

test("the trees of a random forest, with the time that is left", () => {
  let shown = "";
  let now = 0;
  const terminal = { columns: 100, write: (text: string) => void (shown += text), writeError: () => {} };
  const display = new ProgressDisplay("bar", terminal, () => (now += 200));
  baselinesOfRun(new RunFolder(model()), { trees: 20 }, stageReporter(display));
  expect(shown).toMatch(/Growing a random forest █+░+ +50%.* trees\/s {2}0:0\d left/);
  expect(shown.trimEnd()).toMatch(/100%[^\r]*$/);
});

test("a stage without an amount is a line, and the same stage with one a bar that ends by itself", () => {
  const lines: string[] = [];
  const terminal = { columns: 80, write: (text: string) => void lines.push(text), writeError: () => {} };
  const tell = stageReporter(new ProgressDisplay("json", terminal), (stage) => `Preparing: ${stage}`);
  tell("Reading");
  tell("Reading");
  tell("Drawing", { done: 0, total: 2, unit: "samples" });
  tell("Drawing", { done: 2, total: 2, unit: "samples" });
  tell("Drawing", { done: 1, total: 1, unit: "samples" });
  const events = lines.map((line) => JSON.parse(line));
  expect(events).toMatchObject([
    { event: "message", text: "Preparing: Reading" },
    { event: "done", title: "Preparing: Drawing", total: 2 },
    { event: "done", title: "Preparing: Drawing", total: 1 },
  ]);
});
