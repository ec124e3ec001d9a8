import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";
import { context } from "./faults.ts";

const folder = join(projectRoot, "debug");
const scripts = readdirSync(folder).filter((name) => name.endsWith(".ts"));
const withHelp = scripts.filter((name) => name !== "hdf5Library.ts");

function start(script: string, ...args: string[]) {
  const done = Bun.spawnSync([process.execPath, join(folder, script), ...args], {
    cwd: projectRoot,
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

test("every script is in the README's table", () => {
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  expect(scripts.filter((name) => !readme.includes(`debug/${name}`))).toEqual([]);
  expect(withHelp).toHaveLength(15);
});

test.each(withHelp)("%s has a help and a demo", (script) => {
  const { code, out } = start(script, "--help");
  expect(code).toBe(0);
  expect(out).toContain("--demo");
});

test("without data it is said what to give, in one sentence", () => {
  for (const script of ["batching.ts", "mode-collapse.ts"]) {
    const { code, err } = start(script);
    expect(code).toBe(1);
    expect(err).toMatch(/^Error: debug\/\S+ looks at .*--demo\.\n$/);
  }
});

test("a demo prints its verdict and writes report, numbers and plots", () => {
  const output = join(context.scratch, "report");
  const { code, out } = start("attention-pooling-nan.ts", "--demo", "--threads", "1", "--output", output);
  expect(code).toBe(0);
  expect(out).toContain("kept     values of the product's layers that are not finite: 0 = 0?");
  expect(readdirSync(output).sort()).toEqual(["layers.png", "numbers.json", "report.md"]);
  const numbers = JSON.parse(readFileSync(join(output, "numbers.json"), "utf8"));
  expect(numbers.verdicts.every(({ kept }: { kept: boolean }) => kept)).toBe(true);
  const report = readFileSync(join(output, "report.md"), "utf8");
  expect(report).toContain("**Question.**");
  expect(report).not.toContain(context.scratch);
  expect(existsSync(join(output, "layers.svg"))).toBe(false);
});
