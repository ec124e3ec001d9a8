import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveNumber, positiveWholeNumber } from "../../src/cli/options/optionValues.ts";
import { bunProcess } from "../../src/common/bunProcess.ts";
import { UserError } from "../../src/common/userError.ts";
import type { Dataset } from "../../src/data/dataset/dataset.ts";
import type { EpochReport } from "../../src/training/loop/trainer.ts";
import type { RunSummary } from "../../src/training/tasks/pretrain.ts";
import type { DataFlags } from "./benchData.ts";
import { addShapeOptions, type ShapeFlags } from "./shapeOptions.ts";
import { startReference } from "./startProcesses.ts";

interface TrainFlags extends DataFlags, ShapeFlags {
  minutes: number;
  batchSize: number;
  sameShape: boolean;
  reference?: string;
  toR2?: number;
  json: boolean;
}

export function makeCommand(): Command {
  const command = new Command("train")
    .description(
      "Training for the same wall-clock time, one after the other, on the same training samples: ours as `pretrain` trains by default, then the original AAM (its constant learning rate of 1e-4, without its warm-up of 10,000 steps); R² of UniFrac over all pairs of the same validation samples",
    )
    .option("--minutes <n>", "of each", positiveNumber, 10)
    .option("--batch-size <n>", "samples of the other side's steps", positiveWholeNumber, 8)
    .option("--same-shape", "ours gets the sizes given here too, instead of its own defaults", false)
    .option("--reference <folder>", "a checkout of the original AAM, instead of the plain implementation")
    .option(
      "--to-r2 <x>",
      "instead: the seconds of training until the validation R² is that, within --minutes each, of the set encoder, of the AAM encoder and of the original AAM; ours are judged after every epoch, the original once, at its end",
      positiveNumber,
    );
  return addShapeOptions(command).action(async (flags: TrainFlags) => {
    if (flags.gradientCheckpointing && !flags.sameShape && flags.toR2 === undefined)
      throw new UserError(
        "--gradient-checkpointing is for transformers, and ours has none by default; add --same-shape, or leave it out.",
      );
    const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
    try {
      const print = <T>(report: T, text: (report: T) => string) =>
        process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : text(report));
      if (flags.toR2 === undefined) print(await measureTraining(flags, folder), reportText);
      else print(await measureTimeToR2(flags, flags.toR2, folder), timeText);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function measureTraining(flags: TrainFlags, folder: string) {
  const { openBenchData } = await import("./benchData.ts");
  const device = await chooseDevice(flags.device);
  const opened = await openBenchData(flags, folder);
  using dataset = opened.dataset;
  const threads = flags.threads ?? availableParallelism();
  const own = trainOurs(flags, { dataset: dataset.path, run: join(folder, "run"), device, threads });
  const other = await trainReference(flags, { dataset, folder, device, threads });
  return {
    subject: "train",
    settings: {
      data: opened.source,
      minutes: flags.minutes,
      device,
      threads,
      reference: nameOfReference(flags),
      validation_samples: own.samples.validation,
    },
    ours: {
      val_r2: own["val.unifrac_r2"],
      val_mae: own["val.unifrac_mae"],
      val_pearson: own["val.unifrac_pearson"],
      steps: own.steps,
      samples_per_second: own["train.samples_per_second"],
    },
    reference: other,
  };
}

/** Seconds of training until each side reaches an R²; null where it does not within its minutes. */
async function measureTimeToR2(flags: TrainFlags, target: number, folder: string) {
  const { openBenchData } = await import("./benchData.ts");
  const device = await chooseDevice(flags.device);
  const opened = await openBenchData(flags, folder);
  using dataset = opened.dataset;
  const threads = flags.threads ?? availableParallelism();
  const announce = (what: string) => {
    if (!flags.json) process.stderr.write(`Training ${what}, for at most ${flags.minutes} minutes ...\n`);
  };
  const ofEncoder = (encoder: "set" | "aam") => {
    announce(`the ${encoder} encoder`);
    const run = join(folder, encoder);
    const place = { dataset: dataset.path, run, device, threads };
    const summary = trainOurs(flags, place, ["--encoder", encoder]);
    const history = JSON.parse(readFileSync(join(run, "history.json"), "utf8")) as EpochReport[];
    const reached = history.findIndex(({ val }) => val["r2"] >= target);
    const seconds = history.slice(0, reached + 1).reduce((sum, epoch) => sum + epoch.seconds, 0);
    return {
      seconds: reached < 0 ? null : seconds,
      best_r2: summary["val.unifrac_r2"],
      steps: summary.steps,
    };
  };
  const [set, aam] = [ofEncoder("set"), ofEncoder("aam")];
  announce(nameOfReference(flags));
  const other = await trainReference(flags, { dataset, folder, device, threads });
  const seconds = other.val_r2 >= target ? other.seconds : null;
  return {
    subject: "time to R²",
    settings: {
      data: opened.source,
      to_r2: target,
      minutes: flags.minutes,
      device,
      threads,
      reference: nameOfReference(flags),
    },
    set,
    aam,
    reference: { seconds, best_r2: other.val_r2, steps: other.steps },
  };
}

interface Place {
  device: "cpu" | "cuda";
  threads: number;
}

/** A run of `pretrain`, whose limit counts validation and saving too. */
function trainOurs(
  flags: TrainFlags,
  { dataset, run, device, threads }: Place & { dataset: string; run: string },
  options: readonly string[] = [],
): RunSummary {
  const program = join(import.meta.dir, "../../scripts/aam.ts");
  const command = [program, "pretrain", "--dataset", dataset, "--output", run];
  command.push("--max-minutes", String(flags.minutes), "--epochs", "1000000", "--patience", "1000000");
  command.push("--threads", String(threads), "--device", device, "--no-plots", "--quiet", ...options);
  // The sizes are those of transformers, and so is what can be computed again.
  const isSet = options.includes("set") || !(flags.sameShape || options.includes("aam"));
  if (flags.sameShape && !isSet) {
    if (!options.includes("aam")) command.push("--encoder", "aam");
    command.push("--embedding-dim", String(flags.embeddingDim), "--attention-layers", String(flags.layers));
    command.push("--attention-heads", String(flags.heads), "--token-limit", String(flags.tokenLimit));
    command.push("--max-bp", String(flags.maxBp));
  }
  if (flags.gradientCheckpointing && !isSet) command.push("--gradient-checkpointing");
  if (flags.mixedPrecision) command.push("--mixed-precision", flags.mixedPrecision);
  const { cmd, env } = bunProcess(command);
  const done = Bun.spawnSync(cmd, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  if (done.exitCode !== 0) {
    const said = done.stderr.toString().trim().split("\n").at(-1);
    throw new UserError(`Our training has failed (${done.exitCode ?? done.signalCode}): ${said}`);
  }
  return JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as RunSummary;
}

/**
 * Trains the other side, and judges its weights with our encoder, which computes the same numbers from them
 * in a fraction of the time (`lab/python/reference/check_plain.py` and `bun run parity` show that it does).
 */
async function trainReference(
  flags: TrainFlags,
  { dataset, folder, device, threads }: Place & { dataset: Dataset; folder: string },
) {
  const torch = await import("../../src/torch/index.ts");
  const { Random } = await import("../../src/common/random/random.ts");
  const { batchStarts, epochOrder } = await import("../../src/data/batches/plan.ts");
  const { buildEncoder, batchOptionsOf, distanceFormOf } = await import(
    "../../src/training/config/buildModel.ts"
  );
  const { makeBaseObjective } = await import("../../src/training/objectives/baseObjective.ts");
  const { pretrainSchema } = await import("../../src/training/config/config.ts");
  const { splitSamples } = await import("../../src/training/tasks/splitSamples.ts");
  const { embedSampleSet } = await import("../../src/training/inference/embedSamples.ts");
  const { writeReferenceBatches } = await import("./benchData.ts");
  const { embeddingDim, layers, heads, tokenLimit, maxBp, batchSize } = flags;
  const config = pretrainSchema.parse({
    model: {
      embeddingDim,
      attentionLayers: layers,
      attentionHeads: heads,
      tokenLimit,
      maxBp,
      distanceForm: "tanh",
      tanhScale: 10,
    },
  });
  const split = splitSamples(dataset, config.split, config.training.seed);
  const order = epochOrder(split.train, true, new Random(config.training.seed), 0);
  const starts = batchStarts(order.length, batchSize, false);
  const samples = Array.from(starts.subarray(1), (end, i) => order.slice(starts[i], end));
  const file = join(folder, "training.safetensors");
  writeReferenceBatches(file, dataset, samples, { tokenLimit, maxBp, distance: config.unifracMetric });
  const weights = join(folder, "reference.safetensors");
  const facts = { file, device, threads, batchSize, microBatch: batchSize };
  let trained: Readonly<Record<string, unknown>>;
  let peak: number | undefined;
  {
    await using python = await startReference("step", flags, facts);
    trained = await python.ask(`train ${60 * flags.minutes}`);
    peak = python.peakBytes();
    await python.ask(`save ${weights}`);
  }
  const model = buildEncoder(config, { encoderType: "unifrac", predictNucleotides: true });
  model.loadStateDict(torch.loadSafetensors(weights).tensors);
  model.to(device).eval();
  const objective = makeBaseObjective(dataset, config.unifracMetric, {
    form: distanceFormOf(config, model),
    scaling: null,
  });
  using embeddings = embedSampleSet(model, dataset, split.validation, {
    device,
    batch: batchOptionsOf(config.model),
  });
  const { r2, mae, pearson } = objective.evaluate(embeddings, split.validation).result;
  const losses = trained["losses"] as number[];
  return {
    val_r2: r2,
    val_mae: mae,
    val_pearson: pearson,
    steps: trained["steps"] as number,
    samples_per_second: (trained["samples"] as number) / (trained["seconds"] as number),
    seconds: trained["seconds"] as number,
    first_loss: losses[0],
    last_loss: losses.at(-1),
    peak_bytes: peak,
  };
}

const nameOfReference = ({ reference }: TrainFlags) => reference ?? "plain PyTorch";

const settingsText = (settings: Readonly<Record<string, unknown>>) =>
  Object.entries(settings)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
    .join(", ");

function timeText(report: Awaited<ReturnType<typeof measureTimeToR2>>): string {
  const { settings } = report;
  const side = (name: "set" | "aam" | "reference") => {
    const { seconds, best_r2, steps } = report[name];
    const when = seconds === null ? `not within ${settings.minutes} minutes` : `${seconds.toFixed(1)} s`;
    return `  ${name}: ${when} (R² ${best_r2.toFixed(4)} in the end, after ${steps} steps)`;
  };
  return `${[`train: ${settingsText(settings)}`, side("set"), side("aam"), side("reference")].join("\n")}\n`;
}

function reportText(report: Awaited<ReturnType<typeof measureTraining>>): string {
  const { settings } = report;
  const side = (name: "ours" | "reference") => {
    const { val_r2, val_mae, val_pearson, steps, samples_per_second } = report[name];
    return `  ${name}: R² ${val_r2.toFixed(4)}, MAE ${val_mae.toFixed(4)}, Pearson ${val_pearson.toFixed(4)} after ${steps} steps (${samples_per_second.toPrecision(3)} samples/s)`;
  };
  return `${[`train: ${settingsText(settings)}`, side("ours"), side("reference")].join("\n")}\n`;
}
