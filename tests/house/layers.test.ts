import { expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";
import { projectFiles, readProjectText } from "../helpers/projectFiles.ts";

/** What each layer may import, besides itself. ARCHITECTURE.md says why. */
const allowed: Record<string, readonly string[]> = {
  common: [],
  formats: ["common"],
  metrics: ["common"],
  display: ["common", "metrics"],
  torch: ["common", "formats"],
  data: ["common", "formats", "torch"],
  models: ["common", "torch"],
  training: ["common", "formats", "torch", "data", "models", "metrics", "display"],
  reference: ["common", "formats", "torch", "data", "models", "metrics", "training"],
  cli: ["common", "formats", "torch", "data", "models", "metrics", "display", "training", "reference"],
};

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** The modules that a file names: imports of values (as the compiler sees them) and of types. */
function importsOf(text: string): string[] {
  const typeImports = [...text.matchAll(/^\s*(?:import|export) type\b[^;]*?from "([^"]+)"/gms)].map(
    (match) => match[1],
  );
  return [...transpiler.scanImports(text).map(({ path }) => path), ...typeImports.map((path) => path ?? "")];
}

/** Imports of `file` (with `text`) that the order of layers forbids. */
function wrongImports(file: string, text: string): string[] {
  const layer = file.split("/")[1] ?? "";
  return importsOf(text)
    .filter((path) => path.startsWith("."))
    .map((path) => normalize(join(dirname(file), path)))
    .filter((target) => {
      // package.json tells the version; everything else outside src is not for src.
      if (!target.startsWith("src/")) return target !== "package.json";
      const targetLayer = target.split("/")[1] ?? "";
      return targetLayer !== layer && !(allowed[layer] ?? []).includes(targetLayer);
    })
    .map((target) => `${file} imports ${target}`);
}

test("imports point only down the layers", () => {
  const files = projectFiles().filter((name) => /^src\/[^/]+\/.*\.ts$/.test(name));
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((name) => !((name.split("/")[1] ?? "") in allowed))).toEqual([]);
  expect(files.flatMap((name) => wrongImports(name, readProjectText(name) ?? ""))).toEqual([]);
});

test("the check sees imports of values and of types, also over several lines", () => {
  const text =
    'import { a } from "../models/a.ts";\nimport type {\n  B,\n} from "../cli/b.ts";\na(0 as B);\n';
  expect(wrongImports("src/torch/x.ts", text)).toEqual([
    "src/torch/x.ts imports src/models/a.ts",
    "src/torch/x.ts imports src/cli/b.ts",
  ]);
  expect(wrongImports("src/training/x.ts", text)).toEqual(["src/training/x.ts imports src/cli/b.ts"]);
  expect(wrongImports("src/cli/x.ts", text)).toEqual([]);
});
