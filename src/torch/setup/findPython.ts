import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../common/userError.ts";
import { ownEnvironment } from "./places.ts";
import { pythonsOnPath } from "./python.ts";

/**
 * The Pythons that the project may use, in the order of preference: its own
 * environment's, then those on the PATH.
 */
function candidatePythons(): string[] {
  const own = join(ownEnvironment, "bin", "python");
  return [...(existsSync(own) ? [own] : []), ...pythonsOnPath()];
}

function hasModules(python: string, modules: readonly string[]): boolean {
  const question = `import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ${JSON.stringify(modules)})))`;
  try {
    const env = { ...process.env, PYTHONSAFEPATH: "1" };
    const options = { cwd: tmpdir(), stdout: "ignore", stderr: "ignore", timeout: 20_000, env } as const;
    return Bun.spawnSync([python, "-c", question], options).exitCode === 0;
  } catch {
    return false;
  }
}

/**
 * A Python that has some modules: the one that is asked for, or the first that the project may use;
 * undefined where none has.
 * @throws UserError if the one that is asked for lacks one.
 */
export function findPython(modules: readonly string[], asked?: string): string | undefined {
  const found = (asked === undefined ? candidatePythons() : [asked]).find((one) => hasModules(one, modules));
  if (found === undefined && asked !== undefined)
    throw new UserError(
      `${asked} is no Python that has ${modules.join(" and ")}; name another with --python.`,
    );
  return found;
}

/** `findPython` for what cannot do without. @throws UserError where there is none. */
export function needPython(modules: readonly string[], asked?: string): string {
  const found = findPython(modules, asked);
  if (found === undefined)
    throw new UserError(
      `No Python with ${modules.join(" and ")} was found (looked at ${candidatePythons().join(", ") || "nothing"}); ` +
        "run `bun run setup`, put one on the PATH, or name one with --python where the command has it.",
    );
  return found;
}
