// Run as a process of its own by `ensureShim`, which must wait without an event loop. Prints a BuildAnswer.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { describeWriteError, temporaryName } from "../../common/files/atomicFile.ts";
import { FolderLock } from "../../common/files/folderLock.ts";
import { UserError } from "../../common/userError.ts";
import {
  type BuildAnswer,
  type ExpectedShim,
  expectedShim,
  faultOfShim,
  linkFlags,
  shimSources,
  sourceFlags,
  sourceFolder,
  standInHeaders,
} from "./build.ts";
import { findCompiler, firstErrors } from "./compiler.ts";
import { groupSource, groupVariants } from "./groupVariants.ts";
import { acceptedVersions } from "./libtorchFolder.ts";
import { buildFolder, isClone } from "./places.ts";

const objectFolder = join(buildFolder, "objects");

/** An installed package's folder is not of the user's choosing, so the cure says how to choose. */
function unwritable(cause: unknown): UserError {
  const { message } = cause instanceof UserError ? cause : describeWriteError(buildFolder, cause);
  const cure =
    " (XDG_CACHE_HOME names another one for caches; AAM_TORCH_SHIM a native part built elsewhere.)";
  return new UserError(isClone ? message : message + cure);
}

/** One line that is rewritten on a terminal; elsewhere only what `say` tells. */
class ProgressLine {
  readonly #started = performance.now();
  readonly #live = process.stderr.isTTY === true;

  say(text: string): void {
    process.stderr.write(this.#live ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  show(text: string): void {
    if (this.#live) process.stderr.write(`\r\x1b[K${text}, ${this.seconds()} s`);
  }

  seconds(): string {
    return ((performance.now() - this.#started) / 1000).toFixed(0);
  }
}

async function runCompiler(command: string[], what: string): Promise<string> {
  const child = Bun.spawn(command, { cwd: sourceFolder, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const output = await new Response(child.stderr).text();
  const exitCode = await child.exited;
  if (exitCode === 0) return output;
  const killed = child.signalCode === "SIGKILL" || /Killed signal|Killed|out of memory/i.test(output);
  const full = /No space left on device|Disk quota exceeded/i.test(output);
  const cure = full
    ? `The disk is full: free some space in ${buildFolder} and ${tmpdir()} (TMPDIR), or choose another place for caches with XDG_CACHE_HOME.`
    : killed
      ? "The compiler was killed, most likely for want of memory (one file needs about 1 GB): free some and start again."
      : "Check that the compiler is g++ 10 or newer (CXX chooses another) and that LibTorch's headers are complete.";
  throw new UserError(
    [`Cannot build the native part: ${command[0]} failed on ${what}.`, firstErrors(output), cure]
      .filter((line) => line !== "")
      .join("\n"),
  );
}

/**
 * The project's headers that a source includes, also through others: a change of another header
 * leaves its object as it is.
 */
function headersOf(text: string, found: Map<string, string>): string[] {
  for (const [, name = ""] of text.matchAll(/^#include "([^"]+)"/gm)) {
    if (found.has(name)) continue;
    const header = readFileSync(join(sourceFolder, name), "utf8");
    found.set(name, header);
    headersOf(header, found);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, header]) => header);
}

/**
 * Compiles one source unless its object is there already; the object's name is the hash of all that goes into
 * it. `more` are flags of this source alone.
 */
async function compile(
  compiler: string[],
  name: string,
  shim: ExpectedShim,
  more: string[] = [],
): Promise<string> {
  const text = readFileSync(join(sourceFolder, name), "utf8");
  const standIns = more.length > 0 ? standInHeaders() : [];
  const headers = [
    ...headersOf(text, new Map()),
    ...standIns.map((source) => readFileSync(join(sourceFolder, source), "utf8")),
  ];
  const flags = [...sourceFlags(shim.libtorch), ...more];
  // Only files that use it see the hash of all sources: the others stay as they are when one file changes.
  if ([text, ...headers].some((source) => source.includes("AAM_TORCH_SOURCE_HASH"))) {
    flags.push(`-DAAM_TORCH_SOURCE_HASH="${shim.hash}"`);
  }
  for (const folder of shim.libtorch.includeDirs) flags.push("-isystem", folder);
  // What errors say of the place in a source tells nothing of this machine.
  flags.push(`-ffile-prefix-map=${shim.libtorch.root}=libtorch`, `-ffile-prefix-map=${sourceFolder}=native`);
  flags.push("-idirafter", join(sourceFolder, "absent"));
  // The stand-ins' place does not matter, what they say does.
  const placeless = flags.map((flag) => flag.replaceAll(sourceFolder, "native"));
  const key = new Bun.CryptoHasher("sha256")
    .update([...compiler, ...placeless, name, text, ...headers].join("\0"))
    .digest("hex");
  const object = join(objectFolder, `${name}-${key.slice(0, 16)}.o`);
  if (existsSync(object)) return object;
  const temporary = temporaryName(object);
  try {
    const warnings = await runCompiler(
      [...compiler, ...flags, "-c", name, "-o", temporary],
      `native/${name}`,
    );
    if (warnings.trim() !== "") process.stderr.write(`\n${warnings.trimEnd()}\n`);
    renameSync(temporary, object);
  } finally {
    rmSync(temporary, { force: true });
  }
  return object;
}

/** Of the compiler's errors the first is told. */
function notToBeHad(name: string, { message }: UserError): string {
  const [, first = ""] = message.split("\n");
  return `Not to be had here: ${name}${first === "" ? "" : ` (${first})`}`;
}

/**
 * `distributed.cpp` in the first way from `from` on that compiles: process groups are
 * worth having, but not needed.
 */
async function compileGroups(
  compiler: string[],
  shim: ExpectedShim,
  progress: ProgressLine,
  from = 0,
): Promise<{ object: string; variant: number }> {
  const variants = groupVariants(shim.libtorch, sourceFolder);
  for (let variant = from; ; variant++) {
    const { name, flags } = variants[variant];
    try {
      return { object: await compile(compiler, groupSource, shim, flags), variant };
    } catch (cause) {
      if (!(cause instanceof UserError) || variant === variants.length - 1) throw cause;
      progress.say(notToBeHad(name, cause));
    }
  }
}

/**
 * Links to a temporary name and renames it; false when the sources changed meanwhile, so that
 * all is to be done again.
 */
async function link(compiler: string[], objects: string[], shim: ExpectedShim): Promise<boolean> {
  const { libDir, cuda } = shim.libtorch;
  const libraries = ["-ltorch", "-ltorch_cpu", "-lc10"];
  // Nothing in the shim names a CUDA symbol, but the library registers its kernels when it is loaded.
  if (cuda !== null) libraries.push("-ltorch_cuda", "-lc10_cuda");
  // On Linux the libraries are loaded before the shim, wherever they lie then.
  const places = process.platform === "darwin" ? [`-Wl,-rpath,${libDir}`] : [];
  const temporary = temporaryName(shim.path);
  try {
    await runCompiler(
      [
        ...compiler,
        "-shared",
        "-o",
        temporary,
        ...objects,
        `-L${libDir}`,
        ...places,
        ...linkFlags(),
        ...libraries,
      ],
      "linking with LibTorch",
    );
    if (expectedShim().hash !== shim.hash) return false;
    renameSync(temporary, shim.path);
    return true;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Removes what earlier sources, another LibTorch or a killed build left. Only the
 * holder of the lock does this.
 */
function removeOldBuilds(shim: ExpectedShim, objects: string[]): void {
  if (!isClone) {
    // The cache folder serves other projects too, whose libraries stay; compiled once, the
    // objects are of no more use.
    rmSync(objectFolder, { recursive: true, force: true });
    return;
  }
  for (const name of readdirSync(buildFolder)) {
    const path = join(buildFolder, name);
    if (name.startsWith("libaam_torch-") && path !== shim.path) rmSync(path, { force: true });
  }
  for (const name of readdirSync(objectFolder)) {
    const path = join(objectFolder, name);
    if (!objects.includes(path)) rmSync(path, { force: true });
  }
}

async function buildOnce(compiler: string[], progress: ProgressLine): Promise<boolean> {
  const shim = expectedShim();
  if (faultOfShim(shim.path) === undefined) return true;
  const names = shimSources().filter((name) => name.endsWith(".cpp"));
  const variants = groupVariants(shim.libtorch, sourceFolder);
  const { version, cuda } = shim.libtorch;
  const title = `Building the native part for LibTorch ${version} (${cuda === null ? "CPU" : `CUDA ${cuda}`})`;
  let done = 0;
  if (shim.libtorch.isUntried)
    progress.say(
      `LibTorch ${version} is newer than ${acceptedVersions}, which are supported: it is tried. Should it fail, set LIBTORCH to one of those.`,
    );
  progress.say(`${title}, ${names.length} files, once`);
  const show = () => progress.show(`${title}: ${done} of ${names.length} files`);
  const ticker = setInterval(show, 500);
  try {
    const objects: string[] = [];
    const queue = [groupSource, ...names.filter((name) => name !== groupSource)];
    let groups = { object: "", variant: 0 };
    const worker = async () => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        if (name === groupSource) groups = await compileGroups(compiler, shim, progress);
        else objects.push(await compile(compiler, name, shim));
        done++;
        show();
      }
    };
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), names.length) }, worker));
    for (let linked = false; !linked; ) {
      try {
        if (!(await link(compiler, [...objects, groups.object].sort(), shim))) return false;
        linked = true;
      } catch (cause) {
        // A LibTorch built without process groups has their headers, too.
        if (!(cause instanceof UserError) || groups.variant === variants.length - 1) throw cause;
        progress.say(notToBeHad(variants[groups.variant].name, cause));
        groups = await compileGroups(compiler, shim, progress, groups.variant + 1);
      }
    }
    removeOldBuilds(shim, [...objects, groups.object]);
  } finally {
    clearInterval(ticker);
  }
  progress.say(`Built the native part in ${progress.seconds()} s`);
  return true;
}

async function lockFolder(progress: ProgressLine): Promise<FolderLock> {
  const waiting = (pid: number) =>
    progress.say(`Waiting for process ${pid}, which is at work in ${buildFolder}`);
  try {
    const lock = await FolderLock.wait(buildFolder, waiting);
    // Not before: who had the lock may have removed it.
    mkdirSync(objectFolder, { recursive: true });
    return lock;
  } catch (cause) {
    throw unwritable(cause);
  }
}

async function build(): Promise<void> {
  const progress = new ProgressLine();
  const compiler = findCompiler();
  using _lock = await lockFolder(progress);
  while (!(await buildOnce(compiler, progress)))
    progress.say("The sources changed meanwhile: building again");
}

let answer: BuildAnswer = {};
try {
  await build();
} catch (cause) {
  answer = {
    error: cause instanceof UserError ? cause.message : unwritable(cause).message,
  };
}
process.stdout.write(JSON.stringify(answer));
