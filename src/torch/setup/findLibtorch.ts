import { mkdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { acceptedVersions, type Inspection, inspectLibtorchFolder, type Libtorch } from "./libtorchFolder.ts";
import { buildFolder, commandNames, ownEnvironment } from "./places.ts";
import { askPython, pythonsOnPath } from "./python.ts";

export type { Libtorch } from "./libtorchFolder.ts";

const cacheFile = join(buildFolder, "libtorch.json");

const byVariable = "the LIBTORCH variable";

/** What is looked for. */
export interface LibtorchWish {
  /** False where nothing is to be built: the libraries alone do then. */
  readonly needsHeaders: boolean;
}

/** The outcome of a search: what serves (the first that fits), and every place that was looked at. */
export interface LibtorchSearch {
  readonly libtorch?: Libtorch;
  readonly tried: Inspection[];
}

interface CachedSearch {
  readonly key: string;
  /** Modification times (null: absent) of all that the outcome rests on. */
  readonly stamps: Record<string, number | null>;
  readonly search: LibtorchSearch;
}

function stampOf(path: string): number | null {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return null;
  }
}

/** What the outcome depends on besides files. */
function searchKey(pythons: string[], { needsHeaders }: LibtorchWish): string {
  const given = process.env["LIBTORCH"];
  const variables = ["PYTHONPATH", "PYTHONHOME", "PYENV_VERSION", "PYENV_ROOT"];
  return JSON.stringify([
    needsHeaders,
    given ? resolve(given) : null,
    pythons,
    variables.map((name) => process.env[name] ?? null),
  ]);
}

function readCache(key: string): LibtorchSearch | undefined {
  try {
    const cached = JSON.parse(readFileSync(cacheFile, "utf8")) as CachedSearch;
    const fresh =
      cached.key === key && Object.entries(cached.stamps).every(([path, stamp]) => stampOf(path) === stamp);
    return fresh ? cached.search : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Where the Python of the project's own environment keeps torch (no Python is run for it). pip writes RECORD
 * last, so an installation that was interrupted does not count.
 */
function ownTorchFolders(): string[] {
  if (stampOf(ownEnvironment) === null) return [];
  const records = new Bun.Glob("lib/python*/site-packages/torch-*.dist-info/RECORD").scanSync({
    cwd: ownEnvironment,
  });
  return [...records].map((file) => join(ownEnvironment, dirname(dirname(file)), "torch"));
}

function searchAfresh(
  pythons: string[],
  { needsHeaders }: LibtorchWish,
): { search: LibtorchSearch; watched: string[] } {
  const tried: Inspection[] = [];
  const watched: string[] = [];
  const accept = (inspection: Inspection): boolean => {
    tried.push(inspection);
    const { path } = inspection;
    watched.push(
      path,
      join(path, "version.py"),
      join(path, "build-version"),
      join(path, "include"),
      join(path, "lib"),
    );
    return inspection.libtorch !== undefined;
  };
  const outcome = () => ({ search: { libtorch: tried.at(-1)?.libtorch, tried }, watched });

  const inspect = (path: string, source: string) => inspectLibtorchFolder(path, source, { needsHeaders });
  const variable = process.env["LIBTORCH"];
  if (variable && accept(inspect(resolve(variable), byVariable))) return outcome();
  for (const python of pythons) {
    const report = askPython(python);
    watched.push(python, join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "version"));
    if (report === undefined) {
      tried.push({ path: python, verdict: "this Python does not run" });
      continue;
    }
    watched.push(...report.searchFolders);
    if (report.torchFolder === null) {
      tried.push({ path: python, verdict: `Python ${report.version} cannot import torch` });
    } else if (accept(inspect(report.torchFolder, `the Python on the PATH (${python})`))) {
      return outcome();
    }
  }
  watched.push(ownEnvironment, join(ownEnvironment, "lib"));
  const own = ownTorchFolders();
  for (const folder of own) {
    watched.push(dirname(folder));
    if (accept(inspect(folder, "the environment that the set-up made"))) return outcome();
  }
  if (own.length === 0) {
    const there = stampOf(ownEnvironment) !== null;
    tried.push({ path: ownEnvironment, verdict: there ? "has no torch in it" : "not made yet" });
  }
  return { search: { tried }, watched };
}

/**
 * Looks for LibTorch: the folder named by the variable LIBTORCH, then each Python on the PATH that can import
 * torch, then the environment that the set-up makes. The outcome is kept beside the shim and reused while
 * nothing that it rests on has changed, so that a start runs no Python.
 */
export function searchLibtorch(wish: LibtorchWish = { needsHeaders: true }): LibtorchSearch {
  const pythons = pythonsOnPath();
  const key = searchKey(pythons, wish);
  const cached = readCache(key);
  if (cached) return cached;
  const { search, watched } = searchAfresh(pythons, wish);
  // What the variable names is found as quickly without the cache.
  if (search.libtorch && search.libtorch.source !== byVariable) {
    const stamps = Object.fromEntries(watched.map((path) => [path, stampOf(path)]));
    try {
      mkdirSync(buildFolder, { recursive: true });
      writeFileAtomic(cacheFile, JSON.stringify({ key, stamps, search } satisfies CachedSearch, null, 1));
    } catch {
      // Without the cache the next start searches again; that is slower, not wrong.
    }
  }
  return search;
}

/** One line for each place that was looked at. */
export function describeSearch(search: LibtorchSearch): string {
  const given = process.env["LIBTORCH"];
  const place = (path: string) => (given && resolve(given) === path ? `LIBTORCH, ${path}` : path);
  return search.tried.map(({ path, verdict }) => `  ${place(path)}: ${verdict}`).join("\n");
}

let toldOfVariable = false;

/** The LibTorch to use. @throws UserError that lists every path tried, its verdict and the cure. */
export function findLibtorch(wish?: LibtorchWish): Libtorch {
  const search = searchLibtorch(wish);
  const { libtorch } = search;
  if (libtorch) {
    const [first] = search.tried;
    if (process.env["LIBTORCH"] && first && !first.libtorch && !toldOfVariable) {
      toldOfVariable = true;
      console.error(`LIBTORCH is passed over (${first.path}: ${first.verdict}); using ${libtorch.root}`);
    }
    return libtorch;
  }
  throw new UserError(
    `No LibTorch ${acceptedVersions} was found. Looked at:\n${describeSearch(search)}\n` +
      `Run \`${commandNames.setup}\`, which brings one, or ${process.env["LIBTORCH"] ? "correct LIBTORCH" : "set LIBTORCH"}: it names ` +
      "the folder of one, which holds include and lib.",
  );
}
