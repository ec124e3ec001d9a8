/**
 * Builds the shim's sources and the driver with sanitizers and runs it:
 * `bun lab/trials/native/sanitize.ts [address|thread] [effort]`. Objects are kept in native/build/sanitized,
 * so that a second run only runs.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { temporaryName } from "../../../src/common/files/atomicFile.ts";
import { shimSources, sourceFolder } from "../../../src/torch/setup/build.ts";
import { findCompiler } from "../../../src/torch/setup/compiler.ts";
import { findLibtorch } from "../../../src/torch/setup/findLibtorch.ts";
import { groupSource, groupVariants } from "../../../src/torch/setup/groupVariants.ts";
import { buildFolder } from "../../../src/torch/setup/places.ts";

export type Sanitizer = "address" | "thread";

const sanitizerFlags: Record<Sanitizer, string> = {
  address: "-fsanitize=address,undefined,float-cast-overflow",
  thread: "-fsanitize=thread",
};

/** The parts of the driver that tell something under each sanitizer. */
const parts: Record<Sanitizer, readonly string[]> = {
  address: [
    "operators",
    "handles",
    "arguments",
    "autograd",
    "random",
    "machine",
    "group",
    "allocator",
    "typed",
    "segments",
    "threads",
    "packings",
  ],
  thread: ["allocator", "threads"],
};

const environment = {
  // Too large an allocation must be an error that the shim reports, as it is without the sanitizer.
  ASAN_OPTIONS: "allocator_may_return_null=1:max_allocation_size_mb=8192:detect_leaks=1",
  UBSAN_OPTIONS: "print_stacktrace=1",
  TSAN_OPTIONS: "allocator_may_return_null=1",
  OMP_NUM_THREADS: "1",
};

const driverFolder = import.meta.dir;

function run(command: string[], extra: Record<string, string> = {}): { code: number; output: string } {
  const { exitCode, signalCode, stdout, stderr } = Bun.spawnSync(["nice", "-n", "10", ...command], {
    cwd: sourceFolder,
    env: { ...process.env, ...extra },
  });
  const end = signalCode ? `ended by ${signalCode}\n` : "";
  return { code: exitCode ?? 1, output: `${stdout}${stderr}${end}` };
}

async function compile(command: string[], object: string): Promise<void> {
  const temporary = temporaryName(object);
  const child = Bun.spawn(["nice", "-n", "10", ...command, "-o", temporary], {
    cwd: sourceFolder,
    stdout: "ignore",
    stderr: "pipe",
  });
  const output = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`cannot compile ${command.at(-1)}:\n${output}`);
  renameSync(temporary, object);
}

/** Whether this machine can link a program with the sanitizer at all. */
export function hasSanitizer(sanitizer: Sanitizer): boolean {
  try {
    const [flag] = sanitizerFlags[sanitizer].split(",");
    return (
      run([...findCompiler(), flag, "-x", "c++", "-o", "/dev/null", "-include", "cstdio", "-E", "/dev/null"])
        .code === 0 &&
      run([
        ...findCompiler(),
        `-print-file-name=lib${sanitizer === "address" ? "asan" : "tsan"}.so`,
      ]).output.includes("/")
    );
  } catch {
    return false;
  }
}

/** Where the driver for the present sources lies, whether or not it has been built. */
function driverPath(sanitizer: Sanitizer): string {
  const hasher = new Bun.CryptoHasher("sha256").update(findLibtorch().root + sanitizerFlags[sanitizer]);
  for (const path of sources()) hasher.update(path).update(readFileSync(path));
  return join(buildFolder, "sanitized", `driver-${sanitizer}-${hasher.digest("hex").slice(0, 16)}`);
}

function sources(): string[] {
  const own = readdirSync(driverFolder).filter((name) => /\.(cpp|h)$/.test(name));
  return [
    ...shimSources().map((name) => join(sourceFolder, name)),
    ...own.sort().map((name) => join(driverFolder, name)),
  ];
}

export function isDriverBuilt(sanitizer: Sanitizer): boolean {
  return existsSync(driverPath(sanitizer));
}

/** Builds the driver unless it is there; takes minutes the first time. */
export async function buildDriver(sanitizer: Sanitizer): Promise<string> {
  const program = driverPath(sanitizer);
  if (existsSync(program)) return program;
  const { includeDirs, libDir, cxxStandard, cxx11Abi } = findLibtorch();
  const folder = join(buildFolder, "sanitized");
  mkdirSync(folder, { recursive: true });
  const compiler = findCompiler();
  const flags = [
    `-std=c++${cxxStandard}`,
    ...["-O1", "-g1", "-fno-omit-frame-pointer", sanitizerFlags[sanitizer], "-fno-sanitize-recover=all"],
    `-D_GLIBCXX_USE_CXX11_ABI=${cxx11Abi ? 1 : 0}`,
    ...includeDirs.flatMap((path) => ["-isystem", path]),
  ];
  // The shim's sources know nothing of the driver's header: changing the driver leaves their objects, which
  // take minutes, as they are.
  const headers = sources().filter((path) => path.endsWith(".h"));
  const headersOf = (source: string) =>
    dirname(source) === sourceFolder ? headers.filter((path) => dirname(path) === sourceFolder) : headers;
  const objects: string[] = [];
  const queue = sources().filter((path) => path.endsWith(".cpp"));
  const worker = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const hasher = new Bun.CryptoHasher("sha256").update([...compiler, ...flags].join("\0"));
      for (const part of [...headersOf(path), path]) hasher.update(readFileSync(part));
      const object = join(folder, `${hasher.digest("hex").slice(0, 16)}.o`);
      // Process groups with what every LibTorch has; the last variant but one is that with gloo.
      const own =
        basename(path) === groupSource
          ? (groupVariants(findLibtorch(), sourceFolder).at(-2)?.flags ?? [])
          : [];
      if (!existsSync(object)) await compile([...compiler, ...flags, ...own, "-c", path], object);
      objects.push(object);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const temporary = temporaryName(program);
  const libraries = [
    `-L${libDir}`,
    `-Wl,-rpath,${libDir}`,
    "-Wl,--no-as-needed",
    "-ltorch",
    "-ltorch_cpu",
    "-lc10",
  ];
  const linked = run([...compiler, sanitizerFlags[sanitizer], "-o", temporary, ...objects, ...libraries]);
  if (linked.code !== 0) throw new Error(`cannot link the driver:\n${linked.output}`);
  renameSync(temporary, program);
  return program;
}

export interface SanitizerOutcome {
  part: string;
  passed: boolean;
  output: string;
}

/** Runs every part of a built driver; `effort` multiplies how often the random ones try. */
export function runDriver(program: string, sanitizer: Sanitizer, effort: number): SanitizerOutcome[] {
  return parts[sanitizer].map((part) => {
    const { code, output } = run([program, part, String(effort)], environment);
    return { part, passed: code === 0, output };
  });
}

if (import.meta.main) {
  const sanitizer = (process.argv[2] ?? "address") as Sanitizer;
  const outcomes = runDriver(await buildDriver(sanitizer), sanitizer, Number(process.argv[3] ?? 1));
  for (const { part, passed, output } of outcomes) {
    console.log(`${part}: ${passed ? "passed" : "FAILED"}`);
    if (!passed) console.log(output);
  }
  process.exit(outcomes.every(({ passed }) => passed) ? 0 : 1);
}
