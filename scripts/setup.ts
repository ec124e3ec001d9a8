/**
 * Brings what the packages do not: LibTorch (where the machine has none that fits), the compiled native part, and the declaration
 * files that other projects read the package's types from.
 */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { reportError } from "../src/cli/text/reportError.ts";
import { bunProcess } from "../src/common/bunProcess.ts";
import { describeWriteError } from "../src/common/files/atomicFile.ts";
import { UserError } from "../src/common/userError.ts";
import { ensureShim } from "../src/torch/setup/build.ts";
import { withLock } from "../src/torch/setup/buildLock.ts";
import { findCompiler } from "../src/torch/setup/compiler.ts";
import { buildFolder, findLibtorch, searchLibtorch } from "../src/torch/setup/libtorch.ts";
import { installOwnTorch } from "../src/torch/setup/ownTorch.ts";

async function bringLibtorch(): Promise<void> {
  try {
    mkdirSync(buildFolder, { recursive: true });
  } catch (cause) {
    throw describeWriteError(buildFolder, cause);
  }
  const waiting = (pid: number) => console.error(`Waiting for process ${pid}, which is installing LibTorch`);
  await withLock(join(buildFolder, "torch.lock"), waiting, async () => {
    if (!searchLibtorch().libtorch) await installOwnTorch();
  });
}

/** Quick when nothing has changed. Other projects would check the sources by their own rules, were these files not there. */
function writeTypes(): void {
  const root = resolve(import.meta.dir, "..");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { cmd, env } = bunProcess([compiler, "-p", join(root, "tsconfig.types.json")]);
  const done = Bun.spawnSync(cmd, { env });
  if (!done.success)
    throw new UserError(`The types could not be written to build/types: ${done.stdout}${done.stderr}`.trim());
}

try {
  if (!searchLibtorch().libtorch) {
    // Before the long download: without a compiler it would be in vain.
    findCompiler();
    await bringLibtorch();
  }
  const { version, cuda, source } = findLibtorch();
  ensureShim();
  writeTypes();
  console.error(`LibTorch ${version} (${cuda === null ? "CPU" : `CUDA ${cuda}`}) from ${source}`);
} catch (error) {
  process.exit(reportError(error));
}
