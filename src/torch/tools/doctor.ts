import { existsSync, statfsSync } from "node:fs";
import { availableParallelism, cpus, homedir, totalmem } from "node:os";
import { join, relative } from "node:path";
import { availableMemory } from "../../common/availableMemory.ts";
import { bunProcess } from "../../common/bunProcess.ts";
import { bytesText } from "../../common/bytesText.ts";
import { expectedShim, faultOfShim } from "../setup/build.ts";
import { findCompiler } from "../setup/compiler.ts";
import { describeSearch, type LibtorchSearch, searchLibtorch } from "../setup/findLibtorch.ts";
import { findShim, prebuiltFolder } from "../setup/findShim.ts";
import { buildFolder, commandNames } from "../setup/places.ts";
import type { NativeFacts } from "./nativeProbe.ts";

/** What the doctor finds; `problems` holds a sentence with its cure for each thing that stops the work. */
export interface Diagnosis {
  readonly bun: { readonly version: string; readonly path: string };
  readonly libtorch: {
    readonly version: string;
    readonly path: string;
    readonly source: string;
    readonly device: string;
  } | null;
  readonly tried: { readonly path: string; readonly verdict: string }[];
  readonly compiler: string | null;
  readonly shim: { readonly path: string; readonly built: boolean } | null;
  /** What the loaded shim says; null when it is not built or cannot be loaded. */
  readonly native: NativeFacts | null;
  readonly processors: { readonly count: number; readonly model: string };
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly disk: { readonly path: string; readonly freeBytes: number };
  readonly problems: string[];
}

/** Why a LibTorch runs where it does. `native` is what it says itself, where it could be loaded. */
function describeDevice(search: LibtorchSearch, native: NativeFacts | null): string {
  const cuda = search.libtorch?.cuda ?? null;
  const accelerator = native?.accelerator;
  if (accelerator)
    return `${accelerator.count} x ${accelerator.type}${cuda === null ? "" : `, CUDA ${cuda}`}`;
  if (process.platform === "darwin")
    return native
      ? "CPU (Metal finds no GPU for the device mps)"
      : "CPU; whether mps too, the built native part tells";
  const driver = existsSync("/proc/driver/nvidia/version") || existsSync("/dev/nvidiactl");
  if (cuda === null) {
    return driver
      ? "CPU (this LibTorch is a CPU build, although the machine has an NVIDIA driver: install a CUDA build of torch)"
      : "CPU (this LibTorch is a CPU build, and the machine has no NVIDIA driver)";
  }
  if (!driver) return `CPU (this LibTorch is built for CUDA ${cuda}, but the machine has no NVIDIA driver)`;
  return native
    ? `CPU (this LibTorch is built for CUDA ${cuda}, but finds no usable device: see nvidia-smi and CUDA_VISIBLE_DEVICES)`
    : `CUDA ${cuda}`;
}

/** Loads the shim in another process; its facts, or why it cannot be loaded. */
function probeNative(): { facts: NativeFacts | null; problem?: string } {
  const { cmd, env } = bunProcess([join(import.meta.dir, "nativeProbe.ts")]);
  const run = Bun.spawnSync(cmd, {
    env,
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  if (run.success) return { facts: JSON.parse(run.stdout.toString()) as NativeFacts };
  const said = run.stderr.toString().trim() || `it ended with ${run.signalCode ?? run.exitCode}`;
  return { facts: null, problem: `The native part cannot be loaded: ${said}` };
}

/** The shim that would be loaded, built or not. */
function lookForShim(isBrought: boolean, problems: string[]): { path: string } | undefined {
  try {
    return isBrought ? findShim() : expectedShim();
  } catch (cause) {
    problems.push((cause as Error).message);
    return undefined;
  }
}

/** Looks at everything that the work needs, without building or installing anything. */
export function diagnose(): Diagnosis {
  const problems: string[] = [];
  // What comes from elsewhere needs no headers.
  const isBrought = Boolean(process.env["AAM_TORCH_SHIM"]) || prebuiltFolder() !== undefined;
  const search = searchLibtorch({ needsHeaders: !isBrought });
  const { libtorch } = search;
  if (!libtorch) {
    problems.push(
      `No usable LibTorch: run \`${commandNames.setup}\`, or set LIBTORCH. Looked at:\n${describeSearch(search)}`,
    );
  }
  const shim = libtorch ? lookForShim(isBrought, problems) : undefined;
  // Of what comes from elsewhere the probe tells what is wrong, with another cure.
  const fault = shim && !isBrought ? faultOfShim(shim.path) : undefined;
  const built = shim !== undefined && fault === undefined;
  if (shim && !built) {
    const what = existsSync(shim.path)
      ? `The native part ${shim.path} ${fault}`
      : "The native part is not built for this LibTorch yet";
    problems.push(`${what}: run \`${commandNames.setup}\`.`);
  }
  const probe = built ? probeNative() : undefined;
  if (probe?.problem) problems.push(probe.problem);
  const native = probe?.facts ?? null;
  let compiler: string | null = null;
  try {
    compiler = findCompiler().join(" ");
  } catch (cause) {
    // Once the native part is built, none is needed.
    if (!built) problems.push((cause as Error).message);
  }
  const disk = statfsSync(existsSync(buildFolder) ? buildFolder : homedir());
  return {
    bun: { version: Bun.version, path: process.execPath },
    libtorch: libtorch
      ? {
          version: libtorch.version,
          path: libtorch.root,
          source: libtorch.source,
          device: describeDevice(search, native),
        }
      : null,
    tried: search.tried.map(({ path, verdict }) => ({ path, verdict })),
    compiler,
    shim: shim ? { path: shim.path, built } : null,
    native,
    processors: { count: availableParallelism(), model: cpus()[0]?.model.trim() ?? "of an unknown kind" },
    memory: { totalBytes: totalmem(), freeBytes: availableMemory() },
    disk: { path: buildFolder, freeBytes: disk.bavail * disk.bsize },
    problems,
  };
}

/** With what several processes train together, and what is missing for more. */
function describeGroups(groups: readonly string[], device: string): string {
  if (groups.length === 0) return "none: this LibTorch has no process groups (see docs/cluster.md)";
  const isBehind = device.includes("CUDA") && !groups.includes("nccl");
  const missing = isBehind
    ? "; without NCCL, as nccl.h and CUDA's headers were not found (see docs/cluster.md)"
    : "";
  return `process groups with ${groups.join(" and ")}${missing}`;
}

function printDiagnosis(found: Diagnosis): void {
  const row = (name: string, text: string) => console.log(`${name.padEnd(11)}${text}`);
  row("Bun", `${found.bun.version} (${found.bun.path})`);
  if (found.libtorch) {
    row("LibTorch", `${found.libtorch.version}, from ${found.libtorch.source}`);
    const untried = found.tried.at(-1)?.verdict.split(", ").slice(2).join(", ");
    if (untried) row("", `Warning: ${untried}`);
    row("", found.libtorch.path);
    for (const { path, verdict } of found.tried.slice(0, -1)) row("", `passed over ${path}: ${verdict}`);
    row("Device", found.libtorch.device);
  } else {
    row("LibTorch", "none");
  }
  row("Compiler", found.compiler ?? "none");
  if (found.shim)
    row("Shim", `${relative(process.cwd(), found.shim.path)}${found.shim.built ? "" : " (not built yet)"}`);
  if (found.native) {
    const { build, threads, processGroups, accelerator } = found.native;
    row("", `compiled against ${build.compiled}, kernels for ${build.cpu}`);
    row("Threads", `${threads} (${build.parallel})`);
    row("Ranks", describeGroups(processGroups, found.libtorch?.device ?? ""));
    if (accelerator) {
      row(
        "",
        `${bytesText(accelerator.freeBytes)} free of ${bytesText(accelerator.totalBytes)} on the device`,
      );
    }
  }
  row("Processor", `${found.processors.count} x ${found.processors.model}`);
  row("Memory", `${bytesText(found.memory.freeBytes)} free of ${bytesText(found.memory.totalBytes)}`);
  row("Disk", `${bytesText(found.disk.freeBytes)} free at ${found.disk.path}`);
  console.log();
  if (found.problems.length === 0) console.log("Everything that is needed is there.");
  for (const problem of found.problems) console.log(`Problem: ${problem}`);
}

/**
 * Prints what was found on this machine, in words or as JSON. @returns 1 when
 * something stops the work, else 0.
 */
export function runDoctor({ json = false }: { json?: boolean } = {}): number {
  const found = diagnose();
  if (json) console.log(JSON.stringify(found, null, 2));
  else printDiagnosis(found);
  return found.problems.length > 0 ? 1 : 0;
}
