/**
 * Before every test of every file, whether files share a process (`bun test`, an editor's runner) or not
 * (`npm test`): what a test sets for the whole process ends with it. Replaced functions (`spyOn`) are put
 * back by who replaces them; `mock.module` is not used at all, since it lasts for all files that come after.
 */
import { beforeEach } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as Torch from "../../src/torch/index.ts";

/** In milliseconds; far above what any test needs, so that only one that hangs ends by it. */
const testTime = 300_000;

// bunfig.toml has no setting for it, and Bun goes back to 5 s with every file: each sets it in its first
// line. There it also collects what the files before it have left, so that none of their tensors ends
// while it counts its own.
const firstLine = `import { setDefaultTimeout as setTestTime } from "bun:test"; setTestTime(${testTime}); Bun.gc(true); `;
Bun.plugin({
  name: "test time",
  setup(build) {
    build.onLoad({ filter: /\.test\.ts$/ }, ({ path }) => ({
      contents: firstLine + readFileSync(path, "utf8"),
      loader: "ts",
    }));
  },
});

const torchIndex = join(import.meta.dir, "../../src/torch/index.ts");

beforeEach(() => {
  process.exitCode = 0;
  // Tests without tensors need no LibTorch.
  if (!(torchIndex in require.cache)) return;
  const torch = require(torchIndex) as typeof Torch;
  torch.manualSeed(0);
  torch.setDefaultDtype("float32");
  torch.useDeterministicAlgorithms(false);
});
