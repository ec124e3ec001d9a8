/**
 * Trainings by several processes, as a user starts them: they come to what one process
 * comes to, and end together.
 */
import { beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { makeStudy, type Study } from "../../lab/material/study.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import * as torch from "../../src/torch/index.ts";
import { readCheckpointFacts } from "../../src/training/loop/checkpoint.ts";
import { ranksOf } from "../helpers/ranksOf.ts";
import { useScratch } from "../helpers/scratch.ts";
import { showsOptions } from "../helpers/showsOptions.ts";

const program = join(resolve(import.meta.dir, "../.."), "scripts/aam.ts");
const scratch = useScratch();
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"), 26);
});

function start(args: readonly string[], env: Record<string, string> = {}) {
  const { cmd, env: all } = bunProcess([program, ...args], { OMP_NUM_THREADS: "1", ...env });
  return Bun.spawn(cmd, { env: all, stdout: "pipe", stderr: "pipe" });
}

async function ended(child: ReturnType<typeof start>): Promise<{ code: number; out: string; error: string }> {
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, error };
}

const run = (...args: string[]) => ended(start(args));
/** What is told besides warnings: so short a training may well be worse than none. */
const errorsIn = (text: string) => text.replace(/^Warning: .*\n/gm, "");
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

/**
 * Plain steps, and nothing drawn: bases are not hidden. Adam would make large what rounding
 * leaves of gradients of 0.
 */
const plain =
  "--epochs 2 --batch-size 7 --threads 1 --device cpu --no-plots --optimizer sgd --lr 0.05 --nuc-mask-ratio 0 --nuc-share 1".split(
    " ",
  );
const aam = "--encoder aam --embedding-dim 8 --attention-layers 1 --attention-heads 2".split(" ");
const set =
  "--encoder set --codes both --code-dim 16 --word-dim 8 --embedding-dim 8 --attention-layers 1 --attention-heads 2".split(
    " ",
  );

/** How far apart the weights of two runs are at most. */
function difference(a: string, b: string): number {
  const [first, second] = [a, b].map(
    (folder) => torch.loadSafetensors(join(folder, "checkpoints/last.safetensors")).tensors,
  );
  const names = [...first.keys()].filter((name) => name.startsWith("model/"));
  expect(names.length).toBeGreaterThan(10);
  return Math.max(...names.map((name) => first.get(name)!.sub(second.get(name)!).abs().max().item()));
}

async function train(command: string, name: string, ...options: string[]): Promise<string> {
  const output = scratch.path(name);
  const { code, error } = await run(
    command,
    "--dataset",
    study.folder,
    "--output",
    output,
    ...plain,
    ...options,
  );
  expect({ name, code, error: code === 0 ? "" : error }).toEqual({ name, code: 0, error: "" });
  return output;
}

showsOptions(["pretrain", "train", "train.ts"], "--ranks --rank-timeout");

test("two and three ranks pretrain transformers to the weights and figures of one", async () => {
  const options = [
    ...aam,
    ..."--token-limit 6 --asv-sampling random --gradient-accumulation-steps 2 --ema 0.9".split(" "),
  ];
  const one = await train("pretrain", "aam-1", ...options);
  for (const ranks of ["2", "3"]) {
    const many = await train("pretrain", `aam-${ranks}`, ...options, "--ranks", ranks);
    expect(difference(one, many)).toBeLessThan(1e-6);
    const [figures, expected] = [many, one].map((folder) => readJson(folder, "history.json").at(-1));
    for (const part of ["train", "val"])
      for (const [figure, value] of Object.entries(expected[part]))
        expect(figures[part][figure]).toBeCloseTo(value as number, 4);
    expect(readJson(many, "summary.json").samples).toEqual(readJson(one, "summary.json").samples);
  }
});

test("two ranks pretrain a set encoder, one of Faith's PD and one of several metrics, to the weights of one", async () => {
  for (const [name, options] of [
    ["set", set],
    ["faith", [...aam, "--metric", "faith_pd"]],
    ["several", [...set, "--further-metrics", "faith_pd,weighted_normalized"]],
  ] as const) {
    const one = await train("pretrain", `${name}-1`, ...options);
    const two = await train("pretrain", `${name}-2`, ...options, "--ranks", "2");
    expect(difference(one, two)).toBeLessThan(2e-6);
  }
});

test("two ranks fine-tune to the weights of one: targets, counts, distances and nucleotides", async () => {
  const options = [
    ...aam,
    ..."--metadata-column ph,depth --count-prediction --penalty 0.5 --nuc-penalty 0.1".split(" "),
  ];
  const one = await train("train", "fine-1", ...options);
  const two = await train("train", "fine-2", ...options, "--ranks", "2");
  expect(difference(one, two)).toBeLessThan(1e-6);
  expect(readFileSync(join(two, "val_predictions.tsv"), "utf8").split("\n")).toHaveLength(
    readFileSync(join(one, "val_predictions.tsv"), "utf8").split("\n").length,
  );
});

test("a run of two ranks is continued by one, and the other way round, as if nothing had happened", async () => {
  const whole = await train("pretrain", "whole", ...aam);
  const half = await train("pretrain", "half", ...aam, "--epochs", "1", "--ranks", "2");
  const resumed = await run(
    "pretrain",
    "--output",
    half,
    "--resume",
    "--epochs",
    "2",
    "--no-plots",
    "--threads",
    "1",
  );
  expect(resumed.code).toBe(0);
  const again = await train("pretrain", "again", ...aam, "--epochs", "1");
  // As torchrun starts ranks anew: without being told to, they go on from the checkpoint.
  const env = { RANK: "0", WORLD_SIZE: "1", TORCHELASTIC_RESTART_COUNT: "1", MASTER_ADDR: "127.0.0.1" };
  const more = [
    "--output",
    again,
    "--dataset",
    study.folder,
    "--epochs",
    "2",
    "--no-plots",
    "--threads",
    "1",
  ];
  const restarted = await ended(start(["pretrain", ...more], env));
  expect({ code: restarted.code, error: errorsIn(restarted.error) }).toEqual({ code: 0, error: "" });
  for (const run of [half, again]) {
    expect(readJson(run, "history.json")).toHaveLength(2);
    // A learning rate's schedule follows the length that a run was begun with.
    expect(difference(whole, run)).toBeLessThan(0.1);
  }
});

showsOptions(["pretrain", "train"], "--shard-optimizer");
test("ranks that divide the optimizer's state come to the same weights, and go on whole or divided", async () => {
  const adam = "--optimizer adamw --lr 0.01 --scheduler constant --save-minutes 0.0001".split(" ");
  const two = await train("pretrain", "undivided", ...aam, ...adam, "--ranks", "2");
  const divided = ["--ranks", "2", "--shard-optimizer"];
  const sharded = await train("pretrain", "divided", ...aam, ...adam, ...divided);
  const states = (folder: string) =>
    torch.loadSafetensors(join(folder, "checkpoints/last.safetensors")).tensors;
  const [expected, found] = [states(two), states(sharded)];
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, value] of found)
    expect({ name, same: torch.equal(value, expected.get(name)!) }).toEqual({ name, same: true });
  // What was whole goes on divided, and what was divided with one process.
  const [whole, parts] = [["--ranks", "2"], divided];
  const more = [..."--resume --epochs 2 --no-plots --threads 1".split(" ")];
  for (const [before, after] of [
    [whole, parts],
    [parts, []],
  ]) {
    const name = `then-${after.length}`;
    const output = await train("pretrain", name, ...aam, ...adam, "--epochs", "1", ...before);
    expect(await run("pretrain", "--output", output, ...more, ...after)).toMatchObject({ code: 0 });
    expect(states(output).get("optimizer/0/step")?.item()).toBe(expected.get("optimizer/0/step")?.item());
    if (after === parts) expect(difference(two, output)).toBe(0);
  }
  const refused = await run(
    "pretrain",
    "--dataset",
    study.folder,
    "--output",
    scratch.path("no"),
    "--shard-optimizer",
  );
  expect(refused.code).toBe(1);
  expect(refused.error).toBe(
    "Error: --shard-optimizer divides the optimizer's state among ranks; add --ranks, or leave it out.\n",
  );
});

showsOptions(["predict", "embed"], "--ranks --rank-timeout");
test("two and three ranks embed and predict what one does", async () => {
  const options = [...aam, ..."--metadata-column ph --epochs 1".split(" ")];
  const model = await train("train", "model", ...options);
  const rows = (path: string) =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
  for (const command of ["predict", "embed"]) {
    const files: string[] = [];
    for (const ranks of ["1", "2", "3"]) {
      const file = scratch.path(`${command}-${ranks}.tsv`);
      files.push(file);
      const given = ["--model", model, "--dataset", study.folder, "--output", file, "--threads", "1"];
      const { code, error } = await run(command, ...given, "--ranks", ranks, "--rank-timeout", "60");
      expect({ code, error: code === 0 ? "" : error }).toEqual({ code: 0, error: "" });
    }
    const [one, ...many] = files.map(rows);
    expect(one).toHaveLength(27);
    for (const other of many) {
      expect(other.map(([id]) => id)).toEqual(one.map(([id]) => id));
      one.slice(1).forEach((cells, i) => {
        for (const [k, cell] of cells.slice(1).entries())
          expect(Math.abs(Number(other[i + 1][k + 1]) - Number(cell))).toBeLessThan(1e-4);
      });
    }
  }
});

/** A training that would not end, and what `act` does to it once it has made steps. */
async function disturbed(name: string, act: (pids: { launcher: number; ranks: number[] }) => void) {
  const output = scratch.path(name);
  const options = [
    ...plain,
    ...aam,
    "--epochs",
    "100000",
    "--patience",
    "100000",
    "--ranks",
    "2",
    // Far more than a killed rank's connection takes to break.
    "--rank-timeout",
    "120",
  ];
  const child = start(["pretrain", "--dataset", study.folder, "--output", output, ...options]);
  for (let tries = 0; tries < 2400 && !existsSync(join(output, "checkpoints/last.safetensors")); tries++)
    await Bun.sleep(50);
  const ranks = ranksOf(child.pid);
  expect(ranks).toHaveLength(2);
  const since = performance.now();
  act({ launcher: child.pid, ranks });
  const end = await ended(child);
  return { ...end, output, seconds: (performance.now() - since) / 1000 };
}

test.skipIf(process.platform !== "linux")("SIGTERM ends all ranks after the same step, saved", async () => {
  const { code, output } = await disturbed("told", ({ launcher }) => process.kill(launcher, "SIGTERM"));
  expect(code).toBe(0);
  expect(readJson(output, "summary.json")).toMatchObject({ stopped_by: "interrupted" });
  expect(readCheckpointFacts(join(output, "checkpoints/last.safetensors"))["progress"]).toBeDefined();
});

test.skipIf(process.platform !== "linux")(
  "a killed rank ends the run, named, and what it has saved goes on",
  async () => {
    const { code, error, output, seconds } = await disturbed("killed", ({ ranks }) =>
      process.kill(ranks[1], "SIGKILL"),
    );
    expect(code).toBe(137);
    expect(error).toContain("Rank 1 ended with SIGKILL");
    expect(error).toContain("Error: Rank 1 no longer answers");
    expect(seconds).toBeLessThan(25);
    const { epochs } = { epochs: readJson(output, "config.json").training.epochs };
    expect(epochs).toBe(100000);
    const resumed = await run("pretrain", "--output", output, "--resume", "--epochs", "1", "--no-plots");
    expect({ code: resumed.code, error: errorsIn(resumed.error) }).toEqual({ code: 0, error: "" });
  },
);

test("what ranks cannot do together is refused in one sentence, and so is a rank that does not come", async () => {
  const output = ["--dataset", study.folder, "--output", scratch.path("refused")];
  const refused = await run("pretrain", ...output, ...aam, "--ranks", "2", "--debug-nan");
  expect(refused.code).toBe(1);
  expect(refused.error.match(/--debug-nan looks into one process alone/g)).toHaveLength(1);
  const env = { RANK: "0", WORLD_SIZE: "2", MASTER_ADDR: "127.0.0.1", MASTER_PORT: "0" };
  const alone = await ended(start(["pretrain", ...output, ...aam, "--rank-timeout", "1"], env));
  expect(alone.error).toContain("rank 1 of 2 did not start within 1 s");
  const other = await ended(start(["pretrain", ...output, ...aam, "--ranks", "3"], env));
  expect(other.error).toBe("Error: --ranks is 3, but environment has started 2; leave --ranks out there.\n");
});
