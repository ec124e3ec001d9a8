import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { bunProcess } from "../../src/common/bunProcess.ts";
import { searchLibtorch } from "../../src/torch/setup/findLibtorch.ts";
import { findPython } from "../../src/torch/setup/findPython.ts";
import { projectRoot } from "../../src/torch/setup/places.ts";
import type { NativeFacts } from "../../src/torch/tools/nativeProbe.ts";

export interface Gpu {
  readonly name: string;
  readonly driver: string;
  readonly memory_mib: number;
}

/** The GPUs that the driver tells; none where there is no driver. */
export function readGpus(): Gpu[] {
  const command = [
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.total",
    "--format=csv,noheader,nounits",
  ];
  if (Bun.which(command[0]) === null) return [];
  const done = Bun.spawnSync(command, { stdout: "pipe", stderr: "ignore" });
  if (done.exitCode !== 0) return [];
  const lines = done.stdout.toString().trim().split("\n");
  return lines.map((line) => {
    const [name, driver, memory] = line.split(",").map((cell) => cell.trim());
    return { name, driver, memory_mib: Number(memory) };
  });
}

/** What the report says of the machine and the software. */
export function describeHost() {
  const processors = cpus();
  const { libtorch } = searchLibtorch();
  return {
    host: {
      name: hostname(),
      system: `${platform()} ${release()} ${arch()}`,
      processors: processors.length,
      processor: processors[0]?.model ?? "unknown",
      memory_gib: Number((totalmem() / 2 ** 30).toFixed(1)),
    },
    gpus: readGpus(),
    libtorch: libtorch ? { version: libtorch.version, cuda: libtorch.cuda, source: libtorch.source } : null,
    bun: Bun.version,
    python: findPython(["torch"]) ?? null,
  };
}

/** Whether the native part, which is built for that if need be, finds a CUDA device. */
export function libtorchSeesCuda(): boolean {
  const { cmd, env } = bunProcess([join(projectRoot, "src/torch/tools/nativeProbe.ts")]);
  const done = Bun.spawnSync(cmd, { env, stdout: "pipe", stderr: "inherit" });
  if (done.exitCode !== 0) return false;
  return (JSON.parse(done.stdout.toString()) as NativeFacts).accelerator?.type === "cuda";
}

/** Why nothing can be run on a GPU here, in one sentence that names the cure; null where it can. */
export function whyNoCuda(
  libtorch: { version: string; cuda: string | null } | null,
  gpus: readonly Gpu[],
): string | null {
  const dryRun = "scripts/cuda-check.sh --cpu runs the same stages on the CPU";
  if (libtorch === null)
    return `No LibTorch was found on this host: install Python's torch 2.11 to 2.15 with CUDA, or set LIBTORCH; ${dryRun} once there is one.`;
  if (libtorch.cuda === null)
    return `This host's LibTorch ${libtorch.version} is a CPU build: install Python's torch with CUDA, or set LIBTORCH; ${dryRun}.`;
  if (gpus.length === 0)
    return `This host has no NVIDIA GPU that its driver tells of (nvidia-smi finds none); ${dryRun}.`;
  return null;
}
