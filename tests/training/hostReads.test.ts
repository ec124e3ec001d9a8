import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fineTuneStudy, makeStudy, pretrainStudy } from "../../lab/material/study.ts";
import * as torch from "../../src/torch/index.ts";
import type { TrainingTask } from "../../src/training/loop/trainer.ts";
import { FineTuneTask } from "../../src/training/tasks/fineTuneTask.ts";
import { PretrainTask } from "../../src/training/tasks/pretrainTask.ts";

torch.setNumThreads(1);

const folder = mkdtempSync(join(tmpdir(), "host-reads-"));
afterAll(() => rmSync(folder, { recursive: true }));
const study = await makeStudy(join(folder, "study"), 60);

/** The trainer looks at the losses every so many steps. */
const stepsPerLook = 10;

/** The parts of a task that the trainer calls at the start of an epoch and of a step. */
type Watched = Pick<TrainingTask, "epochStarts" | "losses">;

/**
 * How often values were read between the beginnings of successive steps of a training; its
 * epochs one after another.
 */
async function readsPerStep(prototype: Watched, train: () => Promise<unknown>): Promise<number[][]> {
  const { losses, epochStarts } = prototype;
  const epochs: number[][] = [];
  const watched: Watched = {
    epochStarts(epoch) {
      epochStarts?.call(this as TrainingTask, epoch);
      epochs.push([]);
    },
    losses(batch) {
      epochs.at(-1)!.push(torch.hostReadCount());
      return losses.call(this as TrainingTask, batch);
    },
  };
  Object.assign(prototype, watched);
  try {
    await train();
  } finally {
    Object.assign(prototype, { losses, epochStarts });
  }
  return epochs.map((starts) => starts.slice(1).map((reads, i) => reads - starts[i]));
}

function expectReadsAtLooksOnly(epochs: number[][]): void {
  expect(epochs.length).toBeGreaterThan(1);
  for (const reads of epochs) {
    expect(reads.length).toBeGreaterThan(2 * stepsPerLook);
    const elsewhere = reads.filter((_, step) => (step + 1) % stepsPerLook !== 0);
    expect(elsewhere).toEqual(elsewhere.map(() => 0));
    // The count would notice: a look at the losses reads them.
    const looks = reads.filter((_, step) => (step + 1) % stepsPerLook === 0);
    for (const count of looks) expect(count).toBeGreaterThan(0);
  }
}

const training = { batchSize: 2, epochs: 2, mixedPrecision: "none", maxGradNorm: 1 } as const;

test.each(["unweighted", "faith_pd"] as const)(
  "pretraining on %s reads values only where it reports",
  async (metric) => {
    const run = () =>
      pretrainStudy(study, join(folder, metric), {
        unifracMetric: metric,
        training: { ...training, nucPenalty: 1 },
      });
    expectReadsAtLooksOnly(await readsPerStep(PretrainTask.prototype, run));
  },
);

test("fine-tuning on categories, with counts, distances and nucleotides, reads values only where it reports", async () => {
  const run = () =>
    fineTuneStudy(study, join(folder, "fine"), {
      target: { metadataColumn: ["depth"], countPrediction: true },
      categorical: { columns: ["site"] },
      training: { ...training, penalty: 1, nucPenalty: 1 },
    });
  expectReadsAtLooksOnly(await readsPerStep(FineTuneTask.prototype, run));
});

test("a frozen encoder changes nothing about it", async () => {
  const pretrainedEncoder = join(folder, "unweighted");
  const run = () =>
    fineTuneStudy(study, join(folder, "frozen"), { pretrainedEncoder, freezeBase: true, training });
  expectReadsAtLooksOnly(await readsPerStep(FineTuneTask.prototype, run));
});
