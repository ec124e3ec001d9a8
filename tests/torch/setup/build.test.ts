import { afterAll, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkBuild } from "../../../src/torch/native/library.ts";
import { ensureShim, expectedShim } from "../../../src/torch/setup/build.ts";
import { findCompiler, firstErrors } from "../../../src/torch/setup/compiler.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-build-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the shim is there, named after LibTorch and its sources, and asking again only looks", () => {
  const path = ensureShim();
  const { libtorch, hash } = expectedShim();
  expect(path).toContain(
    `-${libtorch.version.replace(/\+.*/, "")}-${libtorch.cuda === null ? "cpu" : "cuda"}-${hash}.`,
  );
  const { mtimeMs } = statSync(path);
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    expect(ensureShim()).toBe(path);
    fastest = Math.min(fastest, performance.now() - started);
  }
  expect(fastest).toBeLessThan(20);
  expect(statSync(path).mtimeMs).toBe(mtimeMs);
});

test("the shim of another LibTorch is not loaded: one is built for the LibTorch that is there now", () => {
  // The same libraries, which would load, under another version; and a compiler that tells when it is asked.
  const { root } = expectedShim().libtorch;
  const other = join(folder, "libtorch");
  mkdirSync(other);
  for (const name of ["include", "lib", "share"]) symlinkSync(join(root, name), join(other, name));
  writeFileSync(join(other, "version.py"), "__version__ = '2.12.7+cpu'\n");
  const compiler = join(folder, "compiler");
  writeFileSync(compiler, "#!/bin/sh\necho 'error: asked to compile' >&2\nexit 1\n", { mode: 0o755 });
  const library = join(import.meta.dir, "../../../src/torch/native/library.ts");
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "-e", `await import("${library}")`], {
    env: { ...process.env, LIBTORCH: other, CXX: compiler },
  });
  expect(exitCode).toBe(1);
  expect(stderr.toString()).toContain("Building the native part for LibTorch 2.12.7+cpu (");
  expect(stderr.toString()).toContain("error: asked to compile");
  writeFileSync(compiler, "#!/bin/sh\necho 'Fatal error: x.o: No space left on device' >&2\nexit 1\n");
  const full = Bun.spawnSync([process.execPath, "-e", `await import("${library}")`], {
    env: { ...process.env, LIBTORCH: other, CXX: compiler },
  });
  expect(full.stderr.toString()).toContain("The disk is full: free some space in ");
  expect(existsSync(ensureShim())).toBe(true);
});

test("a package from a git URL, which holds all that a clone does, builds into the cache folder", () => {
  const root = join(import.meta.dir, "../../..");
  const installed = join(folder, "node_modules/aam-bun");
  for (const name of ["src/torch/setup/places.ts", "scripts/bootstrap.mjs", "native/aam_torch.h"])
    cpSync(join(root, name), join(installed, name));
  const ask = (place: string) => {
    const places = JSON.stringify(join(place, "src/torch/setup/places.ts"));
    const program = `const p = await import(${places}); console.log(p.isClone, p.buildFolder, p.commandNames.setup);`;
    const { stdout } = Bun.spawnSync([process.execPath, "-e", program], {
      env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") },
    });
    return stdout.toString().trim();
  };
  expect(ask(installed)).toBe(`false ${join(folder, "cache/aam-torch/native")} bunx aam-torch setup`);
  expect(ask(root)).toStartWith("true ");
});

test("a library under the name of another build is refused with the cure, before it is loaded", () => {
  const { path } = expectedShim();
  expect(() => checkBuild(path)).not.toThrow();
  const renamed = join(folder, "libaam_torch-2.12.7-cpu-0123456789abcdef.so");
  symlinkSync(path, renamed);
  expect(() => checkBuild(renamed)).toThrow(/built for another LibTorch.*delete it and run `npm run setup`/);
});

test("CXX chooses the compiler, with its options; one that does not exist is named", () => {
  const before = process.env["CXX"];
  try {
    process.env["CXX"] = `${process.execPath} --option`;
    expect(findCompiler()).toEqual([process.execPath, "--option"]);
    process.env["CXX"] = "no-such-compiler";
    expect(() => findCompiler()).toThrow("The compiler that CXX names, no-such-compiler, does not exist");
  } finally {
    if (before === undefined) delete process.env["CXX"];
    else process.env["CXX"] = before;
  }
});

test("of a compiler's output the errors are shown, and its first lines where there are none", () => {
  const output =
    "In file included from a.h\na.cpp:3:1: error: no such thing\nnote: here\nb.cpp:1: fatal error: x.h\n";
  expect(firstErrors(output)).toBe("a.cpp:3:1: error: no such thing\nb.cpp:1: fatal error: x.h");
  expect(firstErrors("one\n\ntwo\nthree\n", 2)).toBe("one\ntwo");
});
