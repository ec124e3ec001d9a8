/** The one-command path: `bun run train.ts`, as a user calls it. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { useScratch } from "../helpers/scratch.ts";

const root = resolve(import.meta.dir, "../..");
const scratch = useScratch();
let study: Study;

function train(...args: string[]): { code: number; out: string; error: string } {
  const done = Bun.spawnSync([process.execPath, join(root, "train.ts"), ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), error: done.stderr.toString() };
}

const small = [
  "--encoder",
  "aam",
  "--embedding-dim",
  "8",
  "--attention-layers",
  "1",
  "--attention-heads",
  "2",
  "--threads",
  "1",
  "--batch-size",
  "8",
];
const sources = () => ["--table", study.table, "--tree", study.tree, "--rarefy-depth", "200"];

beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

test("ends with validation figures, in words and in summary.json", () => {
  const run = scratch.path("run");
  const done = train(...sources(), "--output", run, ...small, "--max-steps", "6");
  expect(done).toMatchObject({ code: 0, error: expect.not.stringContaining("Error") });
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as Record<string, unknown>;
  expect(summary).toMatchObject({ steps: 6, device: "cpu" });
  for (const key of ["unifrac_r2", "unifrac_mae", "nuc_accuracy"]) expect(summary[`val.${key}`]).toBeNumber();
  expect(summary["train.samples_per_second"]).toBeGreaterThan(0);
  expect(done.out).toContain(`R² ${(summary["val.unifrac_r2"] as number).toFixed(4)}`);
  expect(existsSync(join(run, "plots", "unifrac_plot_best.png"))).toBeTrue();
  const { model } = JSON.parse(readFileSync(join(run, "config.json"), "utf8")) as { model: object };
  expect(model).toMatchObject({ distanceForm: "tanh", tanhScale: 1 });
});

test("goes on where a run stopped, and tells its result as JSON", () => {
  const run = scratch.path("run");
  const done = train(...sources(), "--output", run, ...small, "--max-steps", "9", "--resume", "--json");
  expect(done.code).toBe(0);
  const last = JSON.parse(done.out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
  expect(last).toMatchObject({ event: "summary", steps: 9 });
});

describe("refuses with one sentence and leaves nothing behind:", () => {
  const elsewhere = "(A:1,B:1);";
  const cases: [name: string, args: () => string[], sentence: RegExp][] = [
    [
      "no table",
      () => ["--table", "no-such.biom", "--tree", study.tree],
      /no-such\.biom: there is no such file/,
    ],
    ["what is no table", () => ["--table", study.tree, "--tree", study.tree], /is no feature table/],
    [
      "no tree",
      () => ["--table", study.table, "--tree", "no-such.nwk"],
      /no-such\.nwk: there is no such file/,
    ],
    [
      "another study's tree",
      () => ["--table", study.table, "--tree", scratch.path("other.nwk")],
      /no ASV in common/,
    ],
    ["one sample at a time", () => [...sources(), "--batch-size", "1"], /--batch-size/],
    [
      "heads that do not divide",
      () => [...sources(), "--encoder", "aam", "--embedding-dim", "8", "--attention-heads", "3"],
      /3 attention heads/,
    ],
    [
      "a depth that no sample has",
      () => [...sources().slice(0, 4), "--rarefy-depth", "100000000"],
      /100000000/,
    ],
  ];
  test.each(cases)("%s", (_name, args, sentence) => {
    writeFileSync(scratch.path("other.nwk"), elsewhere);
    const output = scratch.path("refused");
    const done = train(...args(), "--output", output);
    expect(done.code).toBe(1);
    const lines = done.error
      .trimEnd()
      .split("\n")
      .filter((line) => line.startsWith("Error"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(sentence);
    expect(lines[0]).not.toContain("unexpected");
    expect(existsSync(output)).toBeFalse();
  });

  test("a place that cannot be written to", () => {
    const blocker = scratch.path("a-file");
    writeFileSync(blocker, "");
    const done = train(...sources(), "--output", join(blocker, "run"));
    expect(done.code).toBe(1);
    expect(done.error).toMatch(/^Error: .*a-file/m);
    expect(readdirSync(scratch.path("."))).not.toContain(".aam-cache.tmp");
  });
});

test("--help has the form of the other commands', and options fit 80 columns", () => {
  const { code, out } = train("--help");
  expect(code).toBe(0);
  expect(out.replace(/\s+/g, " ")).toContain("on a GPU if there is one (auto, cpu, cuda; default auto)");
  expect(out).not.toContain("default: ");
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});
