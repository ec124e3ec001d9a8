import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { commands } from "../../src/cli/main.ts";
import { readFileBytes } from "../../src/common/files/inputFile.ts";
import { makeCommand } from "../helpers/commandLine.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const root = resolve(import.meta.dir, "../..");

function run(
  command: string[],
  env: Record<string, string> = {},
): { code: number; out: string; err: string } {
  const done = Bun.spawnSync([process.execPath, ...command], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

const aam = (...args: string[]) => run(["scripts/aam.ts", ...args]);

/** Runs a command line whose only command throws `error` (an expression). */
function runThrowing(error: string, ...args: string[]): { code: number; out: string; err: string } {
  const script = `
    const { commands, runCommandLine } = await import("./src/cli/main.ts");
    const { UserError } = await import("./src/common/userError.ts");
    const { Command } = await import("commander");
    const makeCommand = () => new Command("fail").action(() => { throw ${error}; });
    commands.push({ name: "fail", group: "Data:", summary: "fails", load: async () => ({ makeCommand }) });
    await runCommandLine(${JSON.stringify(["fail", ...args])});`;
  return run(["-e", script]);
}

test("--help names every command, and a command's own --help its options", () => {
  const { code, out } = aam("--help");
  expect(code).toBe(0);
  for (const { name, summary } of commands)
    expect(out).toMatch(new RegExp(`^  ${name}\\b.* ${summary.split(" ")[0]}`, "m"));
  for (const form of [
    ["doctor", "--help"],
    ["help", "doctor"],
  ]) {
    const help = aam(...form);
    expect(help.code).toBe(0);
    expect(help.out).toContain("--json");
    expect(help.out).toContain("show what was found");
  }
});

test("helps show no default where there is none, and those that a new run has", async () => {
  const textOf = async (name: string) => (await makeCommand(name)).helpInformation().replace(/\s+/g, " ");
  for (const { name } of commands) expect(await textOf(name)).not.toMatch(/default \)|default ;/);
  expect(await textOf("train")).toContain("where no --pretrained-encoder decides:");
  expect(await textOf("train")).toMatch(/transformers \(aam\) \(set, aam; default set\)/);
});

test("a pipe that is closed on the way is told with the cure", () => {
  expect(() => readFileBytes("/dev/fd/987")).toThrow(/that pipe was closed on the way/);
  expect(() => readFileBytes("/dev/nothing")).toThrow(/there is no such file/);
});

test("sample ids are read from a pipe", () => {
  const script = `import { readIdFile } from "./src/data/split/files.ts"; console.log(readIdFile("/dev/stdin").join())`;
  const done = Bun.spawnSync(["bash", "-c", `printf 'a\\nb\\n' | "$0" -e "$1"`, process.execPath, script], {
    cwd: root,
  });
  expect(done.stdout.toString()).toBe("a,b\n");
});

showsOptions("aam", "--version");
test("--version is the package's", () => {
  expect(aam("--version")).toEqual({ code: 0, out: `${packageJson.version}\n`, err: "" });
});

test("what the command line does not know ends with 2 and one line about it", () => {
  expect(aam("doctor", "--bogus")).toEqual({
    code: 2,
    out: "",
    err: "error: unknown option '--bogus'\n(--help lists the options)\n",
  });
  expect(aam("nonsense")).toMatchObject({
    code: 2,
    err: expect.stringContaining("unknown command 'nonsense'"),
  });
  expect(aam("doctor", "more")).toMatchObject({
    code: 2,
    err: expect.stringContaining("too many arguments"),
  });
  expect(aam()).toMatchObject({ code: 2, out: "", err: expect.stringContaining("Usage: aam") });
});

showsOptions("*", "--debug");
test("a user's mistake is its sentence alone, with the stack trace only on demand", () => {
  const mistake = 'new UserError("No such file x.biom: give one that exists.")';
  const line = "Error: No such file x.biom: give one that exists.\n";
  expect(runThrowing(mistake)).toEqual({ code: 1, out: "", err: line });
  const { code, err } = runThrowing(mistake, "--debug");
  expect(code).toBe(1);
  expect(err.startsWith(line)).toBe(true);
  expect(err).toMatch(/\n\s+at /);
});

test("an unexpected error is one line, and its details are kept in a file", () => {
  const { code, err } = runThrowing('new RangeError("first\\nsecond", { cause: new Error("deeper") })');
  expect(code).toBe(1);
  const [first, second, ...rest] = err.split("\n");
  expect(first).toBe("Error: unexpected RangeError: first");
  expect(rest).toEqual([""]);
  const path = second?.replace("The details are in ", "") ?? "";
  expect(existsSync(path)).toBe(true);
  const details = readFileSync(path, "utf8");
  rmSync(dirname(path), { recursive: true });
  for (const part of ["second", "deeper", Bun.version, packageJson.version]) expect(details).toContain(part);
});

test("output into a pipe that is closed early is no error", () => {
  const script = `"${process.execPath}" "${join(root, "scripts/aam.ts")}" --help | true; echo "\${PIPESTATUS[0]}"`;
  const done = Bun.spawnSync(["bash", "-c", script], { stdout: "pipe", stderr: "pipe" });
  expect(done.stdout.toString()).toBe("0\n");
  expect(done.stderr.toString()).toBe("");
});
