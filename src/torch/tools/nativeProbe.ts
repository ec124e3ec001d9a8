// Run by the doctor as a process of its own: a library that crashes when it is loaded then
// takes down only this one.

import * as torch from "../index.ts";
import type { BuildInfo } from "../native/library.ts";

/** What the loaded native part says of itself and the machine. */
export interface NativeFacts {
  readonly build: BuildInfo;
  readonly threads: number;
  /** What several processes can train together with; none where LibTorch or its headers lack it. */
  readonly processGroups: ("gloo" | "nccl")[];
  readonly accelerator: {
    readonly type: string;
    readonly count: number;
    readonly freeBytes: number;
    readonly totalBytes: number;
  } | null;
}

function readFacts(): NativeFacts {
  const found = torch.accelerator();
  const { free, total } = torch.memory().device;
  return {
    build: torch.buildInfo(),
    threads: torch.getNumThreads(),
    processGroups: [
      ...(torch.distributed.isAvailable() ? (["gloo"] as const) : []),
      ...(torch.distributed.isNcclAvailable() ? (["nccl"] as const) : []),
    ],
    accelerator: found ? { ...found, freeBytes: free, totalBytes: total } : null,
  };
}

if (import.meta.main) {
  try {
    console.log(JSON.stringify(readFacts()));
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : String(cause));
    process.exit(1);
  }
}
