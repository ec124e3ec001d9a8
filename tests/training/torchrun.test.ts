/** Trainings that torchrun starts, as docs/cluster.md has it: they come to what `--ranks` comes to. */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import * as torch from "../../src/torch/index.ts";
import { findPython } from "../../src/torch/setup/findPython.ts";
import { freePort } from "../helpers/freePort.ts";
import { ranksOf } from "../helpers/ranksOf.ts";
import { useScratch } from "../helpers/scratch.ts";

const root = resolve(import.meta.dir, "../..");
const python = findPython(["torch"]);
const torchrun = python === undefined ? "" : join(dirname(python), "torchrun");
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 26);
});

const plain =
  "--batch-size 7 --threads 1 --device cpu --no-plots --optimizer sgd --lr 0.05 --nuc-mask-ratio 0 --nuc-share 1 --rank-timeout 120 " +
  "--encoder aam --embedding-dim 8 --attention-layers 1 --attention-heads 2";
const optionsOf = (output: string) =>
  ["--dataset", study.folder, "--output", output].concat(plain.split(" "));

function start(launcher: readonly string[], output: string, more: string) {
  const { cmd, env } = bunProcess([join(root, "pretrain.ts"), ...optionsOf(output), ...more.split(" ")]);
  return Bun.spawn([...launcher, ...cmd], { cwd: root, env, stdout: "pipe", stderr: "pipe" });
}

async function ended(child: ReturnType<typeof start>) {
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, error };
}

const weightsOf = (output: string) =>
  torch.loadSafetensors(join(output, "checkpoints/last.safetensors")).tensors;

async function withRanks(name: string): Promise<ReadonlyMap<string, torch.Tensor>> {
  const output = scratch.path(name);
  expect((await ended(start([], output, "--epochs 2 --ranks 2"))).code).toBe(0);
  return weightsOf(output);
}

function expectSame(output: string, expected: ReadonlyMap<string, torch.Tensor>): void {
  const found = weightsOf(output);
  for (const [name, tensor] of expected)
    if (name.startsWith("model/"))
      expect({ name, same: torch.equal(tensor, found.get(name)!) }).toEqual({ name, same: true });
}

if (!existsSync(torchrun) || process.platform !== "linux")
  test.skip("ranks under torchrun: no torchrun on a Linux machine", () => undefined);
else {
  test("torchrun with two ranks, on one machine and as two machines, trains the weights of --ranks 2", async () => {
    const expected = await withRanks("ranks");
    const one = scratch.path("one-machine");
    const alone = [torchrun, "--standalone", "--nnodes", "1", "--nproc-per-node", "2", "--no-python"];
    const { code, out } = await ended(start(alone, one, "--epochs 2"));
    expect(code).toBe(0);
    // One rank speaks for all.
    expect(out.match(/The run is in /g)).toHaveLength(1);
    expectSame(one, expected);

    const two = scratch.path("two-machines");
    const meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", `localhost:${freePort()}`];
    const agent = [torchrun, "--nnodes", "2", "--nproc-per-node", "1", ...meeting, "--no-python"];
    const agents = await Promise.all([1, 2].map(() => ended(start(agent, two, "--epochs 2"))));
    expect(agents.map((end) => end.code)).toEqual([0, 0]);
    expectSame(two, expected);
  });

  test("torchrun starts a killed rank's training anew, which goes on from its checkpoint", async () => {
    const output = scratch.path("restarted");
    const launcher = [
      torchrun,
      "--standalone",
      "--nproc-per-node",
      "2",
      "--max-restarts",
      "1",
      "--no-python",
    ];
    const child = start(launcher, output, "--epochs 60 --patience 60");
    const end = ended(child);
    const checkpoint = join(output, "checkpoints/last.safetensors");
    for (let tries = 0; tries < 6000 && !existsSync(checkpoint); tries++) await Bun.sleep(20);
    const ranks = ranksOf(child.pid);
    expect(ranks).toHaveLength(2);
    process.kill(ranks[1], "SIGKILL");
    const { code, error, out } = await end;
    expect({ code, error: code === 0 ? "" : error }).toEqual({ code: 0, error: "" });
    expect(error).toContain("exitcode: -9");
    // Begun twice, and no epoch trained anew that was saved.
    expect(out.match(/training on cpu with 2 ranks/g)).toHaveLength(2);
    const epochs = Array.from(out.matchAll(/^Epoch (\d+)\//gm), ([, epoch]) => Number(epoch));
    expect(epochs.filter((epoch) => epoch === 1)).toHaveLength(1);
    expect(epochs.at(-1)).toBe(60);
    expect(JSON.parse(readFileSync(join(output, "history.json"), "utf8"))).toHaveLength(60);
  });
}
