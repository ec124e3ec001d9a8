import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testDevice } from "../../../lab/material/testDevice.ts";
import * as torch from "../../../src/torch/index.ts";
import { findPython } from "../../../src/torch/setup/findPython.ts";
import { projectRoot } from "../../../src/torch/setup/places.ts";

const python = findPython(["torch"]);

/** Asked without importing torch, which takes seconds. */
const question = `
import importlib.metadata, importlib.util
print(importlib.metadata.version("torch") if importlib.util.find_spec("numpy") else "none")`;

/** Why the comparison cannot run on this machine, or null if it can. */
export function whyNoPython(): string | null {
  if (python === undefined) return "no Python with torch";
  const run = Bun.spawnSync([python, "-c", question], { stdout: "pipe", stderr: "ignore" });
  const theirs = run.stdout.toString().trim();
  if (!run.success || theirs === "none") return `${python} lacks numpy`;
  const ours = torch.buildInfo().libtorch;
  const number = (version: string) => version.split("+")[0];
  return number(theirs) === number(ours) ? null : `Python's torch is ${theirs}, the loaded LibTorch ${ours}`;
}

/** What a script of lab/python/parity prints as JSON. */
export function askPython<Answer>(script: string): Answer {
  const path = join(projectRoot, "lab/python/parity", `${script}.py`);
  const run = Bun.spawnSync([python!, path], { stdout: "pipe", stderr: "pipe" });
  if (!run.success) throw new Error(`${path} failed: ${run.stderr.toString().slice(-2000)}`);
  return JSON.parse(run.stdout.toString()) as Answer;
}

/** Cases that Python drew and computed: their descriptions, and the tensors that these name. */
export interface PythonCases<Case> {
  readonly cases: readonly Case[];
  readonly tensors: ReadonlyMap<string, torch.Tensor>;
}

/**
 * Has Python write a group of cases (lab/python/parity/README.md) and reads them.
 * AAM_PARITY_SEED draws others.
 */
export function drawCases<Case>(group: "operators" | "layers" | "optimizers"): PythonCases<Case> {
  const folder = mkdtempSync(join(tmpdir(), "aam-parity-"));
  try {
    const seed = process.env["AAM_PARITY_SEED"] ?? "0";
    const script = join(projectRoot, "lab/python/parity", `${group}.py`);
    const run = Bun.spawnSync([python!, script, folder, "--seed", seed], {
      stdout: "ignore",
      stderr: "pipe",
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    if (!run.success) throw new Error(`${script} failed: ${run.stderr.toString().slice(-2000)}`);
    const { cases, device } = JSON.parse(readFileSync(join(folder, `${group}.json`), "utf8"));
    if (testDevice !== "cpu") console.log(`${group}: Python computed on ${device}, here on ${testDevice}`);
    const mapped = torch.loadSafetensors(join(folder, `${group}.safetensors`)).tensors;
    // Storages of their own, as in Python: to `as_strided` a view of the whole file would be another tensor.
    const tensors = new Map(
      [...mapped].map(([key, tensor]) => {
        const own = tensor.clone().to(testDevice);
        return [key, key.endsWith("#complex") ? torch.viewAsComplex(own) : own] as const;
      }),
    );
    return { cases, tensors };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
