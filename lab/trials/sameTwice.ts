import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyDataset } from "../../src/data/dataset/dataset.ts";
import * as torch from "../../src/torch/index.ts";
import { loadCheckpoint, saveCheckpoint } from "../../src/training/loop/checkpoint.ts";
import { RunFolder } from "../../src/training/run/folder.ts";
import { makeStudy, pretrainStudy, weightsOf } from "../material/study.ts";
import { byEffort, type Effort, type Outcome, type Trial } from "./trial.ts";

async function inFolder(run: (folder: string) => Promise<Outcome>): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "aam-same-"));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Four programs prepare the same data set at once, one of which is killed: one whole data set
 * is left, and nothing else.
 */
const prepareAtOnce = (effort: Effort) =>
  inFolder(async (folder) => {
    await makeStudy(join(folder, "study"));
    const rounds = byEffort(effort, { short: 1, usual: 3, full: 20 });
    const lost: string[] = [];
    const program = [
      process.execPath,
      join(import.meta.dir, "prepareChild.ts"),
      join(folder, "study/source"),
    ];
    for (let round = 0; round < rounds; round++) {
      const cache = join(folder, `cache-${round}`);
      const children = Array.from({ length: 4 }, () =>
        Bun.spawn([...program, cache], { stdin: "ignore", stdout: "pipe", stderr: "pipe" }),
      );
      await Bun.sleep(50 * (round % 8));
      children[0].kill("SIGKILL");
      await Promise.all(children.map((child) => child.exited));
      for (const child of children.slice(1))
        if (child.exitCode !== 0) lost.push(`one ended with: ${await new Response(child.stderr).text()}`);
      // Whoever comes next clears away what the killed one left.
      Bun.spawnSync([...program, cache]);
      const found = readdirSync(cache);
      if (found.filter((name) => !name.endsWith(".tmp")).length !== 1) lost.push(`there are ${found}`);
      else verifyDataset(join(cache, found.find((name) => !name.endsWith(".tmp"))!));
    }
    return { tried: 4 * rounds, lost, leaked: [] };
  });

/** Two trainings in one folder at once: the second is refused, and the first goes on unharmed. */
const trainAtOnce = () =>
  inFolder(async (folder) => {
    const study = await makeStudy(join(folder, "study"));
    const run = new RunFolder(join(folder, "run"));
    const first = run.create({ resume: false });
    const lost: string[] = [];
    const message = await pretrainStudy(study, run.path).then(
      () => "nothing",
      (cause: Error) => cause.message,
    );
    if (!/is in use by process \d+ since/.test(message)) lost.push(`the second was told: ${message}`);
    first.release();
    await pretrainStudy(study, run.path);
    return { tried: 1, lost, leaked: [] };
  });

const sameWeights = () =>
  inFolder(async (folder) => {
    const study = await makeStudy(join(folder, "study"));
    const threads = torch.getNumThreads();
    const lost: string[] = [];
    const train = async (name: string, loaderWorker: boolean, count: number) => {
      torch.setNumThreads(count);
      await pretrainStudy(study, join(folder, name), { model: { dropout: 0.1 }, training: { loaderWorker } });
      return weightsOf(new RunFolder(join(folder, name)).lastCheckpoint);
    };
    try {
      const first = await train("first", false, 1);
      const variants = { "the same once more": false, "a loader in a thread of its own": true };
      for (const [what, worker] of Object.entries(variants))
        if (!Bun.deepEquals(await train(what, worker, 1), first)) lost.push(`${what}: other weights`);
      const two = await train("two", false, 2);
      if (!Bun.deepEquals(await train("two again", false, 2), two)) lost.push("two threads: other weights");
      const note = Bun.deepEquals(two, first)
        ? "two threads give what one gives"
        : "two threads differ from one";
      return { tried: 5, lost, leaked: [], note };
    } finally {
      torch.setNumThreads(threads);
    }
  });

/** A checkpoint of another format is refused with the cure. */
const otherVersions = () =>
  inFolder(async (folder) => {
    using _scope = torch.scope();
    const model = new torch.nn.Linear(2, 2);
    const path = join(folder, "checkpoint.safetensors");
    saveCheckpoint(path, { model }, {});
    const { tensors, metadata } = torch.loadSafetensors(path);
    const lost: string[] = [];
    for (const version of [0, 99]) {
      const changed = metadata["aam_checkpoint"].replace(/"version":\d+/, `"version":${version}`);
      const other = join(folder, `${version}.safetensors`);
      torch.saveSafetensors(other, tensors, { ...metadata, aam_checkpoint: changed });
      try {
        loadCheckpoint(other, { model });
        lost.push(`format ${version} was read`);
      } catch (cause) {
        const { name, message } = cause as Error;
        if (name !== "UserError" || !message.includes("train again"))
          lost.push(`format ${version}: ${message}`);
      }
    }
    model.dispose();
    return { tried: 2, lost, leaked: [] };
  });

export const sameTwiceTrials = (): Trial[] => [
  { area: "concurrency", what: "one data set prepared four times at once", run: prepareAtOnce },
  { area: "concurrency", what: "two trainings in one folder", run: trainAtOnce },
  { area: "determinism", what: "the same seed, loader worker, threads", run: sameWeights },
  { area: "versions", what: "checkpoints of other formats", run: otherVersions },
];
