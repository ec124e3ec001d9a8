import { existsSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { isFile } from "../../common/files/inputFile.ts";

/** What one run of a Python tells about where it would find torch. */
export interface PythonReport {
  readonly executable: string;
  /** Such as `3.11.7`. */
  readonly version: string;
  /** The folder of the torch package; null where `import torch` would fail. */
  readonly torchFolder: string | null;
  /** The folders that Python searches, whose changes make this report stale. */
  readonly searchFolders: string[];
}

/** Every distinct `python3` and `python` on the PATH, in its order. */
export function pythonsOnPath(path: string = process.env["PATH"] ?? ""): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  for (const folder of path.split(delimiter)) {
    for (const name of ["python3", "python"]) {
      const candidate = join(folder, name);
      if (!folder || !isFile(candidate)) continue;
      // A virtual environment's python is a link to its parent's: the folder tells them
      // apart, the target does not.
      const identity = existsSync(join(folder, "../pyvenv.cfg")) ? folder : realpathSync(candidate);
      if (seen.has(identity) || seen.has(realpathSync(folder))) continue;
      seen.add(identity);
      seen.add(realpathSync(folder));
      found.push(candidate);
    }
  }
  return found;
}

const question = `
import importlib.util, json, os, sys
spec = importlib.util.find_spec("torch")
where = spec.submodule_search_locations if spec else None
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "torchFolder": list(where)[0] if where else None,
    "searchFolders": [p for p in sys.path if p and os.path.isdir(p)],
}))`;

/**
 * Asks a Python where torch lies, without importing it (one short process). Undefined when it does not
 * answer: not a Python 3, or a stand-in that only asks the user to install one.
 */
export function askPython(executable: string): PythonReport | undefined {
  const run = Bun.spawnSync([executable, "-c", question], {
    cwd: tmpdir(),
    stdout: "pipe",
    stderr: "ignore",
    timeout: 20_000,
    env: { ...process.env, PYTHONSAFEPATH: "1" },
  });
  if (!run.success) return undefined;
  try {
    return { executable, ...(JSON.parse(run.stdout.toString()) as Omit<PythonReport, "executable">) };
  } catch {
    return undefined;
  }
}
