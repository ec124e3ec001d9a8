import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { isFile } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { ensureShim } from "./build.ts";
import { findLibtorch, searchLibtorch } from "./findLibtorch.ts";
import { type Libtorch, sharedLibraryName } from "./libtorchFolder.ts";
import { projectRoot, runsFromFiles } from "./places.ts";

/** A compiled shim and the LibTorch that it is to be loaded with. */
export interface FoundShim {
  readonly path: string;
  readonly libtorch: Libtorch;
  /** Named by AAM_TORCH_SHIM, brought by the optional package, or built on this machine. */
  readonly origin: "variable" | "package" | "build";
}

/** The optional package that brings the compiled native part for this kind of machine. */
export const prebuiltPackage = `aam-torch-${process.platform}-${process.arch}`;

/** The name of a library in it: one for each version of LibTorch, for CPUs and CUDA alike. */
export function prebuiltName(libtorchVersion: string): string {
  return sharedLibraryName(`aam_torch-${libtorchVersion.replace(/\+.*/, "")}`);
}

/**
 * The folder of the optional package, looked for as modules are: in each node_modules
 * from the program upwards.
 */
export function prebuiltFolder(): string | undefined {
  const start = runsFromFiles
    ? projectRoot
    : Bun.isStandaloneExecutable
      ? dirname(process.execPath)
      : import.meta.dir;
  for (let folder = start; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", prebuiltPackage);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

function prebuiltShim(): FoundShim | undefined {
  const folder = prebuiltFolder();
  if (folder === undefined) return undefined;
  const { libtorch } = searchLibtorch({ needsHeaders: false });
  if (libtorch === undefined) return undefined;
  const path = join(folder, prebuiltName(libtorch.version));
  if (!existsSync(path)) return undefined;
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  if (version !== packageJson.version) {
    throw new UserError(
      `${prebuiltPackage} is of version ${version}, but this toolkit of ${packageJson.version}: install ` +
        `${prebuiltPackage}@${packageJson.version}, or remove it and let the native part be built.`,
    );
  }
  return { path, libtorch, origin: "package" };
}

/**
 * The shim to load: the file that AAM_TORCH_SHIM names, one from the optional package for this kind of
 * machine, or one that was built here, which is built now if need be.
 * @throws UserError that says what is missing, with its cure.
 */
export function findShim(): FoundShim {
  const given = process.env["AAM_TORCH_SHIM"];
  if (given) {
    const path = resolve(given);
    if (!existsSync(path)) {
      throw new UserError(
        `AAM_TORCH_SHIM names ${path}, which does not exist: correct it, or unset it and let the native part be found or built.`,
      );
    }
    if (!isFile(path))
      throw new UserError(`AAM_TORCH_SHIM names ${path}, which is no file: give the path of the library.`);
    return { path, libtorch: findLibtorch({ needsHeaders: false }), origin: "variable" };
  }
  return prebuiltShim() ?? { path: ensureShim(), libtorch: findLibtorch(), origin: "build" };
}
