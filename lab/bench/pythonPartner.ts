import { join } from "node:path";
import { needPython } from "../../src/torch/setup/findPython.ts";
import { projectRoot } from "../../src/torch/setup/places.ts";
import { Partner } from "./partner.ts";

/**
 * Starts lab/python/reference/plain_reference.py in a mode (`ops`, `step` ...).
 * @throws UserError if it cannot start, with what Python said.
 */
export function startPython(mode: string, config: object, reference?: string): Promise<Partner> {
  const script = join(projectRoot, "lab/python/reference/plain_reference.py");
  const command = [needPython(["torch"]), script, mode, "--config", JSON.stringify(config)];
  if (reference !== undefined) command.push("--reference", reference);
  return Partner.start("Python", command);
}
