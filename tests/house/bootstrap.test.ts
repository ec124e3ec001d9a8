import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-bootstrap-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;

/**
 * A project that holds only the bootstrap and scripts that tell of their call, and tools that
 * stand for the real ones.
 */
function makeProject(tools: Record<string, string>): { root: string; path: string } {
  const root = join(folder, `case-${count++}`);
  const path = join(root, "tools");
  mkdirSync(join(root, "scripts"), { recursive: true });
  mkdirSync(path);
  copyFileSync(join(projectRoot, "scripts/bootstrap.mjs"), join(root, "scripts/bootstrap.mjs"));
  writeFileSync(join(root, "package-lock.json"), "{}");
  writeFileSync(join(root, "scripts/setup.ts"), 'console.log("setup");');
  const tell =
    'console.log(["NAME", ...process.argv.slice(2)].join(" ")); process.exit(Number(process.argv[3] ?? 0));';
  for (const name of ["demo", "test"]) {
    writeFileSync(join(root, `scripts/${name}.ts`), tell.replace("NAME", name));
  }
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(path, name), 0o755);
  }
  return { root, path };
}

const mkdir = Bun.which("mkdir");
const link = Bun.which("ln");
/** An npm that "installs" Bun and writes down how it was called. */
const npm = `echo "$@" >> calls; ${mkdir} -p node_modules/.bin; ${link} -sf "${process.execPath}" node_modules/.bin/bun`;

function bootstrap(project: { root: string; path: string }, ...args: string[]) {
  // With a PATH that holds nothing but the tools. Bun runs it as Node.js would.
  const done = Bun.spawnSync([process.execPath, join(project.root, "scripts/bootstrap.mjs"), ...args], {
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: project.path },
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

const calls = (root: string) => readFileSync(join(root, "calls"), "utf8").trimEnd().split("\n");

test("packages are brought once, and again only when the lock file has changed", () => {
  const project = makeProject({ npm });
  expect(bootstrap(project, "setup")).toEqual({ code: 0, out: "setup\n", err: "Installing the packages\n" });
  expect(bootstrap(project, "setup")).toEqual({ code: 0, out: "setup\n", err: "" });
  expect(calls(project.root)).toEqual(["ci --no-audit --no-fund"]);
  writeFileSync(join(project.root, "package-lock.json"), "{ }");
  expect(bootstrap(project, "setup").err).toBe("Installing the packages\n");
  expect(calls(project.root)[1]).toBe("install --no-save --no-audit --no-fund");
});

test("the set-up comes first, then the wanted script with its arguments and its exit code", () => {
  const project = makeProject({ npm });
  expect(bootstrap(project, "test", "some", "3")).toMatchObject({ code: 3, out: "setup\ntest some 3\n" });
  expect(bootstrap(project, "demo")).toMatchObject({ code: 0, out: "setup\ndemo\n" });
  writeFileSync(join(project.root, "scripts/setup.ts"), "process.exit(1);");
  expect(bootstrap(project, "demo")).toMatchObject({ code: 1, out: "" });
});

test("where npm has refused Bun's install script, it is run here", () => {
  const project = makeProject({
    npm: `${mkdir} -p node_modules/.bin node_modules/bun; echo 'require("node:fs").symlinkSync(${JSON.stringify(process.execPath)}, "../.bin/bun")' > node_modules/bun/install.js`,
  });
  expect(bootstrap(project, "setup")).toMatchObject({ code: 0, out: "setup\n" });
  expect(existsSync(join(project.root, "node_modules/.bin/bun"))).toBe(true);
});

test("without npm, Bun brings the packages and runs the rest", () => {
  const project = makeProject({});
  writeFileSync(join(project.root, "package.json"), '{ "name": "empty" }');
  mkdirSync(join(project.root, "node_modules"));
  expect(bootstrap(project, "setup")).toMatchObject({ code: 0, out: "setup\n" });
});

test("a failed installation says so and is tried again next time", () => {
  const project = makeProject({ npm: "echo refused >&2; exit 1" });
  for (let i = 0; i < 2; i++) {
    const { code, err } = bootstrap(project, "setup");
    expect(code).toBe(1);
    expect(err).toMatch(
      /refused\nError: `npm ci --no-audit --no-fund` failed \(its messages are above\): check the network/,
    );
  }
});

const node = Bun.which("node");

test.skipIf(node === null)("Node.js runs it too; without npm and Bun it names the cure", () => {
  const project = makeProject({});
  symlinkSync(node ?? "", join(project.path, "node"));
  const script = join(project.root, "scripts/bootstrap.mjs");
  const run = (...args: string[]) => {
    const done = Bun.spawnSync([node ?? "", script, ...args], {
      stdout: "pipe",
      stderr: "pipe",
      env: { PATH: project.path },
    });
    return { code: done.exitCode, err: done.stderr.toString() };
  };
  expect(run("setup")).toEqual({
    code: 1,
    err: "Error: Neither npm nor Bun is on the PATH: install Node.js 20 or newer (it brings npm), then start again.\n",
  });
  expect(run("nonsense")).toEqual({
    code: 1,
    err: "Error: Unknown subcommand nonsense: expected one of setup, demo, test.\n",
  });
});
