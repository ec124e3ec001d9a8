/**
 * Packs what is published, into build/packages (or `--output FOLDER`): `aam-torch` (the toolkit: src/torch,
 * what it imports of the layers below, the native sources), `aam-bun` (all the rest of src, which imports the
 * toolkit by its name) and, with `--prebuilt`, the compiled native part for this kind of machine.
 * `--merge FOLDER...` makes one package of several prebuilt ones for the same kind of machine, made with
 * other versions of LibTorch. Nothing is published.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, normalize, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import packageJson from "../package.json" with { type: "json" };
import { bunProcess } from "../src/common/bunProcess.ts";
import { UserError } from "../src/common/userError.ts";
import { allSources, ensureShim, hashOfSources } from "../src/torch/setup/build.ts";
import { findLibtorch } from "../src/torch/setup/findLibtorch.ts";
import { prebuiltName, prebuiltPackage } from "../src/torch/setup/findShim.ts";

const root = resolve(import.meta.dir, "..");
const toolkit = "aam-torch";
/** What the toolkit itself imports: image files and tokenizers. */
const toolkitLibraries = ["@huggingface/tokenizers", "fast-png", "jpeg-js"] as const;

/** They write ops.gen.ts; no program needs them. */
const generator = ["src/torch/dispatch/generateOps.ts", "src/torch/dispatch/opDocs.ts"];

/** The module names in a file: `from "x"`, `import "x"`, `import("x")`, `new URL("x", import.meta.url)`. */
const moduleName = /(\bfrom\s+|\bimport\s*\(?\s*|\bdeclare module\s+|\bnew URL\()"(\.{1,2}\/[^"]+)"/g;

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function filesOf(folder: string, pattern: string): string[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: join(root, folder) })]
    .sort()
    .map((name) => join(folder, name));
}

/** The files that `entries` import, directly or not, and themselves. */
function importedBy(entries: readonly string[]): Set<string> {
  const found = new Set<string>();
  const queue = [...entries];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, , name = ""] of read(file).matchAll(moduleName)) {
      const target = normalize(join(dirname(file), name));
      if (target.startsWith("src/") && /\.(ts|c)$/.test(target)) queue.push(target);
    }
  }
  return found;
}

/** A folder that becomes a package. */
class Stage {
  readonly #folder: string;

  constructor(
    output: string,
    readonly manifest: Record<string, unknown> & { name: string },
  ) {
    this.#folder = join(output, manifest.name);
    rmSync(this.#folder, { recursive: true, force: true });
    this.write("package.json", `${JSON.stringify(manifest, null, 2)}\n`);
    for (const name of ["LICENSE", "CHANGELOG.md"]) this.copy(join(root, name), name);
  }

  write(name: string, content: string): void {
    const path = join(this.#folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  copy(from: string, name: string): void {
    const path = join(this.#folder, name);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(from, path);
  }

  /** Makes the tarball beside the folder and tells its size. */
  pack(): string {
    const output = dirname(this.#folder);
    const done = Bun.spawnSync(
      ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", output],
      {
        cwd: this.#folder,
        stderr: "inherit",
      },
    );
    if (!done.success) throw new UserError(`npm pack failed in ${this.#folder}; its messages are above.`);
    const tarball = join(output, done.stdout.toString().trim());
    console.log(`${basename(tarball)}: ${(statSync(tarball).size / 1024).toFixed(0)} KiB`);
    return tarball;
  }
}

/** The declaration files of both packages, under the same paths as their sources. */
function writeTypes(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { cmd, env } = bunProcess([compiler, "-p", join(root, "tsconfig.types.json"), "--outDir", folder]);
  const done = Bun.spawnSync(cmd, { env });
  if (!done.success)
    throw new UserError(`The types could not be written: ${done.stdout}${done.stderr}`.trim());
}

const common = {
  version: packageJson.version,
  license: packageJson.license,
  type: "module",
  engines: packageJson.engines,
};

/** What a program on another run time is told, instead of a puzzle about file endings. */
const otherRunTimes = "./needsBun.mjs";

function packToolkit(output: string, own: ReadonlySet<string>, types: string): string {
  const stage = new Stage(output, {
    name: toolkit,
    description: "PyTorch's tensors, autograd, layers and optimizers for TypeScript on Bun, by LibTorch",
    keywords: ["bun", "torch", "libtorch", "pytorch", "tensor", "autograd", "deep-learning"],
    ...common,
    exports: {
      ".": { types: "./types/torch/index.d.ts", bun: "./src/torch/index.ts", default: otherRunTimes },
      "./matchers": {
        types: "./types/torch/testing/matchers.d.ts",
        bun: "./src/torch/testing/matchers.ts",
        default: otherRunTimes,
      },
      "./src/*.ts": { types: "./types/*.d.ts", bun: "./src/*.ts", default: otherRunTimes },
      "./package.json": "./package.json",
    },
    bin: { [toolkit]: "bin/aamTorch.ts" },
    files: ["bin", "docs", "native", "src", "types", "needsBun.mjs", "CHANGELOG.md"],
    dependencies: Object.fromEntries(toolkitLibraries.map((name) => [name, packageJson.dependencies[name]])),
    peerDependencies: { [prebuiltPackage]: packageJson.version },
    peerDependenciesMeta: { [prebuiltPackage]: { optional: true } },
  });
  for (const file of own) stage.copy(join(root, file), file);
  for (const name of allSources()) stage.copy(join(root, "native", name), join("native", name));
  stage.write("native/sources.json", `${JSON.stringify({ hash: hashOfSources() })}\n`);
  stage.copy(join(root, "scripts/aamTorch.ts"), "bin/aamTorch.ts");
  stage.copy(join(root, "packaging/needsBun.mjs"), "needsBun.mjs");
  for (const file of own) {
    const declaration = file.replace(/^src\//, "").replace(/\.ts$/, ".d.ts");
    const from = join(types, declaration);
    if (existsFile(from)) stage.copy(from, join("types", declaration));
  }
  const example = /## Writing models of your own\s+```ts\n([\s\S]*?)```/
    .exec(read("README.md"))?.[1]
    ?.trimEnd();
  if (example === undefined)
    throw new UserError("README.md: expected an example under “Writing models of your own”.");
  const readme = read("packaging/torch.md").replace("EXAMPLE", () =>
    example.replaceAll("aam-bun/torch", toolkit),
  );
  stage.write("README.md", readme);
  for (const page of filesOf("docs/toolkit", "*.md"))
    stage.copy(join(root, page), join("docs", basename(page)));
  return stage.pack();
}

function existsFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function packProduct(output: string, toolkitFiles: ReadonlySet<string>, types: string): string {
  const { bun: _, ...dependencies } = packageJson.dependencies;
  const entry = (name: string) => ({
    types: `./types/${name}.d.ts`,
    bun: `./src/${name}.ts`,
    default: otherRunTimes,
  });
  const stage = new Stage(output, {
    name: packageJson.name,
    description: packageJson.description,
    keywords: ["microbiome", "16s", "unifrac", "bun", "deep-learning"],
    ...common,
    exports: {
      ".": entry("index"),
      "./torch": entry("torch"),
      "./torch/matchers": entry("matchers"),
      "./package.json": "./package.json",
    },
    bin: { aam: "bin/aam.ts" },
    files: ["bin", "models", "src", "types", "needsBun.mjs", "CHANGELOG.md"],
    dependencies: { [toolkit]: packageJson.version, ...dependencies },
  });
  /** The toolkit's files are imported by its name; all else stays where it is. */
  const rewritten = (file: string, text: string) =>
    text.replace(moduleName, (whole, before: string, name: string) => {
      const target = normalize(join(dirname(file), name));
      return toolkitFiles.has(target) ? `${before}"${toolkit}/${target}"` : whole;
    });
  for (const file of filesOf("src", "**/*")) {
    if (toolkitFiles.has(file) || generator.includes(file)) continue;
    if (file.endsWith(".ts")) stage.write(file, rewritten(file, read(file)));
    else stage.copy(join(root, file), file);
    const declaration = file.replace(/^src\//, "").replace(/\.ts$/, ".d.ts");
    const from = join(types, declaration);
    if (file.endsWith(".ts") && existsFile(from)) {
      stage.write(join("types", declaration), rewritten(file, readFileSync(from, "utf8")));
    }
  }
  for (const [name, target] of [
    ["torch", toolkit],
    ["matchers", `${toolkit}/matchers`],
  ]) {
    for (const file of [`src/${name}.ts`, `types/${name}.d.ts`])
      stage.write(file, `export * from "${target}";\n`);
  }
  stage.copy(join(root, "scripts/aam.ts"), "bin/aam.ts");
  for (const file of filesOf("models", "*")) stage.copy(join(root, file), file);
  stage.copy(join(root, "packaging/needsBun.mjs"), "needsBun.mjs");
  stage.copy(join(root, "README.md"), "README.md");
  return stage.pack();
}

function packPrebuilt(output: string): string {
  const { version, libDir } = findLibtorch();
  const library = prebuiltName(version);
  const built = ensureShim();
  if (process.platform === "linux" && readFileSync(built).includes(libDir)) {
    throw new UserError(`${built} names a folder of this machine: delete it and run \`npm run setup\`.`);
  }
  const stage = new Stage(output, {
    name: prebuiltPackage,
    description: `The compiled native part of ${toolkit} for ${process.platform} on ${process.arch}`,
    ...common,
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === "linux" ? { libc: ["glibc"] } : {}),
    files: [library, "CHANGELOG.md"],
  });
  stage.copy(built, library);
  const readme = read("packaging/prebuilt.md")
    .replaceAll("PACKAGE", prebuiltPackage)
    .replace("PLATFORM", `${process.platform} on ${process.arch}`)
    .replace("VERSIONS", `here ${version.replace(/\+.*/, "")}`);
  stage.write("README.md", readme);
  return stage.pack();
}

/** The libraries of all folders, which `--prebuilt` made for one kind of machine, in one package. */
function mergePrebuilt(output: string, folders: readonly string[]): string {
  const manifests = folders.map((folder) => {
    const path = join(resolve(folder), "package.json");
    if (!existsFile(path))
      throw new UserError(`${folder} holds no package.json: give folders that --prebuilt made.`);
    return JSON.parse(readFileSync(path, "utf8")) as { name: string; version: string };
  });
  const [first] = manifests;
  if (
    first === undefined ||
    manifests.some(({ name, version }) => name !== first.name || version !== first.version)
  ) {
    const found = manifests.map(({ name, version }) => `${name}@${version}`).join(", ") || "no folder";
    throw new UserError(`--merge takes folders of one package and version, got ${found}.`);
  }
  const libraries = folders.flatMap((folder) =>
    [...new Bun.Glob("libaam_torch-*").scanSync({ cwd: resolve(folder) })].map((name) => ({
      name,
      from: join(resolve(folder), name),
    })),
  );
  const files = [...new Set(libraries.map(({ name }) => name))].sort();
  const readme = readFileSync(join(resolve(folders[0] ?? ""), "README.md"), "utf8");
  const stage = new Stage(output, { ...first, files: [...files, "CHANGELOG.md"] });
  for (const { name, from } of libraries) stage.copy(from, name);
  const versions = files.map((name) => /-([\d.]+)\.\w+$/.exec(name)?.[1]).join(", ");
  stage.write("README.md", readme.replace(/\(here [\d.]+\)/, `(here ${versions})`));
  return stage.pack();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prebuilt: { type: "boolean", default: false },
    merge: { type: "boolean", default: false },
    output: { type: "string" },
  },
});
const output = resolve(values.output ?? join(root, "build/packages"));
const types = join(output, "declarations");
try {
  mkdirSync(output, { recursive: true });
  if (values.merge) {
    mergePrebuilt(output, positionals);
    process.exit();
  }
  if (positionals.length > 0)
    throw new UserError(`Only --merge takes folders, got ${positionals.join(" ")}.`);
  writeTypes(types);
  const own = importedBy(filesOf("src/torch", "**/*.ts").filter((file) => !generator.includes(file)));
  const outside = [...own].filter((file) => !/^src\/(torch|common|formats)\//.test(file));
  if (outside.length > 0)
    throw new UserError(`The toolkit imports ${outside.join(", ")}, which belong to aam-bun.`);
  const tarballs = [packToolkit(output, own, types), packProduct(output, own, types)];
  if (values.prebuilt) tarballs.push(packPrebuilt(output));
  console.log(`Packed into ${relative(process.cwd(), output) || "."}: ${tarballs.length} packages`);
} catch (cause) {
  console.error(`Error: ${cause instanceof Error ? cause.message : cause}`);
  process.exitCode = 1;
} finally {
  rmSync(types, { recursive: true, force: true });
}
