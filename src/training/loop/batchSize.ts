import { availableMemory } from "../../common/availableMemory.ts";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import { BatchBuilder, type BatchOptions, batchBuffers } from "../../data/batches/batch.ts";
import { MixedSamples } from "../../data/batches/mixtures.ts";
import type { Dataset } from "../../data/dataset/dataset.ts";
import * as torch from "../../torch/index.ts";
import type { TrainingConfig } from "../config/config.ts";
import { type MixedPrecision, precisionOn, withMixedPrecision } from "./mixedPrecision.ts";
import { randomStates, restoreRandomStates } from "./nanDetector.ts";
import type { TrainingTask } from "./trainer.ts";

/** Larger batches are not tried: they leave few steps in an epoch. */
export const largestBatch = 256;
/** The first batch that is measured, where there are so many samples. */
const firstBatch = 8;
/** A batch is not tried before one of a quarter of its size has been measured. */
const growth = 4;

export interface BatchSizeSearch {
  readonly task: TrainingTask;
  readonly dataset: Dataset;
  /** The samples trained on, and the mixtures of the first pass. */
  readonly train: Int32Array;
  readonly batch: BatchOptions;
  readonly device: torch.Device;
  readonly mixedPrecision: MixedPrecision;
  /** Bytes that a step may take besides the weights. */
  readonly budget: number;
}

export interface BatchSize {
  readonly batchSize: number;
  /** What a step of that size took. */
  readonly bytes: number;
}

/**
 * The largest batch whose step fits into `budget`: at most `largestBatch`, and never more than there are
 * samples. Sizes are judged by the richest samples, which no batch exceeds by much. Steps are really made,
 * with the task's own losses, gradients included, and are undone; which size to measure next follows from the
 * last one measured and from the true numbers of tokens and slots, as the distinct ASVs of a batch grow more
 * slowly than its samples.
 * @throws UserError where not even two samples fit.
 */
export function findBatchSize(search: BatchSizeSearch): BatchSize {
  const { dataset, train, batch, budget } = search;
  const sizes = batchLoads(dataset, train, batch);
  let fits: BatchSize | null = null;
  /** Sizes above do not fit. */
  let limit = sizes.order.length;
  let size = Math.min(firstBatch, limit);
  for (;;) {
    const bytes = measure(search, sizes.order.subarray(0, size));
    const expected = (other: number) => (bytes * sizes.load[other]) / sizes.load[size];
    if (bytes <= budget) {
      fits = { batchSize: size, bytes };
      let next = Math.min(limit, growth * size);
      while (next > size && expected(next) > budget) next--;
      if (next === size) return fits;
      size = next;
    } else {
      limit = size - 1;
      const least = fits?.batchSize ?? 1;
      let next = limit;
      while (next > least && expected(next) > budget) next--;
      if (next === 1 && limit >= 2) next = 2;
      if (next <= least) {
        if (fits) return fits;
        throw new UserError(
          `A step of 2 samples takes ${gigabytes(bytes)}, more than the ${gigabytes(budget)} that --auto-batch-size may use: ` +
            "choose a smaller model or --token-limit, use --gradient-checkpointing, or raise --max-memory-fraction.",
        );
      }
      size = next;
    }
  }
}

/**
 * Samples, the richest first, and how much a batch of the first n of them has to compute: tokens of
 * distinct ASVs and slots.
 */
function batchLoads(
  dataset: Dataset,
  train: Int32Array,
  { tokenLimit = 1024, maxBp = 150, withoutTokens = false, mixtures }: BatchOptions,
): { order: Int32Array; load: Float64Array } {
  const samples = mixtures ? new MixedSamples(dataset, mixtures, tokenLimit) : dataset;
  const richness = new Map(
    Array.from(train, (sample) => [sample, Math.min(tokenLimit, samples.sample(sample).asvs.length)]),
  );
  const order = train
    .slice()
    .sort((a, b) => richness.get(b)! - richness.get(a)! || a - b)
    .slice(0, largestBatch);
  const load = new Float64Array(order.length + 1);
  const seen = new Set<number>();
  let tokens = 0;
  order.forEach((sample, i) => {
    for (const asv of samples.sample(sample).asvs.subarray(0, tokenLimit)) {
      if (seen.has(asv)) continue;
      seen.add(asv);
      tokens += Math.min(dataset.asvTokens(asv).length, maxBp + 1);
    }
    load[i + 1] = (withoutTokens ? 0 : tokens) + (i + 1) * richness.get(order[0])!;
  });
  return { order, load };
}

/**
 * The most memory that a step of these samples has in use beyond what there was before;
 * infinite where it runs out.
 */
function measure(
  { task, dataset, batch, device, mixedPrecision }: BatchSizeSearch,
  samples: Int32Array,
): number {
  const { model } = task;
  const inUse = () => {
    const { cpu, device: other } = torch.memory(device === "cpu" ? undefined : device);
    return device === "cpu"
      ? { now: cpu.allocated, peak: cpu.allocatedPeak }
      : { now: other.allocated, peak: other.allocatedPeak };
  };
  model.train();
  return torch.tidy(() => {
    const random = randomStates(model);
    const made = new BatchBuilder(dataset, batch).build(samples, new Random(0));
    torch.synchronize();
    torch.resetPeakMemory(device === "cpu" ? undefined : device);
    const before = inUse().now;
    try {
      torch.tidy(() => withMixedPrecision(mixedPrecision, device, () => task.losses(made)).total.backward());
      torch.synchronize();
      // Small tensors are not counted; a batch takes its own size at the least.
      const own = batchBuffers(made).reduce((sum, { byteLength }) => sum + byteLength, 0);
      return Math.max(inUse().peak - before, own);
    } catch (cause) {
      if (cause instanceof torch.TorchError && cause.kind === "out-of-memory")
        return Number.POSITIVE_INFINITY;
      throw cause;
    } finally {
      model.zeroGrad();
      restoreRandomStates(random);
      torch.emptyCache();
    }
  });
}

/**
 * Batch size and accumulation that `--auto-batch-size` comes to, and a sentence about it.
 * @throws UserError
 */
export function chooseBatchSize(
  training: TrainingConfig,
  search: Omit<BatchSizeSearch, "budget" | "mixedPrecision">,
): { batchSize: number; gradientAccumulationSteps: number; message: string } {
  const { maxMemoryFraction, targetEffectiveBatchSize } = training;
  const { device, task } = search;
  const { mixedPrecision } = precisionOn(training, device);
  const allowed =
    maxMemoryFraction * (device === "cpu" ? availableMemory() : torch.memory(device).device.free);
  // What the optimizer and a moving average will keep for every weight.
  const copies = (training.optimizer === "sgd" ? 1 : 2) + (training.ema === null ? 0 : 1);
  const weights = task.model
    .parameters()
    .filter((value) => value.requiresGrad)
    .reduce((sum, value) => sum + value.numel * 4, 0);
  const found = findBatchSize({ ...search, mixedPrecision, budget: allowed - copies * weights });
  const shares = sharesOf(targetEffectiveBatchSize, found.batchSize);
  const { batchSize, gradientAccumulationSteps } = shares;
  const together = gradientAccumulationSteps > 1 ? `, ${gradientAccumulationSteps} of them for a step` : "";
  return {
    ...shares,
    message:
      `Batches of ${batchSize} samples${together}: one of the ${found.batchSize} richest takes ${gigabytes(found.bytes)} ` +
      `of the ${gigabytes(allowed)} allowed`,
  };
}

/** The fewest batches of at most `largest` samples that together have about as many as wanted. */
function sharesOf(
  wanted: number | null,
  largest: number,
): { batchSize: number; gradientAccumulationSteps: number } {
  if (wanted === null) return { batchSize: largest, gradientAccumulationSteps: 1 };
  const gradientAccumulationSteps = Math.ceil(wanted / largest);
  return {
    batchSize: Math.max(2, Math.round(wanted / gradientAccumulationSteps)),
    gradientAccumulationSteps,
  };
}

function gigabytes(bytes: number): string {
  return bytes < 1e7 ? `${Math.round(Math.max(0, bytes) / 1e3)} kB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}
