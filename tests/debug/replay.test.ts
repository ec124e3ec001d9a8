import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EncoderTask } from "../../debug/lib/encoderTask.ts";
import { makeFaultyStep } from "../../debug/lib/faultyStep.ts";
import { replay } from "../../debug/replay.ts";
import { Random } from "../../src/common/random/random.ts";
import { BatchBuilder } from "../../src/data/batches/batch.ts";
import { simulate, writeSimulation } from "../../src/data/simulate/simulate.ts";
import * as torch from "../../src/torch/index.ts";
import { NanDetector, NonFiniteError, randomStates } from "../../src/training/loop/nanDetector.ts";
import { loadRepro, saveRepro } from "../../src/training/loop/nanRepro.ts";
import { projectRoot } from "../helpers/projectFiles.ts";
import { context, faultsOf, smallSubject } from "./faults.ts";

const options = { device: "cpu", dataset: null, scratch: context.scratch } as const;

test("replay: the place that a training with --debug-nan named is found again, a mended step is told as such", async () => {
  const repro = loadRepro(await makeFaultyStep(context.scratch));
  const finding = await replay(repro, options);
  expect(faultsOf(finding)).toEqual([]);
  expect(finding.answer).toStartWith("Again, the output of sample_encoder.");
  const finite = new Map([...repro.weights].map(([name, value]) => [name, value.mul(0)]));
  const mended = await replay({ ...repro, weights: finite }, options);
  expect(mended.answer).toContain("gives finite values");
  expect(faultsOf(mended)).toEqual(["the recorded place is found again"]);
});

/** One watched step of a fresh model; the error that it ends with. */
async function watchedStep(spoil: (model: Awaited<ReturnType<typeof smallSubject>>["model"]) => void) {
  const subject = await smallSubject(false, { samples: 20 });
  const { dataset, metric, model, train, config } = subject;
  spoil(model);
  const sampleId = (index: number) => dataset.sampleIds[index];
  using detector = new NanDetector(model, {
    folder: join(context.scratch, "watched"),
    sampleId,
    facts: { config },
  });
  const batch = new BatchBuilder(dataset, { distance: metric }).build(train.subarray(0, 6), new Random(0));
  using _scope = torch.scope();
  model.train();
  try {
    detector.startStep(batch, 7, randomStates(model));
    const { total, parts } = new EncoderTask(model, subject).losses(batch);
    detector.checkLosses({ ...parts, total_loss: total });
    total.backward();
    detector.checkGradients();
  } catch (cause) {
    if (cause instanceof NonFiniteError) return { error: cause, batch };
    throw cause;
  }
  return { error: null, batch };
}

test("the detector names a NaN weight, the samples and the step, and keeps the batch bit for bit", async () => {
  expect((await watchedStep(() => undefined)).error).toBeNull();
  const { error, batch } = await watchedStep((model) => {
    torch.noGrad(() => model.encoderTransformer.norm.weight!.narrow(0, 3, 1).fill_(Number.NaN));
  });
  expect(error!.site).toEqual({
    kind: "weight",
    path: "encoder_transformer.norm.weight",
    shape: [32],
    nan: 1,
    infinite: 0,
    total: 32,
  });
  expect(error!.message).toStartWith(
    "Step 7: the weight encoder_transformer.norm.weight [32] is not finite (1 NaN",
  );
  expect(existsSync(error!.reproPath)).toBe(true);
  const repro = loadRepro(error!.reproPath);
  expect(repro.step).toBe(7);
  expect(repro.batch).toEqual(batch);
  expect(repro.weights.get("encoder_transformer.norm.weight")!.toFloat64Array()[3]).toBeNaN();
});

/** Makes one value of a checkpoint's weight NaN. */
function spoilCheckpoint(path: string, weight: string): void {
  using _scope = torch.scope();
  const { tensors, metadata } = torch.loadSafetensors(path);
  const copies = new Map([...tensors].map(([name, value]) => [name, value.clone()]));
  copies.get(`model/${weight}`)!.narrow(0, 1, 1).narrow(1, 2, 1).fill_(Number.NaN);
  torch.saveSafetensors(path, copies, metadata);
}

test("from the command line: a run goes on from a NaN weight, is stopped with its place, and the step is replayed", () => {
  const run = (script: string, ...args: string[]) => {
    const done = Bun.spawnSync([process.execPath, join(projectRoot, script), ...args], {
      stdout: "pipe",
      stderr: "pipe",
    });
    return { code: done.exitCode, out: done.stdout.toString(), err: done.stderr.toString() };
  };
  const study = simulate({ samples: 24, asvs: 30, richness: 12, length: 24, depth: 400, seed: 3 });
  const files = writeSimulation(join(context.scratch, "cli-study"), study);
  const output = join(context.scratch, "cli-run");
  const train = (...more: string[]) =>
    run(
      "train.ts",
      ...["--table", files.table, "--tree", files.tree, "--rarefy-depth", "none", "--output", output],
      ..."--encoder aam --embedding-dim 8 --attention-layers 1 --attention-heads 2 --batch-size 8 --threads 1 --no-plots --quiet".split(
        " ",
      ),
      ...more,
    );
  expect(train("--max-steps", "2").code).toBe(0);
  const weight = "encoder_transformer.encoder.layers.0.linear1.weight";
  spoilCheckpoint(join(output, "checkpoints/last.safetensors"), weight);
  const stopped = train("--max-steps", "4", "--resume", "--debug-nan");
  const file = join(output, "debug/nan-step-3.safetensors");
  expect(stopped.code).toBe(1);
  expect(stopped.err).toContain(
    `Error: Step 3: the weight ${weight} [32, 8] is not finite (1 NaN, 0 infinite of 256 values). The samples of the batch are "S`,
  );
  expect(stopped.err).toContain(`repeat the step with \`bun run debug/replay.ts ${file}\``);
  const report = join(context.scratch, "cli-report");
  const replayed = run("debug/replay.ts", file, "--output", report);
  expect(replayed).toMatchObject({ code: 0, err: "" });
  expect(replayed.out).toStartWith(`Again, the weight ${weight} [32, 8] is not finite`);
  const text = readFileSync(join(report, "report.md"), "utf8");
  expect(text).toContain("`bun run debug/replay.ts nan-step-3.safetensors`");
  expect(text).not.toContain(context.scratch);
});

test("a file that is no saved step, or of another version, is refused", () => {
  const path = join(context.scratch, "other.safetensors");
  torch.saveSafetensors(path, new Map([["a", torch.ones([1])]]));
  expect(() => loadRepro(path)).toThrow(/is no saved step/);
  const text = readFileSync(path, "latin1");
  expect(text).not.toContain("aam_nan_repro");
  expect(saveRepro).toBeFunction();
});
