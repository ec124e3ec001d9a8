import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { availableMemory } from "../../src/common/availableMemory.ts";
import { useScratch } from "../helpers/scratch.ts";

const scratch = useScratch();
const machine = { "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n" };

test.each([
  ["what the kernel calls available", {}, 8000 * 1024],
  [
    "no more than a group leaves, whose unused files are free",
    {
      "proc/self/cgroup": "0::/job\n",
      "sys/fs/cgroup/job/memory.max": "5000\n",
      "sys/fs/cgroup/job/memory.current": "4500\n",
      "sys/fs/cgroup/job/memory.stat": "anon 1\nactive_file 7\ninactive_file 300\n",
    },
    800,
  ],
  [
    "no more than a group leaves that the own one is in",
    {
      "proc/self/cgroup": "0::/job/step/task\n",
      "sys/fs/cgroup/job/memory.max": "5000\n",
      "sys/fs/cgroup/job/memory.current": "4500\n",
      "sys/fs/cgroup/job/step/task/memory.max": "max\n",
      "sys/fs/cgroup/job/step/task/memory.current": "100\n",
    },
    500,
  ],
  [
    "the same of version 1, in a container that knows its path outside",
    {
      "proc/self/cgroup": "5:devices:/\n4:cpu,memory:/docker/abc\n0::/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "7000\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "6000\n",
      "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 50\n",
    },
    1050,
  ],
  [
    "all of it where version 1 sets no limit",
    {
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "6000\n",
    },
    8000 * 1024,
  ],
])("%s is available", (name, files, bytes) => {
  const root = scratch.path(name);
  for (const [file, text] of Object.entries({ ...machine, ...files })) {
    const path = `${root}/${file}`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(availableMemory(root)).toBe(bytes);
});
