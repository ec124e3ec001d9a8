import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describeWriteError } from "../../common/files/atomicFile.ts";
import { withLock } from "./buildLock.ts";
import { findCompiler } from "./compiler.ts";
import { findShim, prebuiltFolder } from "./findShim.ts";
import { searchLibtorch } from "./libtorch.ts";
import { installOwnTorch } from "./ownTorch.ts";
import { buildFolder } from "./places.ts";

/**
 * Brings LibTorch (where the machine has none that fits) and the compiled native part (where none is
 * brought). Progress goes to standard error.
 * @throws UserError that says what is missing, with its cure.
 */
export async function setUp(): Promise<void> {
  const needsHeaders = !process.env["AAM_TORCH_SHIM"] && prebuiltFolder() === undefined;
  const search = () => searchLibtorch({ needsHeaders }).libtorch;
  if (!search()) {
    // Before the long download: without a compiler it would be in vain.
    if (needsHeaders) findCompiler();
    try {
      mkdirSync(buildFolder, { recursive: true });
    } catch (cause) {
      throw describeWriteError(buildFolder, cause);
    }
    const waiting = (pid: number) =>
      console.error(`Waiting for process ${pid}, which is installing LibTorch`);
    await withLock(join(buildFolder, "torch.lock"), waiting, async () => {
      if (!search()) await installOwnTorch();
    });
  }
  const { path, libtorch } = findShim();
  const { version, cuda, source } = libtorch;
  console.error(`LibTorch ${version} (${cuda === null ? "CPU" : `CUDA ${cuda}`}) from ${source}`);
  console.error(`Native part ${path}`);
}
