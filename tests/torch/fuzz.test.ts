import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "../../src/torch/index.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * In processes of their own: a crash is then a failure that names its call.
 * AAM_FUZZ_SEED chooses other calls.
 */
const seeds = [0, 1, 2, 3].map((i) => Number(process.env["AAM_FUZZ_SEED"] ?? 1) * 1000 + i);
const callsPerSeed = 5000;
for (const seed of seeds) {
  test(`${callsPerSeed} random calls with seed ${seed} end without a crash`, () => {
    const log = join(folder, `${seed}.log`);
    const script = join(import.meta.dir, "fuzz/randomCalls.ts");
    const run = Bun.spawnSync([process.execPath, script, String(seed), String(callsPerSeed), log], {
      timeout: 240_000,
    });
    const last = readFileSync(log, "utf8").trimEnd().split("\n").at(-1);
    expect(run.exitCode, `${run.signalCode ?? ""} in ${last}\n${run.stderr.toString().slice(-500)}`).toBe(0);
    const { outcomes, unexpected, operators } = JSON.parse(run.stdout.toString());
    expect(unexpected).toEqual([]);
    expect(operators).toBeGreaterThan(900);
    expect(outcomes["returned tensors"]).toBeGreaterThan(callsPerSeed / 20);
  }, 250_000);
}

test("internal operators are refused without `unsafe`, and reachable with it", () => {
  using _s = torch.scope();
  const x = torch.tensor([1, -1]);
  for (const name of [
    "_softmax",
    "_fused_adamw_",
    "_foreach_copy",
    "threshold_backward",
    "cudnn_batch_norm",
    "mkldnn_linear",
  ]) {
    expect(() => Object(torch.ops.aten)[name]).toThrow(`torch.ops.unsafe.aten.${name}`);
    expect(typeof torch.ops.unsafe["aten"][name]).toBe("function");
  }
  expect(() => (torch.ops as unknown as typeof torch.ops.unsafe)["quantized"]["add"]).toThrow(
    torch.TorchError,
  );
  const gradient = torch.ops.unsafe["aten"]["threshold_backward"](torch.ones([2]), x, 0) as torch.Tensor;
  expect(gradient.toArray()).toEqual([1, 0]);
  expect((torch.ops.aten["_foreach_neg"]([x]) as torch.Tensor[])[0].toArray()).toEqual([-1, 1]);
});
