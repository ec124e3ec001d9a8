import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import packed from "../../../native/sources.json" with { type: "json" };
import { bunProcess } from "../../common/bunProcess.ts";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { findLibtorch, type Libtorch } from "./findLibtorch.ts";
import { groupVariants } from "./groupVariants.ts";
import { faultOfLibrary } from "./libraryFile.ts";
import { buildFolder, commandNames, projectRoot, runsFromFiles } from "./places.ts";

export const sourceFolder = join(projectRoot, "native");

/**
 * Part of the source hash, so that other flags make another library. LibTorch's packages are compiled with
 * NDEBUG, by which its headers leave out checks of LibTorch itself (and members of a class). macOS has no
 * advice about huge pages to give to the system: the name stands for no advice there.
 */
export function compileFlags(platform: NodeJS.Platform = process.platform): string[] {
  const own = platform === "darwin" ? ["-DMADV_HUGEPAGE=MADV_NORMAL"] : [];
  return ["-O2", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", ...own];
}

/**
 * The same for linking: every library is kept, and what none of them has is an error now, not when the shim
 * is loaded; on macOS it is null then, as weak names (OpenMP's, where LibTorch has other threads) must be.
 */
export function linkFlags(platform: NodeJS.Platform = process.platform): string[] {
  return platform === "darwin" ? ["-Wl,-undefined,dynamic_lookup"] : ["-Wl,--no-as-needed", "-Wl,-z,defs"];
}

/** What each source is compiled with against a LibTorch, but for the folders of headers. */
export function sourceFlags(libtorch: Libtorch, platform?: NodeJS.Platform): string[] {
  return [
    `-std=c++${libtorch.cxxStandard}`,
    ...compileFlags(platform),
    `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi ? 1 : 0}`,
    `-DAAM_TORCH_BUILD_VERSION="${libtorch.version}"`,
  ];
}

/** The library that belongs to the present sources and LibTorch, whether or not it has been built. */
export interface ExpectedShim {
  readonly path: string;
  /** Names the sources, the flags and the LibTorch; compiled in as AAM_TORCH_SOURCE_HASH. */
  readonly hash: string;
  readonly libtorch: Libtorch;
}

/** The answer of the process that builds, on its standard output. */
export interface BuildAnswer {
  readonly error?: string;
}

interface HashCache {
  readonly stamps: string;
  readonly hash: string;
}

const hashCacheFile = join(buildFolder, "sources.json");

export function shimSources(): string[] {
  return readdirSync(sourceFolder)
    .filter((name) => /\.(cpp|h)$/.test(name))
    .sort();
}

/** Headers in the place of those that LibTorch's packages leave out; for `distributed.cpp` alone. */
export function standInHeaders(): string[] {
  return readdirSync(join(sourceFolder, "standIns"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".h"))
    .map((name) => join("standIns", name))
    .sort();
}

/** All that a build is made of; `absent` holds what LibTorch's headers include and its packages leave out. */
export function allSources(): string[] {
  return [...shimSources(), ...standInHeaders(), "absent/nlohmann/json.hpp"];
}

/** The hash of what lies in native/ now. */
export function hashOfSources(): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const name of allSources()) hasher.update(`${name}\n`).update(readFileSync(join(sourceFolder, name)));
  return hasher.digest("hex");
}

/**
 * The hash of all sources; read again only when a file's time or size has changed. A package says it in
 * native/sources.json, which bundles take along; a clone leaves it empty there, as its sources change.
 */
function hashSources(): string {
  if (packed.hash !== "" || !runsFromFiles) return packed.hash;
  const names = allSources();
  const stamps = names.map((name) => {
    const { mtimeMs, size } = statSync(join(sourceFolder, name));
    return `${name} ${mtimeMs} ${size}`;
  });
  try {
    const cached = JSON.parse(readFileSync(hashCacheFile, "utf8")) as HashCache;
    if (cached.stamps === stamps.join("\n")) return cached.hash;
  } catch {
    // No cache yet.
  }
  const hash = hashOfSources();
  try {
    if (existsSync(buildFolder)) {
      writeFileAtomic(hashCacheFile, JSON.stringify({ stamps: stamps.join("\n"), hash } satisfies HashCache));
    }
  } catch {
    // Without the cache the next start reads the sources again; that is slower, not wrong.
  }
  return hash;
}

/** Which library the present sources and LibTorch ask for. @throws UserError when no LibTorch is found. */
export function expectedShim(): ExpectedShim {
  const libtorch = findLibtorch();
  const variants = groupVariants(libtorch, sourceFolder).map(({ name }) => name);
  const hash = new Bun.CryptoHasher("sha256")
    .update(
      [
        hashSources(),
        ...compileFlags(),
        ...linkFlags(),
        ...variants,
        libtorch.root,
        libtorch.version,
        libtorch.cxxStandard,
      ].join("\n"),
    )
    .digest("hex")
    .slice(0, 16);
  const version = libtorch.version.replace(/\+.*/, "");
  const extension = process.platform === "darwin" ? "dylib" : "so";
  const name = `libaam_torch-${version}-${libtorch.cuda === null ? "cpu" : "cuda"}-${hash}.${extension}`;
  return { path: join(buildFolder, name), hash, libtorch };
}

/** Why the shim at a path is to be built (anew), in words that follow its name. */
export function faultOfShim(path: string): string | undefined {
  return existsSync(path) ? faultOfLibrary(path) : "is not there";
}

/**
 * The path of the shim for the LibTorch that is found, compiled first when there is none yet for the present
 * sources, or only a part of it. Progress goes to standard error.
 * @throws UserError when no LibTorch, no compiler, or an error in compiling.
 */
export function ensureShim(): string {
  const { path, libtorch } = expectedShim();
  const fault = faultOfShim(path);
  if (fault === undefined) return path;
  if (!runsFromFiles) {
    throw new UserError(
      `The native part for LibTorch ${libtorch.version} ${fault}, and a bundled or compiled program does not build it: ` +
        (packed.hash === ""
          ? "set AAM_TORCH_SHIM to the path of a built one (this program was made from a clone, which keeps them in native/build)."
          : `run \`${commandNames.setup}\` on this machine, or set AAM_TORCH_SHIM to the path of a built one.`),
    );
  }
  const { cmd, env } = bunProcess([join(import.meta.dir, "buildProcess.ts")]);
  const builder = Bun.spawnSync(cmd, {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = builder.stdout.toString();
  let answer: BuildAnswer;
  try {
    answer = JSON.parse(output) as BuildAnswer;
  } catch {
    answer = {
      error: `The build of the native part was ended early (${builder.signalCode ?? builder.exitCode}).`,
    };
  }
  if (answer.error) throw new UserError(answer.error);
  // The builder saw the sources later than this process: they may have changed in between.
  const built = expectedShim().path;
  if (!existsSync(built))
    throw new UserError("The native sources changed while they were built; start again.");
  return built;
}
