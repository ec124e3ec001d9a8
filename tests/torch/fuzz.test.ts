import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exposedOperators } from "../../src/torch/opList.ts";

const folder = mkdtempSync(join(tmpdir(), "aam-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** In processes of their own: a crash is then a failure that names its call. AAM_FUZZ_SEED chooses other calls. */
const seeds = [0, 1, 2, 3].map((i) => Number(process.env["AAM_FUZZ_SEED"] ?? 1) * 1000 + i);
const callsPerSeed = 5000;
/**
 * The operators with a typed function. Internal ones that only `torch.ops` reaches (`_backward` kernels and the like) trust their callers
 * and can end the process inside LibTorch itself, as they do from Python.
 */
const exposed = Object.values(exposedOperators).flatMap((names) => names.split(" "));
const only = `^aten::(${exposed.join("|")})$`;

for (const seed of seeds) {
  test(`${callsPerSeed} random calls with seed ${seed} end without a crash`, () => {
    const log = join(folder, `${seed}.log`);
    const script = join(import.meta.dir, "fuzz/randomCalls.ts");
    const run = Bun.spawnSync([process.execPath, script, String(seed), String(callsPerSeed), log, only], {
      timeout: 240_000,
    });
    const last = readFileSync(log, "utf8").trimEnd().split("\n").at(-1);
    expect(run.exitCode, `${run.signalCode ?? ""} in ${last}\n${run.stderr.toString().slice(-500)}`).toBe(0);
    const { outcomes, unexpected } = JSON.parse(run.stdout.toString());
    expect(unexpected).toEqual([]);
    expect(outcomes["returned tensors"]).toBeGreaterThan(callsPerSeed / 20);
  }, 250_000);
}
