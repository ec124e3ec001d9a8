/**
 * One long run in a process of its own: `bun lab/trials/soak.ts training|predictions|openings COUNT` prints a
 * `SoakReport` as its last line. Memory, handles and processor time are taken at even distances.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import { ProgressDisplay, type ProgressParts } from "../../src/display/terminal/progressBar.ts";
import * as torch from "../../src/torch/index.ts";
import { predictSamples } from "../../src/training/inference/predictSamples.ts";
import { openRun } from "../../src/training/run/open.ts";
import { fineTuneStudy, makeStudy, pretrainStudy, type Study } from "../material/study.ts";

export type SoakKind = "training" | "predictions" | "openings";

/** The state of the process after so many repetitions. */
export interface SoakSample {
  done: number;
  residentBytes: number;
  liveTensors: number;
  /** Open files and mapped pieces of memory; 0 where the system does not tell. */
  openFiles: number;
  mappings: number;
  /**
   * Processor time of all threads since the start, in milliseconds: a busy machine does not change it much.
   */
  processorMs: number;
}

export interface SoakReport {
  kind: SoakKind;
  samples: SoakSample[];
}

const samplesWanted = 100;
const samples: SoakSample[] = [];
/** Processor time that measuring itself took. */
let measuringMs = 0;

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function takeSample(done: number): void {
  const before = processorMs();
  // Garbage is no leak.
  Bun.gc(true);
  const { residentBytes, liveTensors } = torch.memory();
  samples.push({
    done,
    residentBytes,
    liveTensors,
    openFiles: entriesOf("/proc/self/fd"),
    mappings: linesOf("/proc/self/maps"),
    processorMs: before - measuringMs,
  });
  measuringMs += processorMs() - before;
}

function entriesOf(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0;
  }
}

function linesOf(path: string): number {
  try {
    return readFileSync(path, "latin1").split("\n").length;
  } catch {
    return 0;
  }
}

const batchSize = 4;

/** Takes samples while the trainer shows what it does: every ten steps of an epoch. */
class SamplingDisplay extends ProgressDisplay {
  #samplesBefore = 0;
  #samplesOfEpoch = 0;
  #next = 0;

  readonly #stepsPerSample: number;

  constructor(stepsPerSample: number) {
    super("quiet", { columns: 80, write: () => {}, writeError: () => {} });
    this.#stepsPerSample = stepsPerSample;
  }

  override begin(title: string, total: number, unit?: string): void {
    super.begin(title, total, unit);
    this.#samplesBefore += this.#samplesOfEpoch;
    this.#samplesOfEpoch = total;
  }

  override update(done: number, parts: ProgressParts = {}): void {
    super.update(done, parts);
    const step = Math.round((this.#samplesBefore + done) / batchSize);
    if (step < this.#next) return;
    this.#next = step + this.#stepsPerSample;
    takeSample(step);
  }
}

async function train(study: Study, folder: string, steps: number): Promise<void> {
  const display = new SamplingDisplay(Math.floor(steps / samplesWanted));
  const training = {
    epochs: steps,
    maxSteps: steps,
    patience: steps,
    batchSize,
    scheduler: "constant" as const,
  };
  await pretrainStudy(study, join(folder, "run"), { training }, { display });
}

async function predict(study: Study, folder: string, count: number): Promise<void> {
  const path = join(folder, "run");
  await fineTuneStudy(study, path, { training: { epochs: 1 } });
  const run = openRun(path, "cpu");
  const { dataset } = study;
  const every = Math.max(1, Math.floor(count / samplesWanted));
  for (let i = 1; i <= count; i++) {
    const samplesAsked = Int32Array.of(i % dataset.sampleCount);
    const { predictions } = predictSamples(run, dataset, samplesAsked, { device: "cpu", categories: null });
    if (!Number.isFinite(predictions[0].predicted[0])) throw new Error(`prediction ${i} is no number`);
    if (i % every === 0) takeSample(i);
  }
}

function open(study: Study, count: number): void {
  const every = Math.max(1, Math.floor(count / samplesWanted));
  for (let i = 1; i <= count; i++) {
    using dataset = openDataset(study.folder);
    const last = dataset.sampleCount - 1;
    if (dataset.sample(last).asvs.length !== dataset.richness(last)) throw new Error("inconsistent sample");
    dataset.distance("unweighted").between(0, last);
    dataset.column("ph");
    if (i % every === 0) takeSample(i);
  }
}

const [kind, countText] = process.argv.slice(2) as [SoakKind, string];
const folder = mkdtempSync(join(tmpdir(), "aam-soak-"));
try {
  torch.setNumThreads(1);
  const count = Number(countText);
  // Epochs of training must not be many: each leaves a line of history behind, by design.
  const study = await makeStudy(join(folder, "study"), kind === "training" && count > 5000 ? 1000 : 60);
  if (kind === "training") await train(study, folder, count);
  else if (kind === "predictions") await predict(study, folder, count);
  else open(study, count);
  console.log(JSON.stringify({ kind, samples } satisfies SoakReport));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
