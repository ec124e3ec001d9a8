import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { labCommands } from "../../lab/commands.ts";
import packageJson from "../../package.json" with { type: "json" };
import { commands } from "../../src/cli/main.ts";
import { projectRoot } from "../helpers/projectFiles.ts";

/** Where tsconfig.types.json lets a source file's types be written. */
const typesOf = (source: string) => source.replace("./src/", "./build/types/").replace(/\.ts$/, ".d.ts");

const scripts = Object.entries(packageJson.scripts);

test("every script of package.json runs something that exists", () => {
  const missing = scripts.filter(([, line]) => {
    const [program = "", file = ""] = line.split(" ");
    if (program === "node" || program === "bun") return !existsSync(join(projectRoot, file));
    return !existsSync(join(projectRoot, "node_modules/.bin", program));
  });
  expect(missing).toEqual([]);
});

test("every command is reached as `bun run NAME`: by its script, pretrain by its file", () => {
  const called = scripts.flatMap(([name, line]) => {
    const command = /^bun scripts\/aam\.ts (\S+)$/.exec(line)?.[1];
    if (command !== undefined) expect(command).toBe(name);
    return command === undefined ? [] : [command];
  });
  expect([...called, "pretrain"].sort()).toEqual(
    [...commands, ...labCommands].map(({ name }) => name).sort(),
  );
  for (const name of ["pretrain", "train"]) {
    const done = Bun.spawnSync([process.execPath, "run", name, "--help"], { cwd: projectRoot });
    expect({ code: done.exitCode, out: done.stdout.toString().split("\n")[0] }).toEqual({
      code: 0,
      out: `Usage: aam ${name} [options]`,
    });
  }
});

test("no script runs before or after another because of its name", () => {
  const names = scripts.map(([name]) => name);
  const hooks = names.flatMap((name) => [`pre${name}`, `post${name}`]).filter((name) => names.includes(name));
  expect(hooks).toEqual([]);
});

test("every command can be loaded and bears its name", async () => {
  for (const { name, summary, load } of commands) {
    expect((await load()).makeCommand().name()).toBe(name);
    expect(summary).not.toBe("");
  }
});

test("what package.json exports and installs exists", () => {
  const entries = Object.values(packageJson.exports);
  const targets = [...entries.map((entry) => entry.default), ...Object.values(packageJson.bin)];
  for (const entry of entries) expect(entry.types).toBe(typesOf(entry.default));
  expect(targets.filter((target) => !existsSync(join(projectRoot, target)))).toEqual([]);
});

test("the checks of a submission are executable and run the documented command", () => {
  const path = join(projectRoot, ".ci/run");
  expect(statSync(path).mode & 0o100).toBe(0o100);
  expect(readFileSync(path, "utf8")).toContain("npm test");
});
