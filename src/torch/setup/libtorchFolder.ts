import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isFolder } from "../../common/files/inputFile.ts";

/** A LibTorch that the shim can be built against. */
export interface Libtorch {
  /** The folder that holds `include` and `lib`. */
  readonly root: string;
  readonly includeDirs: string[];
  readonly libDir: string;
  /** As the build names itself, such as `2.13.0+cpu` or `2.11.0+cu130`. */
  readonly version: string;
  /** The CUDA version that the build was made for, such as `13.0`; null in a CPU build. */
  readonly cuda: string | null;
  /** Whether `std::string` has the ABI of GCC 5 and later. */
  readonly cxx11Abi: boolean;
  /** The C++ standard that the headers ask for. */
  readonly cxxStandard: number;
  /** Whether the headers are there, without which nothing can be built against it. */
  readonly hasHeaders: boolean;
  /** Newer than the supported versions. */
  readonly isUntried: boolean;
  /** How it was found, in words. */
  readonly source: string;
}

/** What was found at one place: a LibTorch, or why it does not serve. */
export interface Inspection {
  readonly path: string;
  readonly verdict: string;
  readonly libtorch?: Libtorch;
}

export const oldestMinor = 11;
/** What is newer is tried with a warning. */
export const newestMinor = 15;
export const acceptedVersions = `2.${oldestMinor} to 2.${newestMinor}`;

export function sharedLibraryName(stem: string, platform: NodeJS.Platform = process.platform): string {
  return platform === "darwin" ? `lib${stem}.dylib` : `lib${stem}.so`;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/**
 * The build's own name for its version: a Python wheel has version.py, the archive
 * build-version, both have headers.
 */
function readVersion(root: string): string | undefined {
  const wheel = /^__version__ = ['"]([^'"]+)['"]/m.exec(readIfThere(join(root, "version.py")))?.[1];
  if (wheel) return wheel;
  const archive = readIfThere(join(root, "build-version")).trim();
  if (/^\d+\.\d+/.test(archive)) return archive;
  for (const header of [
    "include/torch/headeronly/version.h",
    "include/torch/csrc/api/include/torch/version.h",
  ]) {
    const text = readIfThere(join(root, header));
    const part = (name: string) => new RegExp(`#define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1];
    if (part("MAJOR")) return `${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}`;
  }
  return undefined;
}

function readCuda(root: string, libDir: string, version: string): string | null {
  if (!existsSync(join(libDir, sharedLibraryName("torch_cuda")))) return null;
  const wheel = /^cuda\b[^=]*= ['"]([^'"]+)['"]/m.exec(readIfThere(join(root, "version.py")))?.[1];
  if (wheel) return wheel;
  const suffix = /\+cu(\d+)(\d)$/.exec(version);
  return suffix ? `${suffix[1]}.${suffix[2]}` : "of an unknown version";
}

/** The highest C++ standard that CMake's file or the headers ask for. */
function readCxxStandard(root: string): number {
  const texts = ["share/cmake/Torch/TorchConfig.cmake", "include/ATen/ATen.h"].map((name) =>
    readIfThere(join(root, name)),
  );
  const named = texts.join("\n").matchAll(/CXX_STANDARD (\d\d)|cxx_std_(\d\d)|__cplusplus < 20(\d\d)/g);
  return Math.max(17, ...[...named].map((found) => Number(found[1] ?? found[2] ?? found[3])));
}

/**
 * Looks at one folder that should hold LibTorch's `lib` and (to build) `include`; nothing is loaded or run.
 */
export function inspectLibtorchFolder(
  root: string,
  source: string,
  {
    needsHeaders = true,
    platform = process.platform,
  }: { needsHeaders?: boolean; platform?: NodeJS.Platform } = {},
): Inspection {
  const reject = (verdict: string): Inspection => ({ path: root, verdict });
  if (!existsSync(root)) return reject("no such folder");
  if (!isFolder(root)) return reject("a file, not a LibTorch folder");
  const libDir = join(root, "lib");
  const libraries = ["torch_cpu", "c10"].map((stem) => sharedLibraryName(stem, platform));
  const missing = libraries.filter((name) => !existsSync(join(libDir, name)));
  if (missing.length === 1) return reject(`a LibTorch without its lib/${missing[0]}: install it anew`);
  if (missing.length > 0) {
    const isLib = libraries.every((name) => existsSync(join(root, name)));
    return reject(
      isLib
        ? "LibTorch's lib: name the folder above it"
        : `not a LibTorch folder: it has no lib/${missing[0]}`,
    );
  }
  const hasHeaders = existsSync(join(root, "include/ATen/ATen.h"));
  if (needsHeaders && !hasHeaders) {
    return reject("has LibTorch's libraries but not its headers (include/ATen/ATen.h)");
  }
  const version = readVersion(root);
  if (version === undefined) return reject("its version could not be read");
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (major < 2 || (major === 2 && minor < oldestMinor)) {
    return reject(`version ${version} is too old; ${acceptedVersions} are accepted`);
  }
  const isUntried = major > 2 || minor > newestMinor;
  const cuda = readCuda(root, libDir, version);
  return {
    path: root,
    verdict: `version ${version}, ${cuda === null ? "CPU" : `CUDA ${cuda}`}${isUntried ? `, newer than ${acceptedVersions}, which are supported` : ""}`,
    libtorch: {
      root,
      includeDirs: [join(root, "include"), join(root, "include/torch/csrc/api/include")],
      libDir,
      version,
      cuda,
      cxx11Abi: readFileSync(join(libDir, sharedLibraryName("c10", platform))).includes("__cxx11"),
      cxxStandard: readCxxStandard(root),
      hasHeaders,
      isUntried,
      source,
    },
  };
}
