/**
 * Imports point down: between layers, between the rooms of a layer, and nowhere in a circle, types included.
 */
import { expect, test } from "bun:test";
import { basename, dirname, join, normalize } from "node:path";
import { projectFiles, readProjectText } from "../helpers/projectFiles.ts";

/** What each layer may import, besides itself. ARCHITECTURE.md says why. */
const allowed: Record<string, readonly string[]> = {
  common: [],
  formats: ["common"],
  metrics: ["common"],
  display: ["common", "formats", "metrics"],
  torch: ["common", "formats"],
  data: ["common", "formats", "torch"],
  models: ["common", "torch"],
  training: ["common", "formats", "torch", "data", "models", "metrics", "display"],
  reference: ["common", "formats", "torch", "data", "models", "metrics", "training"],
  cli: ["common", "formats", "torch", "data", "models", "metrics", "display", "training", "reference"],
};

/**
 * The rooms of each layer, from the bottom up: each may import those to its left. A dot
 * is the layer's own folder.
 */
const rooms: Record<string, string> = {
  common: ". random files",
  formats: "arrow hdf5 npy pickle zip tensorboard . qiime2",
  metrics: ".",
  display: ". terminal tensorboard plots page/browser page",
  torch:
    "setup native core dispatch functions machine autograd distributions distributed/ranks nn/functional nn/base func profiler jit inductor vision nn/layers nn/normalization nn/convolution nn/utils " +
    "nn/pooling nn/recurrent nn/loss nn/transformer nn/parallel nn io hub optim/schedules optim distributed/optim distributed utils/data utils testing . tools",
  data: ". sequences metadata taxonomy tree table split simulate distances unifrac statistics dataset encoding batches prepare describe",
  models: "words embeddings .",
  training:
    "config ranks encoding loop objectives targets run inference baselines baselines/treeFree contributions tasks predictors folds search report",
  reference: ". parity convert",
  cli: "options text commands .",
};

/** What each part of the repository may import; nothing imports tests but tests. */
const parts: Record<string, readonly string[]> = {
  src: ["src"],
  lab: ["src", "lab"],
  debug: ["src", "lab", "debug"],
  scripts: ["src", "lab", "scripts"],
};

/** The most files in one folder of src. */
const fullRoom = 25;

const transpiler = new Bun.Transpiler({ loader: "ts" });

/**
 * The modules that a file names: imports of values (as the compiler sees them) and of
 * types, also `import("...")`.
 */
function importsOf(text: string): string[] {
  const code = text.replace(/^#!.*/, "");
  const typeImports = [
    ...code.matchAll(/^\s*(?:import|export)\b[^;]*?from "([^"]+)"|\bimport\("([^"]+)"\)/gms),
  ];
  const values = transpiler.scanImports(code).map(({ path }) => path);
  return [...new Set([...values, ...typeImports.map(([, from, inline]) => from ?? inline ?? "")])];
}

/** The project's files that `file` (with `text`) imports. */
const targetsOf = (file: string, text: string): string[] =>
  importsOf(text)
    .filter((path) => path.startsWith("."))
    .map((path) => normalize(join(dirname(file), path)));

/** The layer and the room of a file of src. */
function placeOf(file: string): { layer: string; room: string } {
  const [, layer = "", ...rest] = dirname(file).split("/");
  return { layer, room: rest.join("/") || "." };
}

/** They tell the version and the hash of the native sources. */
const facts = ["package.json", "native/sources.json"];

/** Whether a file of src may import another. */
function mayImport(file: string, target: string): boolean {
  if (facts.includes(target)) return true;
  const [from, to] = [placeOf(file), placeOf(target)];
  if (to.layer !== from.layer) return (allowed[from.layer] ?? []).includes(to.layer);
  const order = (rooms[from.layer] ?? "").split(" ");
  return order.includes(to.room) && order.indexOf(to.room) <= order.indexOf(from.room);
}

/** Imports of `file` (with `text`) that the order of layers and rooms, or the repository's parts, forbid. */
function wrongImports(file: string, text: string): string[] {
  const [part = ""] = file.split("/");
  return targetsOf(file, text)
    .filter((target) => {
      const [targetPart = ""] = target.split("/");
      if (part === "src" && dirname(file) !== "src" && (targetPart === "src" || facts.includes(target)))
        return !mayImport(file, target);
      // What lies beside the parts (package.json, train.ts) belongs to all of them but src.
      if (part !== "src" && !target.includes("/")) return target.startsWith("..");
      return !(parts[part] ?? []).includes(targetPart);
    })
    .map((target) => `${file} imports ${target}`);
}

/** The circles of a graph, each with all of its members. */
function circlesOf(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reachable = new Map<string, Set<string>>();
  for (const start of graph.keys()) {
    const seen = new Set<string>();
    const waiting = [...(graph.get(start) ?? [])];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      waiting.push(...(graph.get(next) ?? []));
    }
    reachable.set(start, seen);
  }
  const circles = [...graph.keys()].map((name) =>
    [...graph.keys()]
      .filter((other) => reachable.get(name)?.has(other) && reachable.get(other)?.has(name))
      .sort(),
  );
  return [...new Map(circles.filter((all) => all.length > 0).map((all) => [all.join(" "), all])).values()];
}

/** Which files, or with `dirname` which folders, import which. */
function graphOf(files: readonly string[], nameOf: (file: string) => string): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const file of files) {
    const name = nameOf(file);
    const arrows = graph.get(name) ?? new Set();
    graph.set(name, arrows);
    for (const target of targetsOf(file, readProjectText(file) ?? "").map(nameOf))
      if (target !== name) arrows.add(target);
  }
  return graph;
}

const files = projectFiles().filter((name) => /^(src|lab|debug|scripts)\/.*\.ts$/.test(name));
const sources = files.filter((name) => name.startsWith("src/"));

test("imports point only down the layers and their rooms, and never to tests", () => {
  expect(sources.length).toBeGreaterThan(20);
  expect(files.flatMap((name) => wrongImports(name, readProjectText(name) ?? ""))).toEqual([]);
});

test("every folder of src has its place in the order, and the order names no other", () => {
  const there = new Set(sources.filter((name) => dirname(name) !== "src").map((name) => dirname(name)));
  const named = Object.entries(rooms).flatMap(([layer, order]) =>
    order.split(" ").map((room) => normalize(join("src", layer, room)).replace(/\/$/, "")),
  );
  expect(Object.keys(rooms)).toEqual(Object.keys(allowed));
  expect([...there].sort()).toEqual(named.filter((folder) => there.has(folder)).sort());
  const empty = named.filter((folder) => !there.has(folder));
  expect(empty).toEqual([]);
});

test("no files and no folders import each other in a circle", () => {
  expect(circlesOf(graphOf(files, (file) => file))).toEqual([]);
  expect(circlesOf(graphOf(files, dirname))).toEqual([]);
});

test(`no folder of src has more than ${fullRoom} files`, () => {
  const counts = Map.groupBy(sources, dirname);
  const full = [...counts].filter(([, members]) => members.length > fullRoom);
  expect(full.map(([folder, members]) => `${folder}: ${members.map((name) => basename(name))}`)).toEqual([]);
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
  expect(wrongImports("src/data/tree/x.ts", 'type A = import("../prepare/a.ts").A;\n')).toHaveLength(1);
  expect(wrongImports("lab/x.ts", 'import "../tests/a.ts";\nimport "../../a.ts";\n')).toHaveLength(2);
});

test("the check sees circles of two and of three", () => {
  const graph = new Map([
    ["a", new Set(["b", "d"])],
    ["b", new Set(["c"])],
    ["c", new Set(["a"])],
    ["d", new Set(["e"])],
    ["e", new Set(["d", "f"])],
    ["f", new Set<string>()],
  ]);
  expect(circlesOf(graph)).toEqual([
    ["a", "b", "c"],
    ["d", "e"],
  ]);
});
