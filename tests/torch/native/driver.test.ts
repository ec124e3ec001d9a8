import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceFolder } from "../../../src/torch/setup/build.ts";
import { findCompiler } from "../../../src/torch/setup/compiler.ts";

// The driver under sanitizers takes minutes to build, so the suite only sees to it that it can be
// built and forgets nothing.
const folder = join(import.meta.dir, "../../../lab/trials/native");
const sources = readdirSync(folder).filter((name) => name.endsWith(".cpp"));

test("the driver of the sanitizers fits the shim's header", () => {
  const files = sources.map((name) => join(folder, name));
  const { exitCode, stderr } = Bun.spawnSync([
    ...findCompiler(),
    ...["-std=c++20", "-fsyntax-only"],
    ...files,
  ]);
  expect(stderr.toString()).toBe("");
  expect(exitCode).toBe(0);
}, 60_000);

test("the driver calls every function that the shim exports", () => {
  const exported = readFileSync(join(sourceFolder, "aam_torch.h"), "utf8").matchAll(
    /^AAMT_EXPORT [^(]*?(aamt_\w+)\(/gm,
  );
  const names = [...exported].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(60);
  const text = [...sources, "driver.h"].map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});
