import { FolderLock } from "../../common/files/folderLock.ts";
import { findCompiler } from "./compiler.ts";
import { searchLibtorch } from "./findLibtorch.ts";
import { findShim, prebuiltFolder } from "./findShim.ts";
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
    const waiting = (pid: number) =>
      console.error(`Waiting for process ${pid}, which is at work in ${buildFolder}`);
    using _lock = await FolderLock.wait(buildFolder, waiting);
    if (!search()) await installOwnTorch();
  }
  const { path, libtorch } = findShim();
  const { version, cuda, source } = libtorch;
  console.error(`LibTorch ${version} (${cuda === null ? "CPU" : `CUDA ${cuda}`}) from ${source}`);
  console.error(`Native part ${path}`);
}
