import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describeWriteError, makeFolder } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { findShim } from "../setup/findShim.ts";
import { sharedLibraryName } from "../setup/libtorchFolder.ts";

/** Libraries of LibTorch's that only Python, its tests or its compiler load. */
const unneeded = /python|test|aoti|backend_with_compiler|shm/;

/**
 * Copies what a program needs at run time into a folder: the native part, and LibTorch's libraries without
 * its headers. Another machine of the same kind then needs no Python, no compiler and no set-up.
 *
 * @returns the environment variables that the program is to be started with there.
 * @throws UserError for a LibTorch for CUDA, whose libraries from NVIDIA lie in packages of their own, and
 *   for a folder that cannot be written.
 */
export function copyRuntime(folder: string): Record<"AAM_TORCH_SHIM" | "LIBTORCH", string> {
  const { path, libtorch } = findShim();
  if (libtorch.cuda !== null) {
    throw new UserError(
      `LibTorch ${libtorch.version} is for CUDA ${libtorch.cuda} and needs NVIDIA's libraries, which this does not copy: ` +
        "bring the whole Python environment that holds it, and set LIBTORCH to its torch folder there.",
    );
  }
  const shim = join(resolve(folder), sharedLibraryName("aam_torch"));
  const root = join(resolve(folder), "torch");
  makeFolder(join(root, "lib"));
  const copy = (from: string, to: string) => {
    try {
      copyFileSync(from, to);
    } catch (cause) {
      throw describeWriteError(to, cause);
    }
  };
  copy(path, shim);
  for (const name of readdirSync(libtorch.libDir)) {
    if (!/\.(so|dylib)(\.\d+)*$/.test(name) || unneeded.test(name)) continue;
    copy(join(libtorch.libDir, name), join(root, "lib", name));
  }
  for (const name of ["version.py", "build-version"]) {
    if (existsSync(join(libtorch.root, name))) copy(join(libtorch.root, name), join(root, name));
  }
  return { AAM_TORCH_SHIM: shim, LIBTORCH: root };
}
