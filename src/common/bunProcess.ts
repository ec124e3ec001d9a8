import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { UserError } from "./userError.ts";

/**
 * How many of our processes may have started each other in a row. A `bench` that
 * trains and builds takes three.
 */
const deepest = 4;
const depthVariable = "AAM_PROCESS_DEPTH";

export interface BunProcess {
  readonly cmd: string[];
  readonly env: Record<string, string | undefined>;
}

/**
 * The command line and the environment that run a script of ours (or `-e` and a program, or `test` and a
 * file) as another process. Nothing else may start `process.execPath`: in a program made by
 * `bun build --compile` that is the program itself, which would start itself again without end. `BUN_BE_BUN`
 * makes such a program behave as plain Bun, a script that is no file is refused, and a count in the
 * environment ends whatever chain should still come about.
 *
 * @throws UserError if the script is no file (it is part of a bundle), or the chain of processes is too long.
 * @example Bun.spawnSync({ ...bunProcess([join(import.meta.dir, "probe.ts")]), stdout: "pipe" });
 */
export function bunProcess(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): BunProcess {
  const [script = ""] = args;
  if (script.startsWith("/$bunfs/") || (isAbsolute(script) && !existsSync(script))) {
    throw new UserError(
      `${script} is not there to be run as a process of its own: a bundled program can't do this; run it from its sources.`,
    );
  }
  const depth = Number(process.env[depthVariable] ?? 0);
  if (!(depth < deepest)) {
    throw new UserError(
      `${depth} processes have started each other in a row, and ${script} would be one more: this is a mistake in the ` +
        `program. (Unset ${depthVariable} if it was set by hand.)`,
    );
  }
  const own: BunProcess["env"] = { ...process.env, ...env, [depthVariable]: String(depth + 1) };
  if (Bun.isStandaloneExecutable) own["BUN_BE_BUN"] = "1";
  return { cmd: [process.execPath, ...args], env: own };
}
