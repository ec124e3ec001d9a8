import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { temporaryName } from "../../src/common/files/atomicFile.ts";
import { findCompiler } from "../../src/torch/setup/compiler.ts";
import { findLibtorch } from "../../src/torch/setup/findLibtorch.ts";
import { buildFolder } from "../../src/torch/setup/places.ts";

const source = join(import.meta.dir, "fakeCuda.cpp");
const flags = ["-O1", "-fPIC", "-shared", "-w"];

/** Why there can be no fake device here; null where there can. */
export function whyNoFakeCuda(): string | null {
  const { cuda, version } = findLibtorch();
  if (cuda !== null) return `LibTorch ${version} is built for CUDA`;
  return process.platform === "linux" ? null : `it is written for Linux, not ${process.platform}`;
}

/**
 * The path of the library, compiled first if there is none of the present source.
 * @throws Error with the compiler's words.
 */
export function ensureFakeCuda(): string {
  const { root, version, includeDirs, libDir, cxxStandard, cxx11Abi } = findLibtorch();
  const text = readFileSync(source, "utf8");
  const key = new Bun.CryptoHasher("sha256").update([text, root, version, cxxStandard, ...flags].join("\0"));
  const path = join(buildFolder, `fakeCuda-${key.digest("hex").slice(0, 16)}.so`);
  if (existsSync(path)) return path;
  mkdirSync(buildFolder, { recursive: true });
  const temporary = temporaryName(path);
  const command = [
    ...findCompiler(),
    `-std=c++${cxxStandard}`,
    ...flags,
    `-D_GLIBCXX_USE_CXX11_ABI=${cxx11Abi ? 1 : 0}`,
    ...includeDirs.flatMap((folder) => ["-isystem", folder]),
    source,
    ...["-o", temporary, `-L${libDir}`, `-Wl,-rpath,${libDir}`, "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10"],
  ];
  const { exitCode, stderr } = Bun.spawnSync(command, { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`cannot compile ${source}:\n${stderr}`);
  renameSync(temporary, path);
  return path;
}
