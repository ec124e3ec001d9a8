/** Brings what the packages do not: LibTorch (where the machine has none that fits) and the compiled native part. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { reportError } from "../src/cli/reportError.ts";
import { describeWriteError } from "../src/common/atomicFile.ts";
import { ensureShim } from "../src/torch/native/build.ts";
import { withLock } from "../src/torch/native/buildLock.ts";
import { findCompiler } from "../src/torch/native/compiler.ts";
import { buildFolder, findLibtorch, searchLibtorch } from "../src/torch/native/libtorch.ts";
import { installOwnTorch } from "../src/torch/native/ownTorch.ts";

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

try {
  if (!searchLibtorch().libtorch) {
    // Before the long download: without a compiler it would be in vain.
    findCompiler();
    await bringLibtorch();
  }
  const { version, cuda, source } = findLibtorch();
  ensureShim();
  console.error(`LibTorch ${version} (${cuda === null ? "CPU" : `CUDA ${cuda}`}) from ${source}`);
} catch (error) {
  process.exit(reportError(error));
}
