import { join } from "node:path";
import { findPython } from "../../src/torch/setup/findPython.ts";

/** Any Python; tests that need one skip themselves where there is none. */
export const python = findPython(["zipfile"]);

export interface CheckedArtifact {
  readonly type: string;
  readonly format: string;
  /** UUIDs of the artifacts that it was made from. */
  readonly inputs: readonly string[];
  /** The text of `action.yaml`. */
  readonly action: string;
  /** Of all files below the root folder but the checksums. */
  readonly names: readonly string[];
  /** The texts below `data/`. */
  readonly data: Readonly<Record<string, string>>;
}

/** Opens an artifact with Python's zipfile and makes the checks that QIIME 2's framework makes. */
export function checkArtifact(path: string): CheckedArtifact {
  const { exitCode, stdout, stderr } = Bun.spawnSync([
    python!,
    join(import.meta.dir, "checkArtifact.py"),
    path,
  ]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}
