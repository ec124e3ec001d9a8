import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownEnvironment } from "./places.ts";
import { askPython, pythonsOnPath } from "./python.ts";

/** The Pythons that the project may use, in the order of preference: its own environment's, then those on the PATH. */
export function candidatePythons(): string[] {
  const own = join(ownEnvironment, "bin", "python");
  return [...(existsSync(own) ? [own] : []), ...pythonsOnPath()];
}

/** The first of them that has torch; undefined where none has. */
export function pythonWithTorch(): string | undefined {
  return candidatePythons().find((candidate) => askPython(candidate)?.torchFolder);
}
