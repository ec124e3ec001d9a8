import { join, resolve } from "node:path";
import type { Outcome, Trial } from "./trial.ts";

const root = resolve(import.meta.dir, "../..");

/**
 * Test files of the suite that show a promise; the short form, which is a part of the suite, leaves them out.
 */
const files: readonly { area: string; what: string; path: string }[] = [
  {
    area: "crash safety",
    what: "kill -9 and resume give the same weights",
    path: "tests/training/resume.test.ts",
  },
  {
    area: "native side",
    what: "wrong handles and argument counts",
    path: "tests/torch/native/library.test.ts",
  },
  {
    area: "native side",
    what: "use after dispose, wrong shapes, too much memory",
    path: "tests/torch/native/errors.test.ts",
  },
  { area: "native side", what: "scopes free everything once", path: "tests/torch/core/scope.test.ts" },
  {
    area: "concurrency",
    what: "locks of a folder, kill -9 included",
    path: "tests/common/files/folderLock.test.ts",
  },
  {
    area: "versions",
    what: "data sets of other versions, damaged ones",
    path: "tests/data/dataset/dataset.test.ts",
  },
  {
    area: "versions",
    what: "the shim belongs to its LibTorch and sources",
    path: "tests/torch/setup/build.test.ts",
  },
];

export const suiteTrials = (): Trial[] =>
  files.map(({ area, what, path }) => ({ area, what, run: () => runTestFile(path) }));

function runTestFile(path: string): Outcome {
  const command = [process.execPath, "test", join(root, path), "--timeout=300000"];
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: root, stdin: "ignore" });
  const output = stderr.toString();
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const failed = output.split("\n").filter((line) => line.startsWith("(fail)"));
  const lost = exitCode === 0 ? [] : failed.length > 0 ? failed : [`${path} ended with ${exitCode}`];
  return { tried: count("pass") + count("fail"), lost, leaked: [], note: path };
}
