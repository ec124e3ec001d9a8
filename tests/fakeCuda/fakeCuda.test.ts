/**
 * The whole program on a CUDA device that is none: numbers are the CPU's, but a tensor that lies on the wrong
 * device is an error, as it would be on a GPU. What this cannot show is CUDA's own kernels and their speed:
 * `scripts/cuda-check.sh` does, on a GPU.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import { ensureFakeCuda, whyNoFakeCuda } from "./build.ts";

const root = resolve(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "fake-cuda-"));
afterAll(() => rmSync(folder, { recursive: true }));

const obstacle = whyNoFakeCuda();
if (obstacle) console.log(`the fake CUDA device: skipped, ${obstacle}`);
else ensureFakeCuda();

function bun(...args: string[]): { code: number; out: string; err: string } {
  const done = Bun.spawnSync([process.execPath, ...args], {
    cwd: root,
    env: {
      ...process.env,
      BUN_OPTIONS: `--preload=${join(import.meta.dir, "load.ts")}`,
      AAM_TEST_DEVICE: "cuda",
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
}

const simulation = simulate({
  samples: 24,
  asvs: 30,
  richness: 12,
  length: 24,
  depth: 400,
  varyLength: true,
});
const { table, tree, metadata } = writeSimulation(join(folder, "study"), simulation);
const onCuda = ["--device", "cuda", "--threads", "1", "--quiet"];
const shape = "--embedding-dim 8 --layers 1 --heads 2 --token-limit 32 --max-bp 30".split(" ");

test.skipIf(obstacle !== null)("it tells tensors of both places apart", () => {
  const program = `
    const torch = await import("./src/torch/index.ts");
    const there = torch.ones([2], { device: "cuda" });
    console.log(torch.accelerator().type, there.device, there.mul(3).toArray().join());
    try { torch.cat([there, torch.ones([2])]); } catch (error) { console.log(error.message); }
    try { torch.embedding(torch.ones([3, 2], { device: "cuda" }), torch.tensor([1n])); } catch (error) { console.log(error.message); }
    try { torch.empty([2 ** 33], { device: "cuda" }); } catch (error) { console.log(error.kind); }`;
  const { out } = bun("-e", program);
  const [facts, cat, embedding, memory] = out.trim().split("\n");
  expect(facts).toBe("cuda cuda:0 3,3");
  expect(cat).toContain("same device");
  expect(embedding).toContain("same device");
  expect(memory).toBe("out-of-memory");
});

test.skipIf(obstacle !== null)("the tests of numbers pass on it", () => {
  const files = ["models/sequencePredictor", "training/hostReads"];
  for (const file of files) {
    const { code, err } = bun("test", `./tests/${file}.test.ts`, "--timeout=120000");
    expect({ file, code, end: code === 0 ? "" : err.slice(-2000) }).toEqual({ file, code: 0, end: "" });
  }
});

test.skipIf(obstacle !== null)("pretraining, fine-tuning and prediction run on it, in bf16", () => {
  const run = (...args: string[]) => {
    const { code, err } = bun("scripts/aam.ts", ...args, ...onCuda);
    expect({ command: args[0], code, end: code === 0 ? "" : err }).toEqual({
      command: args[0],
      code: 0,
      end: "",
    });
  };
  const brief = ["--epochs", "2", "--batch-size", "6", "--no-plots"];
  const kinds = {
    aam: ["--encoder", "aam", ...shape],
    set: "--code-dim 16 --word-dim 8 --words 4 --token-limit 32 --max-bp 30 --min-epoch-steps 1".split(" "),
  };
  for (const [kind, options] of Object.entries(kinds)) {
    const [encoder, tuned, predictions] = ["encoder", "tuned", "predictions.tsv"].map((name) =>
      join(folder, `${kind}-${name}`),
    );
    run("pretrain", "--table", table, "--tree", tree, "--output", encoder, ...options, ...brief);
    const { device } = JSON.parse(readFileSync(join(encoder, "summary.json"), "utf8"));
    expect(device).toStartWith("cuda");
    const targets = ["--metadata", metadata, "--metadata-column", "ph", "--pretrained-encoder", encoder];
    run("train", "--table", table, "--output", tuned, ...targets, ...brief);
    const contributions = join(folder, `${kind}-contributions.tsv`);
    const written = ["--output", predictions, "--contributions", contributions];
    run("predict", "--model", tuned, "--table", table, ...written);
    expect([predictions, contributions].map(existsSync)).toEqual([true, true]);
  }
});

test.skipIf(obstacle !== null)("a benchmark refuses the kernel of attention that keeps all weights", () => {
  const step = ["bench", "step", "--table", table, "--tree", tree, "--batch-size", "4", "--no-partner"];
  const { code, err } = bun("scripts/aam.ts", ...step, ...shape, "--rounds", "1", "--device", "cuda");
  expect(code).toBe(1);
  expect(err).toMatch(/On cuda attention ran as math; expected flash/);
});
