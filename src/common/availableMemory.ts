import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import { dirname, join } from "node:path";

/**
 * Bytes of memory that this process can still get: what the kernel calls available, and no more than its
 * control groups (a container, a batch job) leave. What they keep of files that are not in use counts as
 * free, as the kernel counts it. `root` is where /proc and /sys are, for tests.
 */
export function availableMemory(root = "/"): number {
  const kibibytes = /^MemAvailable:\s+(\d+)/m.exec(textOf(join(root, "proc/meminfo")))?.[1];
  const machine = kibibytes ? Number(kibibytes) * 1024 : freemem();
  return Math.min(machine, ...groupMemory(root));
}

/** How the two versions of control groups name their limits and what counts against them. */
const versions = [
  { own: /^0::(\/.*)$/m, folder: "", limit: "memory.max", used: "memory.current", files: "inactive_file" },
  {
    own: /^\d+:(?:\w+,)*memory(?:,\w+)*:(\/.*)$/m,
    folder: "memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: "total_inactive_file",
  },
];

/** What each control group leaves that sets a limit: this process's own and those that it is in. */
function groupMemory(root: string): number[] {
  const groups = textOf(join(root, "proc/self/cgroup"));
  const found: number[] = [];
  for (const { own, folder, limit, used, files } of versions) {
    // In a container the own path may be that outside, of which only the end of the way up is here.
    for (let path = own.exec(groups)?.[1] ?? "/"; ; path = dirname(path)) {
      const read = (name: string) => textOf(join(root, "sys/fs/cgroup", folder, path, name));
      const [most, taken] = [read(limit), read(used)].map((text) =>
        text.trim() === "" ? Number.NaN : Number(text),
      );
      const unused = Number(new RegExp(`^${files} (\\d+)$`, "m").exec(read("memory.stat"))?.[1] ?? 0);
      // Version 1 says "no limit" with a number beyond any memory; version 2 with a word.
      if (most < 2 ** 60 && taken >= 0) found.push(Math.max(0, most - taken + unused));
      if (path === "/") break;
    }
  }
  return found;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
