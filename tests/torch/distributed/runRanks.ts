import { join } from "node:path";
import { bunProcess } from "../../../src/common/bunProcess.ts";

const launcher = join(import.meta.dir, "../../../scripts/ranks.ts");

/** Runs a program as so many ranks, for less than a test may take. */
export function runRanks(ranks: number, ...args: string[]) {
  const run = Bun.spawnSync({
    ...bunProcess([launcher, String(ranks), ...args]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: 110_000,
  });
  return { code: run.exitCode, out: run.stdout.toString(), err: run.stderr.toString() };
}
