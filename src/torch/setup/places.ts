import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve, sep } from "node:path";

/** The folder of package.json, as seen from this file; in a bundle it is some other folder. */
export const projectRoot = resolve(import.meta.dir, "../../..");

/**
 * Whether the code runs from its own files: in a bundle or a compiled program the native
 * sources are not beside it.
 */
export const runsFromFiles =
  !Bun.isStandaloneExecutable &&
  existsSync(join(projectRoot, "native/aam_torch.h")) &&
  import.meta.file === "places.ts";

/**
 * Whether this is a clone of the repository, which keeps what it builds; nothing is written into a package,
 * be it installed from a git URL.
 */
export const isClone =
  runsFromFiles &&
  existsSync(join(projectRoot, "scripts/bootstrap.mjs")) &&
  !projectRoot.split(sep).includes("node_modules");

/**
 * Where an installed package keeps what it builds, by the rules of XDG: `$XDG_CACHE_HOME`, else `~/.cache`.
 */
export function cacheFolder(): string {
  const given = process.env["XDG_CACHE_HOME"];
  return join(given?.startsWith("/") ? given : join(homedir(), ".cache"), "aam-torch");
}

/** Where the compiled shim and the caches about it lie. */
export const buildFolder = isClone ? join(projectRoot, "native/build") : join(cacheFolder(), "native");

/** The Python environment that the set-up makes where no LibTorch was found. */
export const ownEnvironment = isClone ? join(projectRoot, ".venv") : join(cacheFolder(), "python");

/** What a user types to set up, and to see what was found. */
export const commandNames = isClone
  ? { setup: "npm run setup", doctor: "bun run doctor" }
  : { setup: "bunx aam-torch setup", doctor: "bunx aam-torch doctor" };
