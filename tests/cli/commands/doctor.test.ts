import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Diagnosis } from "../../../src/torch/tools/doctor.ts";
import { showsOptions } from "../../helpers/showsOptions.ts";

const root = resolve(import.meta.dir, "../../..");

function runDoctor(args: string[], env: Record<string, string> = {}): { code: number; out: string } {
  const done = Bun.spawnSync([process.execPath, join(root, "scripts/aam.ts"), "doctor", ...args], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  return { code: done.exitCode, out: done.stdout.toString() };
}

showsOptions("doctor", "--json");
test("the doctor finds all that is needed, and says so in words and as JSON", () => {
  const { code, out } = runDoctor([]);
  expect(code).toBe(0);
  for (const row of [
    "Bun",
    "LibTorch",
    "Device",
    "Compiler",
    "Shim",
    "Threads",
    "Processor",
    "Memory",
    "Disk",
  ]) {
    expect(out).toMatch(new RegExp(`^${row} +\\S`, "m"));
  }
  const found = JSON.parse(runDoctor(["--json"]).out) as Diagnosis;
  expect(found.problems).toEqual([]);
  expect(found.bun.version).toBe(Bun.version);
  expect(existsSync(join(found.libtorch?.path ?? "", "include/ATen/ATen.h"))).toBe(true);
  expect(found.native?.build.libtorch).toBe(found.libtorch?.version ?? "");
  expect(found.native?.threads).toBeGreaterThan(0);
  expect(found.memory.totalBytes).toBeGreaterThan(found.memory.freeBytes);
});

test("a LIBTORCH that does not serve is passed over, with the reason", () => {
  const { out } = runDoctor(["--json"], { LIBTORCH: join(root, "no-such-folder") });
  const found = JSON.parse(out) as Diagnosis;
  expect(found.tried[0]).toEqual({ path: join(root, "no-such-folder"), verdict: "no such folder" });
});
