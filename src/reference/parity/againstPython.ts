import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import type * as torch from "../../torch/index.ts";
import { needPython } from "../../torch/setup/findPython.ts";
import { projectRoot } from "../../torch/setup/places.ts";
import { type CaseResult, runCaseFolder } from "./runCase.ts";

const script = "lab/python/parity/block_cases.py";

export interface AgainstPythonOptions {
  /** Default: the first of the project's own Python and those on the PATH that has torch. */
  readonly python?: string;
  /** Another seed draws other weights, inputs and models. Default 0. */
  readonly seed?: number;
  /** Where ours computes; Python computes on the CPU. Default `cpu`. */
  readonly device?: torch.Device;
  /** Random whole models besides the blocks. Default 40. */
  readonly models?: number;
}

/**
 * Lets Python draw blocks and whole models, compute them from `torch.nn` parts in float32 and float64,
 * forward and backward, and runs the same here. `onResult` is told each result as it comes.
 * @throws UserError if no Python has torch.
 */
export function runAgainstPython(
  options: AgainstPythonOptions,
  onResult: (result: CaseResult) => void,
): CaseResult[] {
  const python = needPython(["torch"], options.python);
  const folder = mkdtempSync(join(tmpdir(), "aam-parity-"));
  try {
    const { seed = 0, models = 40 } = options;
    const command = [python, join(projectRoot, script), folder, "--seed", `${seed}`, "--models", `${models}`];
    const run = Bun.spawnSync(command, { cwd: projectRoot, stdout: "ignore", stderr: "pipe" });
    if (!run.success) {
      const said = run.stderr.toString().trim().split("\n").at(-1);
      throw new UserError(`${python} ${script} failed: ${said || `it ended with ${run.exitCode}`}.`);
    }
    return readdirSync(folder)
      .sort()
      .flatMap((name) =>
        readdirSync(join(folder, name))
          .sort()
          .map((dtype) => [name, dtype] as const),
      )
      .map(([name, dtype]) => {
        const result = {
          ...runCaseFolder(join(folder, name, dtype), options.device),
          name: `${name} ${dtype}`,
        };
        onResult(result);
        return result;
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
