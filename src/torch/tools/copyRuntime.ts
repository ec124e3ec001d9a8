import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describeWriteError, makeFolder } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { type FoundShim, findShim } from "../setup/findShim.ts";
import { type Libtorch, sharedLibraryName } from "../setup/libtorchFolder.ts";

/** Libraries of LibTorch's that only Python, its tests or its compiler load. */
const unneeded = /python|test|aoti|backend_with_compiler|^libshm/;
/** The same of NVIDIA's: other forms of a library that is copied, and tools for programs of another kind. */
const unneededOfNvidia = /\.alt\.|nvperf|pcsampling|nvblas|cufftw|cusolverMg/;

function librariesIn(folder: string, without: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /\.(so|dylib)(\.\d+)*$/.test(name) && !without.test(name));
}

/**
 * NVIDIA's libraries, which pip lays beside the torch package, by folder (`cudnn/lib`); none where LibTorch
 * needs none or brings its own. @throws UserError where they lie elsewhere.
 */
function nvidiaLibraries({ root, libDir, cuda, version }: Libtorch): { from: string; folders: string[] } {
  const from = join(dirname(root), "nvidia");
  if (cuda === null || librariesIn(libDir, unneeded).some((name) => name.startsWith("libcudart")))
    return { from, folders: [] };
  const folders = existsSync(from) ? readdirSync(from).map((name) => join(name, "lib")) : [];
  if (folders.some((folder) => librariesIn(join(from, folder), unneeded).join().includes("libcudart")))
    return { from, folders };
  throw new UserError(
    `LibTorch ${version} is for CUDA ${cuda} and needs NVIDIA's libraries, which are not in ${from}: ` +
      "install torch with pip, which puts them there, or bring them with the system of the other machine and copy LibTorch by hand.",
  );
}

/**
 * Copies what a program needs at run time into a folder: the native part, LibTorch's libraries without its
 * headers, and NVIDIA's where LibTorch is for CUDA (the driver stays the other machine's own). Another
 * machine of the same kind then needs no Python, no compiler and no set-up.
 *
 * @returns the environment variables that the program is to be started with there.
 * @throws UserError where NVIDIA's libraries are not beside LibTorch, and for a folder that cannot be
 * written or holds such a copy.
 */
export function copyRuntime(
  folder: string,
  { path, libtorch }: Pick<FoundShim, "path" | "libtorch"> = findShim(),
): Record<"AAM_TORCH_SHIM" | "LIBTORCH", string> {
  const nvidia = nvidiaLibraries(libtorch);
  const shim = join(resolve(folder), sharedLibraryName("aam_torch"));
  const root = join(resolve(folder), "torch");
  const parts = [shim, root, join(resolve(folder), "nvidia")];
  const there = parts.find((part) => existsSync(part));
  if (there !== undefined)
    throw new UserError(`${there} is there already: delete it, or copy into another folder.`);
  makeFolder(resolve(folder));
  try {
    // Of two programs that copy at once only one can make it.
    mkdirSync(root);
  } catch (cause) {
    throw describeWriteError(root, cause);
  }
  const copy = (from: string, to: string) => {
    try {
      copyFileSync(from, to);
    } catch (cause) {
      throw describeWriteError(to, cause);
    }
  };
  const copyLibraries = (from: string, to: string, without: RegExp) => {
    makeFolder(to);
    for (const name of librariesIn(from, without)) copy(join(from, name), join(to, name));
  };
  try {
    copyLibraries(libtorch.libDir, join(root, "lib"), unneeded);
    // LibTorch's libraries look for NVIDIA's there, seen from themselves.
    for (const name of nvidia.folders)
      copyLibraries(join(nvidia.from, name), join(resolve(folder), "nvidia", name), unneededOfNvidia);
    copy(path, shim);
    for (const name of ["version.py", "build-version"])
      if (existsSync(join(libtorch.root, name))) copy(join(libtorch.root, name), join(root, name));
  } catch (error) {
    for (const part of parts) rmSync(part, { recursive: true, force: true });
    throw error;
  }
  return { AAM_TORCH_SHIM: shim, LIBTORCH: root };
}
