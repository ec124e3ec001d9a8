/**
 * Brings what the packages do not: LibTorch (where the machine has none that fits), the compiled native part,
 * and the declaration files that other projects read the package's types from.
 */

import { join, resolve } from "node:path";
import { reportError } from "../src/cli/text/reportError.ts";
import { bunProcess } from "../src/common/bunProcess.ts";
import { UserError } from "../src/common/userError.ts";
import { setUp } from "../src/torch/setup/setUp.ts";

/** Other projects would check the sources by their own rules, were these files not there. */
function writeTypes(): void {
  const root = resolve(import.meta.dir, "..");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { cmd, env } = bunProcess([compiler, "-p", join(root, "tsconfig.types.json")]);
  const done = Bun.spawnSync(cmd, { env });
  if (!done.success)
    throw new UserError(`The types could not be written to build/types: ${done.stdout}${done.stderr}`.trim());
}

try {
  await setUp();
  writeTypes();
} catch (error) {
  process.exit(reportError(error));
}
