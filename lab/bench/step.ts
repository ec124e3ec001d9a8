import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { chooseDevice } from "../../src/cli/options/chooseDevice.ts";
import { positiveWholeNumber, shareOption, wholeNumber } from "../../src/cli/options/optionValues.ts";
import { median } from "../../src/common/median.ts";
import { UserError } from "../../src/common/userError.ts";
import type { Batch } from "../../src/data/batches/batch.ts";
import type { Tensor } from "../../src/torch/index.ts";
import type { PretrainInput } from "../../src/training/config/config.ts";
import type { OurConfig } from "./aamProcess.ts";
import type { DataFlags } from "./benchData.ts";
import { encoderOperations, lengthsOf, stepFactor } from "./flops.ts";
import { addShapeOptions, modelOf, type ShapeFlags } from "./shapeOptions.ts";
import { startOurs, startReference } from "./startProcesses.ts";
import { reportText, type SideFigures, type StepReport } from "./stepReport.ts";

interface StepFlags extends DataFlags, ShapeFlags {
  batchSize: number;
  rounds: number;
  nucShare: number;
  microBatch: number;
  reference?: string;
  partner: boolean;
  seed: number;
  json: boolean;
}

/**
 * Steps of ours in a turn: it takes a small part of the other side's time, and shorter
 * measurements need more of them.
 */
const ownSteps = 3;

export function makeCommand(): Command {
  const command = new Command("step")
    .description(
      "One pretraining step (forward, loss, backward, clipping, AdamW) of ours and of a plain PyTorch implementation of the original AAM, in turn",
    )
    .option("--batch-size <n>", "samples of a step", positiveWholeNumber, 8)
    .option("--rounds <n>", "steps of each side that count, after a first one", wholeNumber, 2)
    .option(
      "--nuc-share <share>",
      "share of a batch's ASVs whose nucleotides ours predicts; 1: all, in one pass with the distances, which is what the other side does",
      shareOption,
      1,
    )
    .option(
      "--micro-batch <n>",
      "samples that the other side computes at a time, its gradients added up, where a whole batch would not fit in memory",
      positiveWholeNumber,
      8,
    )
    .option("--reference <folder>", "a checkout of the original AAM, instead of the plain implementation")
    .option("--no-partner", "measure ours alone")
    .option("--seed <n>", "decides which samples are drawn", wholeNumber, 1);
  return addShapeOptions(command).action(async (flags: StepFlags) => {
    const folder = mkdtempSync(join(tmpdir(), "aam-bench-"));
    try {
      const report = await measureSteps(flags, folder);
      process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : reportText(report));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

async function measureSteps(flags: StepFlags, folder: string): Promise<StepReport> {
  const { openBenchData, drawBatches, writeReferenceBatches } = await import("./benchData.ts");
  const device = await chooseDevice(flags.device);
  const { dataset, source } = await openBenchData(flags, folder);
  using _dataset = dataset;
  const { batchSize, rounds, seed } = flags;
  const threads = flags.threads ?? availableParallelism();
  const samples = drawBatches(dataset, { batchSize, count: rounds + 1, seed });
  const config: PretrainInput = {
    ...modelOf(flags),
    nucShare: flags.nucShare,
  };
  const ourConfig: OurConfig = {
    dataset: dataset.path,
    samples: samples.map((rows) => [...rows]),
    config,
    device,
    threads,
  };
  const file = join(folder, "batches.safetensors");
  const { tokenLimit, maxBp } = flags;
  const batches = writeReferenceBatches(file, dataset, samples, {
    tokenLimit,
    maxBp,
    distance: "unweighted",
  });

  await using ours = await startOurs(ourConfig);
  await using reference = flags.partner
    ? await startReference("step", flags, { file, device, threads, batchSize, microBatch: flags.microBatch })
    : null;
  const ourSteps: Record<string, number>[] = [];
  const theirSteps: Record<string, number>[] = [];
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < ownSteps; i++) {
      ourSteps.push((await ours.ask(`step ${round}`)) as Record<string, number>);
    }
    if (reference) theirSteps.push((await reference.ask(`step ${round}`)) as Record<string, number>);
  }
  const ourPeak = ours.peakBytes();
  const attention = (await ours.ask(`kernels ${rounds}`)) as Record<string, number>;
  checkKernels(attention, device);
  const matmul = await productRate(device, threads);

  const shape = { dim: flags.embeddingDim, layers: flags.layers };
  const counted = batches.slice(rounds > 0 ? 1 : 0);
  const mean = (of: (batch: Batch) => number) => counted.reduce((sum, b) => sum + of(b), 0) / counted.length;
  const ourOperations = mean(
    (batch) =>
      stepFactor[flags.gradientCheckpointing ? "recomputed" : "kept"] *
      encoderOperations(lengthsOf(batch), shape),
  );
  const their = (batch: Batch) => ({
    sequences: new Array<number>(occurrences(batch)).fill(maxBp + 1),
    samples: new Array<number>(batch.samples).fill(tokenLimit),
  });
  const theirOperations = mean((batch) => stepFactor.recomputed * encoderOperations(their(batch), shape));
  const figures = {
    ours: sideFigures(ourSteps, {
      batchSize,
      operations: ourOperations,
      matmul,
      peak: ourPeak,
      device,
      warmUp: rounds > 0 ? ownSteps : 1,
    }),
    ...(reference
      ? {
          reference: sideFigures(theirSteps, {
            batchSize,
            operations: theirOperations,
            matmul,
            peak: reference.peakBytes(),
            device,
            warmUp: Math.min(rounds, 1),
          }),
        }
      : {}),
  };
  const { ours: own, reference: other } = figures;
  const memoryOf = (side: SideFigures) => side.device_peak_bytes ?? side.peak_bytes;
  return {
    subject: "step",
    settings: {
      data: source,
      device,
      threads,
      batch_size: batchSize,
      token_limit: tokenLimit,
      max_bp: maxBp,
      ...shape,
      heads: flags.heads,
      nuc_share: flags.nucShare,
      mixed_precision: config.training?.mixedPrecision ?? "auto",
      rounds,
      reference: flags.partner ? (flags.reference ?? "plain PyTorch") : "none",
      reference_micro_batches: theirSteps.at(-1)?.["micro_batches"] ?? null,
      libtorch: ours.facts["libtorch"],
      python_torch: reference?.facts["torch"] ?? null,
    },
    batch: {
      samples: batchSize,
      occurrences: Math.round(mean(occurrences)),
      distinct: Math.round(mean(({ distinct }) => distinct)),
      tokens: Math.round(mean(({ asvLengths }) => asvLengths.reduce((sum, length) => sum + length, 0))),
    },
    matmul_gflops: matmul,
    attention,
    ...figures,
    ...(other ? { ratio: other.median_s / own.median_s } : {}),
    ...(other && memoryOf(other) && memoryOf(own) ? { memory_ratio: memoryOf(own)! / memoryOf(other)! } : {}),
  };
}

/**
 * On a GPU attention must not fall back to the kernel that keeps all weights.
 * @throws UserError if it does.
 */
export function checkKernels(kernels: Readonly<Record<string, number>>, device: string): void {
  const used = Object.keys(kernels);
  if (device !== "cpu" && (used.length === 0 || used.includes("math")))
    throw new UserError(
      `On ${device} attention ran as ${used.join(", ") || "nothing"}; expected flash, memory efficient or cudnn.`,
    );
}

/**
 * Billions of operations per second in plain float32 products: the better of both sides' libraries is
 * measured in this process.
 */
async function productRate(device: "cpu" | "cuda", threads: number): Promise<number> {
  const torch = await import("../../src/torch/index.ts");
  torch.setNumThreads(threads);
  const side = device === "cpu" ? 1536 : 8192;
  using _scope = torch.scope();
  const square = torch.randn([side, side], { device });
  const products = [() => torch.mm(square, square)];
  if (device === "cpu") products.push(() => torch.ops.aamt.layer_product(square, square) as Tensor);
  let best = 0;
  for (const product of products) {
    for (let i = 0; i < 7; i++) {
      torch.synchronize();
      const start = performance.now();
      product().dispose();
      torch.synchronize();
      best = Math.max(best, (2 * side ** 3) / (performance.now() - start) / 1e6);
    }
  }
  return best;
}

function occurrences({ asvIndex }: Batch): number {
  let filled = 0;
  for (const index of asvIndex) if (index > 0) filled++;
  return filled;
}

function sideFigures(
  steps: readonly Record<string, number>[],
  facts: {
    batchSize: number;
    operations: number;
    matmul: number;
    peak: number | undefined;
    device: string;
    /** Steps at the start that do not count. */
    warmUp: number;
  },
): SideFigures {
  const counted = steps.slice(facts.warmUp);
  const of = (name: string) => counted.map((step) => step[name]);
  const seconds = median(of("seconds"));
  const gflops = facts.operations / seconds / 1e9;
  const parts = Object.keys(counted[0]).filter((name) => /^[a-z]+_seconds$/.test(name));
  const onDevice = Math.max(...counted.map((step) => step["device_bytes"] ?? step["memory"]));
  return {
    median_s: seconds,
    fastest_s: Math.min(...of("seconds")),
    first_s: steps[0]["seconds"],
    samples_per_second: facts.batchSize / seconds,
    peak_bytes: facts.peak,
    ...(facts.device === "cpu" ? {} : { device_peak_bytes: onDevice }),
    gflop: facts.operations / 1e9,
    gflops,
    share_of_matmul: gflops / facts.matmul,
    parts_s: Object.fromEntries(parts.map((name) => [name.replace("_seconds", ""), median(of(name))])),
  };
}
