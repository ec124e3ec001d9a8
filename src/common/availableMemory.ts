import { readFileSync } from "node:fs";
import { freemem } from "node:os";

/**
 * Bytes of memory that this process can still get: what the kernel calls available, and no more than its
 * control group (a container, a batch job) leaves.
 */
export function availableMemory(): number {
  const kibibytes = /^MemAvailable:\s+(\d+)/m.exec(textOf("/proc/meminfo"))?.[1];
  const machine = kibibytes ? Number(kibibytes) * 1024 : freemem();
  return Math.min(machine, groupMemory() ?? machine);
}

/** What the control group leaves (version 2, then 1), null where it sets no limit. */
function groupMemory(): number | null {
  const root = "/sys/fs/cgroup";
  const own = /^0::(\/.*)$/m.exec(textOf("/proc/self/cgroup"))?.[1] ?? "/";
  for (const [limitFile, usedFile] of [
    [`${root}${own}/memory.max`, `${root}${own}/memory.current`],
    [`${root}/memory.max`, `${root}/memory.current`],
    [`${root}/memory/memory.limit_in_bytes`, `${root}/memory/memory.usage_in_bytes`],
  ]) {
    const [limit, used] = [textOf(limitFile), textOf(usedFile)].map((text) =>
      text.trim() === "" ? Number.NaN : Number(text),
    );
    // Version 1 says "no limit" with a number beyond any memory; version 2 with a word.
    if (Number.isFinite(limit) && Number.isFinite(used) && limit < 2 ** 60) return Math.max(0, limit - used);
  }
  return null;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
