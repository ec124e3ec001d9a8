import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../helpers/projectFiles.ts";
import { bunInitOptions } from "../package/stranger.ts";
import { snippetsOf } from "./snippets.ts";

const toolkitPages = readdirSync(join(projectRoot, "docs/toolkit")).map((name) => `docs/toolkit/${name}`);
const snippets = ["README.md", "docs/from-pytorch.md", ...toolkitPages].flatMap(snippetsOf);
const checks = snippets.flatMap((snippet) => snippet.checks);
let folder: string;

/** The blocks as modules in a folder of their own, where `aam-bun/torch` means this project. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "aam-snippets-"));
  for (const { file, source } of snippets) writeFileSync(join(folder, file), source);
  const settings = {
    extends: join(projectRoot, "tsconfig.json"),
    compilerOptions: {
      noUnusedLocals: false,
      typeRoots: [join(projectRoot, "node_modules")],
      paths: {
        "aam-bun/torch": [join(projectRoot, "src/torch/index.ts")],
        "aam-torch": [join(projectRoot, "src/torch/index.ts")],
        "aam-torch/matchers": [join(projectRoot, "src/torch/testing/matchers.ts")],
        "snippet-checks": [join(import.meta.dir, "snippetChecks.ts")],
      },
    },
    include: ["*.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(command: string[]): Promise<string> {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
    env,
  });
  const [text, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return code === 0 ? "" : `${text}${errors}exit ${code}`;
}

test("the pages' TypeScript runs and gives the values that its comments say", async () => {
  expect(checks.length).toBeGreaterThan(100);
  const files = snippets.filter((snippet) => !snippet.isNamed).map((snippet) => snippet.file);
  expect(await run([join(import.meta.dir, "runSnippets.ts"), ...files])).toBe("");
  const { failures, reached } = JSON.parse(readFileSync(join(folder, "results.json"), "utf8"));
  expect(failures).toEqual([]);
  // A check within a loop or a callback that never runs would prove nothing.
  expect(checks.filter((place) => !reached.includes(place))).toEqual([]);
}, 60_000);

test("the pages' TypeScript has no type errors under what `bun init` writes and every strict flag, by the declaration files", async () => {
  const compiler = join(projectRoot, "node_modules/typescript/bin/tsc");
  const declarations = join(folder, "declarations");
  const types = join(projectRoot, "tsconfig.types.json");
  expect(await run([compiler, "--project", types, "--outDir", declarations])).toBe("");
  const strict = {
    ...bunInitOptions,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noPropertyAccessFromIndexSignature: true,
    noImplicitReturns: true,
    noUncheckedSideEffectImports: true,
    allowUnreachableCode: false,
    allowUnusedLabels: false,
    isolatedModules: true,
    types: ["bun-types"],
    typeRoots: [join(projectRoot, "node_modules")],
    paths: {
      "aam-bun/torch": [join(declarations, "torch/index.d.ts")],
      "aam-torch": [join(declarations, "torch/index.d.ts")],
      "aam-torch/matchers": [join(declarations, "torch/testing/matchers.d.ts")],
      "snippet-checks": [join(folder, "checks.d.ts")],
    },
  };
  // The checks' own source is not written for these flags.
  writeFileSync(
    join(folder, "checks.d.ts"),
    "export function expectValue(actual: unknown, expected: unknown, place: string): void;\n" +
      "export function expectThrow(run: () => unknown, text: string, place: string): void;\n",
  );
  writeFileSync(
    join(folder, "tsconfig.strict.json"),
    JSON.stringify({ compilerOptions: strict, include: ["*.ts"] }),
  );
  expect(await run([compiler, "--project", join(folder, "tsconfig.strict.json")])).toBe("");
}, 120_000);
