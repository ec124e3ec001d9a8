import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/common/userError.ts";
import { projectRoot } from "../../src/torch/setup/places.ts";
import { pythonsOnPath } from "../../src/torch/setup/python.ts";
import { Partner } from "./partner.ts";

/** The Python whose PyTorch a benchmark compares with: the project's own environment's, or the first on the PATH. */
function findPython(): string {
  const own = join(projectRoot, ".venv/bin/python");
  const found = existsSync(own) ? own : pythonsOnPath()[0];
  if (!found)
    throw new UserError(
      "There is no Python to compare with: run `bun run setup`, or put one with torch on the PATH.",
    );
  return found;
}

/** Starts lab/python/reference/plain_reference.py in a mode (`ops`, `step` ...). @throws UserError if it cannot start, with what Python said. */
export function startPython(mode: string, config: object, reference?: string): Promise<Partner> {
  const script = join(projectRoot, "lab/python/reference/plain_reference.py");
  const command = [findPython(), script, mode, "--config", JSON.stringify(config)];
  if (reference !== undefined) command.push("--reference", reference);
  return Partner.start("Python", command);
}
