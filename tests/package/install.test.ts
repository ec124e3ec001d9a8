/**
 * From the packed tarballs alone, in an empty folder with an empty home: installing, types, programs,
 * tests, bundles, a Worker, and what is left after an uninstallation. The native part is built once
 * for the whole test suite: what is there is put where it would be built, under the name that its
 * sources and LibTorch give it.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { ensureShim, shimSources, standInHeaders } from "../../src/torch/setup/build.ts";
import { buildFolder } from "../../src/torch/setup/places.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { bunInitOptions, type Packed, Project, pack } from "./stranger.ts";

setDefaultTimeout(120_000);
const folder = mkdtempSync(join(tmpdir(), "aam-package-"));
afterAll(() => rmSync(folder, { recursive: true }));

let packed: Packed & { said: string };
let project: Project;
const cacheOf = ({ home }: Project) => join(home, ".cache/aam-torch/native");
beforeAll(() => {
  packed = pack(join(folder, "packed"));
  console.log(packed.said.trim());
  project = new Project(join(folder, "stranger"));
});

const unpackedOf = (tarball: string) => tarball.replace(/-\d+\.\d+\.\d+\.tgz$/, "");

test("the tarballs are small, hold what every package holds, and publint finds nothing", async () => {
  const limits = { toolkit: 580, product: 3100, prebuilt: 700 };
  for (const [name, limit] of Object.entries(limits) as [keyof Packed, number][]) {
    const tarball = packed[name];
    expect(statSync(tarball).size / 1024).toBeLessThan(limit);
    const { stdout } = Bun.spawnSync(["tar", "tzf", tarball]);
    const names = stdout.toString().trim().split("\n");
    for (const file of ["README.md", "LICENSE", "CHANGELOG.md", "package.json"]) {
      expect(names).toContain(`package/${file}`);
    }
    expect(names.filter((file) => /\.test\.|\.venv|node_modules|\.log$/.test(basename(file)))).toEqual([]);
    if (name === "toolkit") {
      const sources = [...shimSources(), ...standInHeaders()].map((source) => `package/native/${source}`);
      expect(sources.filter((source) => !names.includes(source))).toEqual([]);
    }
    const pkgDir = unpackedOf(tarball);
    const { messages, pkg } = await publint({ pkgDir, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  }
  // No file tells where it was made.
  const text = [packed.toolkit, packed.product, packed.prebuilt].map((tarball) => {
    const { stdout } = Bun.spawnSync(["tar", "xzOf", tarball]);
    return stdout.toString("latin1");
  });
  expect(text.join("").includes(projectRoot)).toBe(false);
});

test("the toolkit installs with the few libraries for images and tokenizers, and nothing else", () => {
  const { code, err } = project.bun(["add", packed.toolkit]);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  expect(
    readdirSync(project.path("node_modules"))
      .filter((name) => !name.startsWith("."))
      .sort(),
  ).toEqual(["@huggingface", "aam-torch", "fast-png", "fflate", "iobuffer", "jpeg-js"]);
  expect(existsSync(project.path("node_modules/.bin/aam-torch"))).toBe(true);
});

test("before the set-up the doctor and a program say what is missing, and the set-up's name here", () => {
  const doctor = project.run([project.path("node_modules/.bin/aam-torch"), "doctor"]);
  expect(doctor.code).toBe(1);
  expect(doctor.out).toContain(
    "Problem: The native part is not built for this LibTorch yet: run `bunx aam-torch setup`.",
  );
  const none = { LIBTORCH: undefined, PATH: join(process.execPath, "..") };
  const without = project.run([process.execPath, "-e", 'await import("aam-torch")'], none);
  expect(without.code).toBe(1);
  expect(without.err).toContain("No LibTorch 2.11 to 2.15 was found.");
  expect(without.err).toContain("Run `bunx aam-torch setup`, which brings one");
});

test("the set-up builds the native part in the cache folder; the doctor is content then", () => {
  // What has been compiled here needs only be linked there; where that is not to be had, the
  // whole library stands for it.
  const objects = join(buildFolder, "objects");
  const sources = shimSources().filter((name) => name.endsWith(".cpp"));
  const isCompiled = existsSync(objects) && readdirSync(objects).length === sources.length;
  if (isCompiled) cpSync(objects, join(cacheOf(project), "objects"), { recursive: true });
  else cpSync(ensureShim(), join(cacheOf(project), basename(ensureShim())));
  if (isCompiled) {
    // As an interrupted copy leaves it.
    const library = join(cacheOf(project), basename(ensureShim()));
    writeFileSync(library, readFileSync(ensureShim()).subarray(0, 500_000));
    const doctor = project.run([project.path("node_modules/.bin/aam-torch"), "doctor"]);
    expect(doctor.out).toContain(`Problem: The native part ${library} is cut off (500000 of `);
  }
  const setup = project.run([project.path("node_modules/.bin/aam-torch"), "setup"]);
  expect(setup.err).toContain(`Native part ${join(cacheOf(project), basename(ensureShim()))}`);
  expect(setup.err.includes("Built the native part in ")).toBe(isCompiled);
  expect(setup.code).toBe(0);
  const doctor = project.run([project.path("node_modules/.bin/aam-torch"), "doctor", "--json"]);
  expect(JSON.parse(doctor.out)).toMatchObject({
    problems: [],
    shim: { built: true },
    native: { threads: expect.any(Number) },
  });
  const slip = project.run([project.path("node_modules/.bin/aam-torch"), "setpu"]);
  expect({ code: slip.code, err: slip.err.split("\n")[0] }).toEqual({
    code: 1,
    err: "Usage: aam-torch COMMAND",
  });
});

test("the README's example compiles as `bun init` has it, and runs", () => {
  const readme = project.read("node_modules/aam-torch/README.md");
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  expect(example).toContain('from "aam-torch"');
  project.write("index.ts", example);
  project.write(
    "wrong.ts",
    'import * as torch from "aam-torch";\n// @ts-expect-error: were the types lost, this would be no mistake.\nexport const wrong: string = torch.ones([2]);\n',
  );
  project.link("typescript", "@typescript", "bun-types", "@types/node", "undici-types");
  const compilerOptions = { ...bunInitOptions, skipLibCheck: false, types: ["bun-types"] };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  expect(project.bun(["node_modules/typescript/bin/tsc"])).toEqual({ code: 0, out: "", err: "" });
  const { code, out, err } = project.bun(["index.ts"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const losses = out
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[1]));
  expect(losses).toHaveLength(4);
  expect(losses[3]).toBeLessThan(losses[0] / 2);
  expect(existsSync(project.path("model.safetensors"))).toBe(true);
});

test("a comparison that fails makes `bun test` fail, and one that holds does not", () => {
  project.write(
    "sum.test.ts",
    `import { expect, test } from "bun:test";
import * as torch from "aam-torch";
import "aam-torch/matchers";
test("holds", () => expect(torch.ones([2]).add(1)).toEqual(torch.full([2], 2)));
test("is close", () => expect(torch.ones([2])).toBeAllClose(torch.ones([2]).add(1e-7)));
test("fails as too far", () => expect(torch.ones([2])).toBeAllClose(torch.ones([2]).add(1e-3)));
test("fails in values", () => expect(torch.ones([2])).toEqual(torch.zeros([2])));
test("fails in shape", () => expect(torch.ones([2])).toEqual(torch.ones([3])));
`,
  );
  const { code, err } = project.bun(["test"]);
  expect(code).toBe(1);
  expect(project.bun(["node_modules/typescript/bin/tsc"])).toEqual({ code: 0, out: "", err: "" });
  expect(err).toMatch(/\(pass\) holds/);
  expect(err).toMatch(/\(pass\) is close/);
  expect(err).toMatch(/\(fail\) fails as too far/);
  expect(err).toMatch(/\(fail\) fails in values/);
  expect(err).toMatch(/\(fail\) fails in shape/);
});

test("bundles and compiled programs run, each as one process, and write nothing", () => {
  const log = project.path("starts");
  const source = project.write(
    "main.ts",
    `import { appendFileSync, statSync } from "node:fs";
import * as torch from "aam-torch";
appendFileSync(${JSON.stringify(log)}, "x");
if (statSync(${JSON.stringify(log)}).size > 20) process.exit(99);
console.log(torch.ones([2, 2]).matmul(torch.ones([2, 1])).sum().item());
`,
  );
  const before = readdirSync(folder, { recursive: true }) as string[];
  const outputs: string[] = ["starts"];
  const ways = [
    ["--target=bun"],
    ["--target=bun", "--minify"],
    ["--compile"],
    ["--compile", "--minify", "--bytecode"],
  ];
  for (const [i, options] of ways.entries()) {
    const name = options[0] === "--compile" ? `program-${i}` : `bundle-${i}.js`;
    outputs.push(name);
    const made = project.bun(["build", ...options, source, "--outfile", project.path(name)]);
    expect({ options, code: made.code, err: made.code === 0 ? "" : made.err }).toEqual({
      options,
      code: 0,
      err: "",
    });
    const command = options[0] === "--compile" ? [project.path(name)] : [process.execPath, name];
    expect(project.run(command)).toEqual({ code: 0, out: "4\n", err: "" });
    expect(readFileSync(log, "utf8")).toBe("x".repeat(i + 1));
    const lost = project.run(command, { XDG_CACHE_HOME: join(folder, `lost-${i}`) });
    expect(lost.code).toBe(1);
    expect(lost.err).toMatch(
      /The native part for LibTorch [\d.+\w]+ is not there, and a bundled or compiled program does not build it: run `bunx aam-torch setup` on this machine, or set AAM_TORCH_SHIM/,
    );
    expect(readFileSync(log, "utf8")).toBe("x".repeat(i + 1));
  }
  const added = (readdirSync(folder, { recursive: true }) as string[]).filter(
    (name) => !before.includes(name),
  );
  const expected = outputs.map((name) => `stranger/project/${name}`);
  expect(added.filter((name) => !name.startsWith("lost-")).sort()).toEqual(expected.sort());
});

test("a Worker computes on a tensor that it is given", () => {
  project.write(
    "worker.ts",
    `import * as torch from "aam-torch";
declare const self: Worker;
self.onmessage = ({ data }: MessageEvent<number>) => {
  using given = torch.Tensor.receive(data);
  self.postMessage(given.mul(2).transfer());
};
`,
  );
  project.write(
    "ask.ts",
    `import * as torch from "aam-torch";
const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
worker.onmessage = ({ data }) => {
  console.log(torch.Tensor.receive(data).toArray());
  worker.terminate();
};
worker.postMessage(torch.tensor([1, 2]).transfer());
`,
  );
  expect(project.bun(["ask.ts"])).toEqual({ code: 0, out: "[ 2, 4 ]\n", err: "" });
});

test("what `aam-torch copy` brings is enough for a compiled program, as the Dockerfile's second stage has it", () => {
  const page = project.read("node_modules/aam-torch/docs/deploying.md");
  const [first = "", second = ""] = /```dockerfile\n([\s\S]*?)```/.exec(page)?.[1]?.split(/\n\nFROM /) ?? [];
  const copied = [...second.matchAll(/^COPY --from=build \/app\/(\S+) /gm)].map(([, name]) => name);
  expect(copied).toEqual(["program", "runtime"]);
  expect(first).toContain("bunx aam-torch copy runtime");
  const copy = project.run([project.path("node_modules/.bin/aam-torch"), "copy", "runtime"]);
  expect({ code: copy.code, err: copy.err }).toEqual({ code: 0, err: "" });
  project.bun(["build", "--compile", "--minify", "main.ts", "--outfile", project.path("program")]);
  // The image: these two, no home, no Python, no compiler, and nothing else of this
  // machine in the environment.
  const image = join(folder, "image");
  mkdirSync(image);
  for (const name of copied) renameSync(project.path(name ?? ""), join(image, name ?? ""));
  const variables = [...second.matchAll(/\b([A-Z_]+)=\/app\/(\S+)/g)].map(([, name, path]) => [
    name,
    join(image, path ?? ""),
  ]);
  expect(Object.fromEntries(variables)).toEqual({
    AAM_TORCH_SHIM: join(image, "runtime", "libaam_torch.so"),
    LIBTORCH: join(image, "runtime", "torch"),
  });
  const done = Bun.spawnSync([join(image, "program")], {
    cwd: image,
    env: { ...Object.fromEntries(variables), HOME: "/nonexistent" },
    timeout: 30_000,
  });
  expect(`${done.stdout}${done.stderr}`).toBe("4\n");
  expect(readdirSync(image).sort()).toEqual(["program", "runtime"]);
  rmSync(image, { recursive: true });
});

test.skipIf(Bun.which("node") === null)("another run time is told in one sentence what is needed", () => {
  const { code, err } = project.run([
    "node",
    "-e",
    'import("aam-torch").catch((e) => { console.error(e.message); process.exit(1); })',
  ]);
  expect({ code, err }).toEqual({
    code: 1,
    err: "aam-torch and aam-bun run on Bun 1.4 or newer (they call LibTorch through bun:ffi): install Bun, then start the program with `bun FILE`.\n",
  });
});

test("after an uninstallation nothing is left but the cache", () => {
  const { code } = project.bun(["remove", "aam-torch"]);
  expect(code).toBe(0);
  expect(existsSync(project.path("node_modules/aam-torch"))).toBe(false);
  expect(existsSync(project.path("node_modules/.bin/aam-torch"))).toBe(false);
  const left = (readdirSync(project.home, { recursive: true }) as string[]).filter(
    (name) => !/^\.bun/.test(name),
  );
  expect(left.sort()).toEqual(
    [
      ".cache",
      ".cache/aam-torch",
      ".cache/aam-torch/native",
      `.cache/aam-torch/native/${basename(ensureShim())}`,
    ].sort(),
  );
});

test("with the optional package there is no build and no compiler, and another version of it is refused", () => {
  const other = new Project(join(folder, "prebuilt"));
  const { code, err } = other.bun(["add", packed.toolkit, packed.prebuilt]);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  const env = { CXX: "/bin/false" };
  other.write(
    "main.ts",
    'import * as torch from "aam-torch";\nconsole.log(torch.shimPath, torch.ones([2]).sum().item());\n',
  );
  const name = `aam-torch-${process.platform}-${process.arch}`;
  const done = other.bun(["main.ts"], env);
  expect(done.err).toBe("");
  expect(done.out).toContain(`node_modules/${name}/libaam_torch-`);
  expect(done.out).toEndWith(" 2\n");
  other.bun(["build", "--compile", "main.ts", "--outfile", other.path("program")]);
  expect(other.run([other.path("program")], env).out).toEndWith(" 2\n");
  const manifest = `node_modules/${name}/package.json`;
  other.write(manifest, other.read(manifest).replace(/"version": "[^"]+"/, '"version": "0.0.1"'));
  expect(other.bun(["main.ts"], env).err).toContain(`${name} is of version 0.0.1, but this toolkit of `);
});

test("prebuilt packages for several versions of LibTorch become one", () => {
  const one = unpackedOf(packed.prebuilt);
  const two = join(folder, "two");
  cpSync(one, two, { recursive: true });
  const [library = ""] = readdirSync(one).filter((name) => name.startsWith("libaam_torch-"));
  renameSync(join(two, library), join(two, library.replace(/-\d+\.\d+/, "-2.99")));
  const script = join(projectRoot, "scripts/pack.ts");
  const merge = (...folders: string[]) => {
    const output = join(folder, "merged");
    const done = Bun.spawnSync([process.execPath, script, "--merge", "--output", output, ...folders]);
    return { code: done.exitCode, err: done.stderr.toString(), output };
  };
  const { code, output } = merge(one, two);
  expect(code).toBe(0);
  const { stdout } = Bun.spawnSync(["tar", "tzf", join(output, basename(packed.prebuilt))]);
  const names = stdout
    .toString()
    .trim()
    .split("\n")
    .filter((name) => name.includes("libaam_torch-"));
  const expected = [library, library.replace(/-\d+\.\d+/, "-2.99")].map((name) => `package/${name}`);
  expect(names.sort()).toEqual(expected.sort());
  expect(merge(one, unpackedOf(packed.toolkit)).err).toMatch(
    /takes folders of one package and version, got /,
  );
  expect(merge(two, folder).err).toContain("holds no package.json");
});

test("the microbiome package computes through the toolkit that lies beside it", () => {
  const user = new Project(join(folder, "user"));
  const names = readdirSync(join(projectRoot, "node_modules")).filter((name) => !name.startsWith("."));
  user.link(...names);
  for (const [name, tarball] of [
    ["aam-torch", packed.toolkit],
    ["aam-bun", packed.product],
  ] as const) {
    cpSync(unpackedOf(tarball), user.path(`node_modules/${name}`), { recursive: true });
  }
  const env = { AAM_TORCH_SHIM: ensureShim() };
  const aam = (...args: string[]) => user.bun([user.path("node_modules/aam-bun/bin/aam.ts"), ...args], env);
  expect(aam("--help").out).toContain("Usage: aam");
  const made = aam("simulate", "--samples", "8", "--asvs", "20", "--output", "study");
  expect({ code: made.code, err: made.code === 0 ? "" : made.err }).toEqual({ code: 0, err: "" });
  const files = readdirSync(user.path("study"));
  const [table, tree] = [/\.biom$/, /\.nwk$/].map((ending) => files.find((name) => ending.test(name)));
  const distances = aam(
    "unifrac",
    "--table",
    `study/${table}`,
    "--tree",
    `study/${tree}`,
    "--output",
    "d.npy",
  );
  expect({ code: distances.code, err: distances.code === 0 ? "" : distances.err }).toEqual({
    code: 0,
    err: "",
  });
  user.write(
    "main.ts",
    'import { readTable, torch } from "aam-bun";\nimport * as same from "aam-torch";\nimport * as again from "aam-bun/torch";\nconsole.log(typeof readTable, torch.Tensor === same.Tensor, again.Tensor === same.Tensor);\n',
  );
  expect(user.bun(["main.ts"], env).out).toBe("function true true\n");
  const compilerOptions = { ...bunInitOptions, types: ["bun-types"] };
  user.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  expect(user.bun(["node_modules/typescript/bin/tsc"])).toEqual({ code: 0, out: "", err: "" });
});
