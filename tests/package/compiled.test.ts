/**
 * Programs that are bundled or compiled with the toolkit inside: they run or say what is missing,
 * and never start themselves.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureShim, expectedShim } from "../../src/torch/setup/build.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();

/**
 * Writes down each of its starts, and after five of them ends at once: so this test ends whatever the toolkit
 * does. Loading the toolkit comes after that, as the static import of a program would.
 */
const program = `
import { appendFileSync, statSync } from "node:fs";
appendFileSync(process.env.STARTS, "x");
if (statSync(process.env.STARTS).size > 5) process.exit(99);
import(${JSON.stringify(`${projectRoot}/src/torch/index.ts`)}).then((torch) => console.log(torch.ones([2]).sum().item()));
`;

function run(command: string[], starts: string, env: Record<string, string | undefined>) {
  writeFileSync(starts, "");
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, {
    env: { ...process.env, LIBTORCH: expectedShim().libtorch.root, ...env, STARTS: starts },
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  return { code: exitCode, text: `${stdout}${stderr}`, starts: readFileSync(starts, "utf8").length };
}

test("a compiled or bundled program starts no process of itself: it runs with its native part, or says what is missing", () => {
  const source = scratch.path("main.ts");
  writeFileSync(source, program);
  for (const [name, options] of [
    ["program", ["--compile", "--minify", "--bytecode"]],
    ["bundle.js", ["--target=bun"]],
  ] as const) {
    const built = scratch.path(name);
    const make = Bun.spawnSync([process.execPath, "build", ...options, source, "--outfile", built]);
    expect(`${make.exitCode} ${make.stderr}`).toStartWith("0");
    const command = name === "program" ? [built] : [process.execPath, built];
    const cache = scratch.path(`${name}-cache`);
    const without = run(command, scratch.path("starts"), {
      XDG_CACHE_HOME: cache,
      AAM_TORCH_SHIM: undefined,
    });
    expect({ code: without.code, starts: without.starts }).toEqual({ code: 1, starts: 1 });
    expect(without.text).toContain(
      "and a bundled or compiled program does not build it: set AAM_TORCH_SHIM to",
    );
    expect(existsSync(cache)).toBe(false);
    const missing = run(command, scratch.path("starts"), { AAM_TORCH_SHIM: "no/such/file.so" });
    expect({ code: missing.code, starts: missing.starts }).toEqual({ code: 1, starts: 1 });
    expect(missing.text).toMatch(
      /AAM_TORCH_SHIM names .*no\/such\/file.so, which does not exist: correct it, or unset it/,
    );
    const isFolder = run(command, scratch.path("starts"), { AAM_TORCH_SHIM: projectRoot });
    expect(isFolder.text).toContain(`AAM_TORCH_SHIM names ${projectRoot}, which is no file: give the path`);
    const whole = run(command, scratch.path("starts"), { AAM_TORCH_SHIM: ensureShim() });
    expect(whole).toEqual({ code: 0, text: "2\n", starts: 1 });
  }
});

test("a shim that AAM_TORCH_SHIM names needs no headers and no path of its own, but must fit the LibTorch that is found", () => {
  const { libtorch } = expectedShim();
  const runtime = scratch.path("libtorch");
  mkdirSync(runtime);
  symlinkSync(libtorch.libDir, join(runtime, "lib"));
  const source = scratch.path("sum.ts");
  writeFileSync(source, program);
  // The path of LibTorch is overwritten: as in one that was built on another machine.
  const bytes = readFileSync(ensureShim())
    .toString("latin1")
    .replaceAll(libtorch.libDir, (path) => "/".repeat(path.length));
  const shim = scratch.write("libaam_torch.so", Buffer.from(bytes, "latin1"));
  for (const [version, code, text] of [
    [libtorch.version, 0, /^2\n$/],
    [
      "2.12.9+cpu",
      1,
      /AAM_TORCH_SHIM names .*, which was built for LibTorch [\d.]+, but LibTorch 2.12.9\+cpu was found in .*: give it the native part/,
    ],
  ] as const) {
    writeFileSync(join(runtime, "version.py"), `__version__ = '${version}'\n`);
    const env = { XDG_CACHE_HOME: scratch.path("other-cache"), AAM_TORCH_SHIM: shim, LIBTORCH: runtime };
    const done = run([process.execPath, source], scratch.path("starts"), env);
    expect(done.text).toMatch(text);
    expect(done.code).toBe(code);
  }
});

test("a damaged shim, another library and a damaged LibTorch are told in one sentence, and none ends the process by a signal", () => {
  const { libtorch } = expectedShim();
  const source = scratch.path("sum.ts");
  writeFileSync(source, program);
  const whole = readFileSync(ensureShim());
  const half = whole.subarray(0, whole.length / 2);
  const other = scratch.path("other.so");
  symlinkSync(join(libtorch.libDir, "libc10.so"), other);
  const torn = scratch.path("torn");
  mkdirSync(join(torn, "lib"), { recursive: true });
  for (const name of ["libtorch_cpu.so", "libtorch.so"])
    symlinkSync(join(libtorch.libDir, name), join(torn, "lib", name));
  writeFileSync(
    join(torn, "lib/libc10.so"),
    readFileSync(join(libtorch.libDir, "libc10.so")).subarray(0, 5e5),
  );
  writeFileSync(join(torn, "version.py"), `__version__ = '${libtorch.version}'\n`);
  const unset = "or unset it and let one be found or built.";
  for (const [shim, fault, env] of [
    [scratch.write("text.so", "no library\n"), "which is no library: ", {}],
    [scratch.write("empty.so", ""), "which is empty: ", {}],
    [
      scratch.write("half.so", half),
      `which is cut off (${half.length} of ${whole.length} bytes are there): `,
      {},
    ],
    [other, "which is a library, but not of this version of the toolkit: ", {}],
    [ensureShim(), `LibTorch's ${join(torn, "lib/libc10.so")} is cut off (500000 of `, { LIBTORCH: torn }],
  ] as const) {
    const given = { XDG_CACHE_HOME: scratch.path("third-cache"), AAM_TORCH_SHIM: shim, ...env };
    const done = run([process.execPath, source], scratch.path("starts"), given);
    const sentence = /^UserError: (.*)$/m.exec(done.text)?.[1] ?? done.text;
    expect(sentence).toContain(fault);
    expect(sentence).toContain("LIBTORCH" in env ? "install torch anew, or set LIBTORCH" : unset);
    // Its path is said once.
    expect(sentence.split("LIBTORCH" in env ? torn : shim).length).toBe(2);
    expect(done.code).toBe(1);
  }
}, 60_000);

test("a compiled program writes report pages and pictures: style, script, fonts and drawing library are in it", () => {
  const source = scratch.path("page.ts");
  const display = `${projectRoot}/src/display`;
  writeFileSync(
    source,
    `import { writePage } from ${JSON.stringify(`${display}/page/write.ts`)};
    import { histogramPlot, savePlot } from ${JSON.stringify(`${display}/plots/index.ts`)};
    const [page, picture] = process.argv.slice(2);
    const plot = await histogramPlot({ title: "H", xTitle: "x", series: [{ name: "n", values: [1, 2, 3] }] });
    await savePlot(plot, picture);
    const none = { figures: [], data: [], configuration: {}, environment: [] };
    await writePage(page, { title: "T", created: "now", split: { name: "s", parts: [] }, plots: [{ plot }], ...none });
    `,
  );
  const built = scratch.path("page");
  const make = Bun.spawnSync([process.execPath, "build", "--compile", source, "--outfile", built]);
  expect(`${make.exitCode} ${make.stderr}`).toStartWith("0");
  const done = Bun.spawnSync([built, scratch.path("page.html"), scratch.path("plot")], {
    cwd: scratch.path("."),
  });
  expect(`${done.exitCode} ${done.stderr}`).toBe("0 ");
  const html = readFileSync(scratch.path("page.html"), "utf8");
  for (const part of ["@font-face", ".comparison", "localStorage", "<svg"]) expect(html).toContain(part);
  expect(readFileSync(scratch.path("plot.png")).toString("latin1", 1, 4)).toBe("PNG");
});
