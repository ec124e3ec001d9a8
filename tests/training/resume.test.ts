import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fineTuneStudy, makeStudy, pretrainStudy, type Study, weightsOf } from "../../lab/material/study.ts";
import { readScalars } from "../../lab/material/tensorboard/eventReader.ts";
import { Random } from "../../src/common/random/random.ts";
import { refusal, succeed } from "../helpers/commandLine.ts";
import { useScratch } from "../helpers/scratch.ts";

// Other programs may keep the machine busy.
const scratch = useScratch();
const program = join(resolve(import.meta.dir, "../.."), "scripts/aam.ts");
let study: Study;
beforeAll(async () => {
  study = await makeStudy(scratch.path("study"));
});

const last = (run: string) => join(scratch.path(run), "checkpoints/last.safetensors");
const best = (run: string) => join(scratch.path(run), "checkpoints/best.safetensors");

describe("a training that is ended and continued", () => {
  test("by a limit of steps equals one without a break, dropout, masks and averages included", async () => {
    const model = { dropout: 0.1 };
    const training = { epochs: 3, scheduler: "constant" as const, ema: 0.9, gradientAccumulationSteps: 2 };
    await pretrainStudy(study, scratch.path("whole"), { model, training });
    await pretrainStudy(study, scratch.path("parts"), { model, training: { ...training, epochs: 1 } });
    await pretrainStudy(study, scratch.path("parts"), { model, training }, { resume: true });
    expect(weightsOf(last("parts"))).toEqual(weightsOf(last("whole")));
    expect(weightsOf(best("parts"))).toEqual(weightsOf(best("whole")));
  });

  test("of one that started from an encoder that is gone by then", async () => {
    const model = { encoder: "set" as const, codeDim: 8, wordDim: 8 };
    const startFrom = scratch.path("gone");
    const training = { epochs: 1, nucPenalty: 0 };
    await pretrainStudy(study, startFrom, { model, training });
    const output = scratch.path("started");
    await pretrainStudy(study, output, { model, startFrom, training });
    rmSync(startFrom, { recursive: true });
    const more = { model, startFrom, training: { ...training, epochs: 3 } };
    expect((await pretrainStudy(study, output, more, { resume: true })).summary.epochs).toBe(3);
  });

  test("of fine-tuning too, with categories", async () => {
    const config = {
      categorical: { columns: ["site"], fusion: "gmu" as const },
      target: { metadataColumn: ["ph", "depth"] },
    };
    const training = { epochs: 3, scheduler: "constant" as const };
    await fineTuneStudy(study, scratch.path("whole-f"), { ...config, training });
    await fineTuneStudy(study, scratch.path("parts-f"), { ...config, training: { ...training, epochs: 2 } });
    await fineTuneStudy(study, scratch.path("parts-f"), { ...config, training }, { resume: true });
    expect(weightsOf(last("parts-f"))).toEqual(weightsOf(last("whole-f")));
  });
});

function command(run: string, ...more: string[]): string[] {
  const options = {
    encoder: "aam",
    "embedding-dim": "8",
    "attention-layers": "1",
    "attention-heads": "2",
    "max-bp": "24",
    "batch-size": "8",
    epochs: "6",
  };
  return [
    process.execPath,
    program,
    "pretrain",
    "--output",
    scratch.path(run),
    ...["--threads", "1", "--quiet", "--no-plots"],
    ...(more.includes("--resume") ? [] : ["--dataset", study.folder, "--save-minutes", "0.0001"]),
    ...(more.includes("--resume")
      ? []
      : Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])),
    ...more,
  ];
}

/** As many kills in one training; an undisturbed run of it lasts longer than all their moments together. */
const kills = 10;
const epochs = 40;

test("B24: kill -9 at ten random moments: the final weights equal those of an undisturbed run", async () => {
  const quiet = { stdout: "ignore", stderr: "pipe" } as const;
  const length = ["--epochs", String(epochs), "--patience", String(epochs)];
  const whole = Bun.spawnSync(command("calm", ...length), quiet);
  const said = (text: string) => text.replaceAll(/^Warning: The model .*\n/gm, "");
  expect(said(whole.stderr.toString())).toBe("");
  const random = new Random(11);
  for (let kill = 0; kill < kills; kill++) {
    const before = changedAt(last("killed"));
    const child = Bun.spawn(command("killed", ...(before > 0 ? ["--resume"] : length)), quiet);
    // Once its checkpoint changes it trains; then it has some moments left.
    while (child.exitCode === null && changedAt(last("killed")) === before) await Bun.sleep(2);
    await Bun.sleep(random.integer(60));
    child.kill("SIGKILL");
    await child.exited;
    // Otherwise it had come to its end, or failed, and this kill did not happen.
    expect([kill, child.signalCode, await new Response(child.stderr).text()]).toEqual([kill, "SIGKILL", ""]);
  }
  const rest = Bun.spawnSync(command("killed", "--resume"), quiet);
  expect([rest.exitCode, said(rest.stderr.toString())]).toEqual([0, ""]);
  expect(weightsOf(last("killed"))).toEqual(weightsOf(last("calm")));
  expect(weightsOf(best("killed"))).toEqual(weightsOf(best("calm")));
  // No epoch is logged twice.
  const logged = readScalars(join(scratch.path("killed"), "tensorboard")).get("val/total_loss");
  expect(logged?.map(({ step }) => step)).toEqual(Array.from({ length: epochs }, (_, epoch) => epoch));
});

test("SIGTERM ends a training saved, with exit code 0, and it can go on", async () => {
  const child = Bun.spawn(command("terminated", "--epochs", "100000", "--patience", "100000"), {
    stdout: "pipe",
    stderr: "pipe",
  });
  while (child.exitCode === null && !existsSync(last("terminated"))) await Bun.sleep(10);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  expect(await new Response(child.stdout).text()).toContain("interrupted");
  const more = Bun.spawnSync(command("terminated", "--resume", "--max-steps", "1"), {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(more.exitCode).toBe(0);
});

test("B24: a run goes on only with what it was begun with", () => {
  const changed = Bun.spawnSync(command("calm", "--resume", "--lr", "0.5"), {
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(changed.exitCode).toBe(1);
  expect(changed.stderr.toString()).toMatch(/--lr is 0\.5, but the run in .* was begun with 0\.001/);
  const again = Bun.spawnSync(command("calm"), { stdout: "pipe", stderr: "pipe" });
  expect(again.stderr.toString()).toContain("holds a run already");
});

test("auto means what was decided when the run began, and a line says what that is", async () => {
  const output = ["pretrain", "--output", scratch.path("decided"), "--no-plots", "--threads", "1"];
  const small = "--code-dim 8 --word-dim 8 --nuc-penalty 0 --save-minutes 60".split(" ");
  await succeed(...output, "--dataset", study.folder, ...small, "--mixtures", "auto", "--epochs", "1");
  const auto = "--mixtures auto --long-words auto --pooling auto --start-from auto".split(" ");
  const text = await succeed(...output, "--resume", "--epochs", "2", ...auto);
  expect(text).toContain(" samples/s (mixtures included), ended by epochs");
  expect(text).toContain("--mixtures auto: the run goes on with 400, as it was begun.");
  expect(text).toContain("--start-from auto: the run goes on with none, as it was begun.");
  await succeed(...output, "--resume", "--epochs", "2", "--start-from", "none");
  expect(await refusal(...output, "--resume", "--mixtures", "8")).toContain(
    "--mixtures is 8, but the run in",
  );
});

/** When a file was written, 0 if there is none. */
function changedAt(path: string): number {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}
