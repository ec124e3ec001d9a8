import type { Batch } from "../../data/batches/batch.ts";
import type { Loader } from "../../data/batches/loader.ts";
import * as torch from "../../torch/index.ts";
import { type MixedPrecision, withMixedPrecision } from "./mixedPrecision.ts";
import type { TrainingTask } from "./trainer.ts";

export interface LearningRateSearch {
  readonly learningRates: Float64Array;
  /** Exponentially smoothed and corrected for the start. */
  readonly losses: Float64Array;
  readonly rawLosses: Float64Array;
  /** See `suggestRate`. */
  readonly suggestion: number | null;
}

export interface SearchOptions {
  readonly optimizer: torch.optim.Optimizer<{ lr: number }>;
  readonly loader: Loader;
  /** Default 1e-6 and 1. */
  readonly from?: number;
  readonly to?: number;
  /** Default 100. */
  readonly steps?: number;
  readonly maxGradNorm: number | null;
  readonly mixedPrecision?: MixedPrecision;
  /** Is told how many steps are done, and the loss of the last. */
  readonly onStep?: (done: number, loss: number) => void;
}

const smoothing = 0.9;
/** A loss of so many times the least one ends the search. */
const divergence = 4;

/**
 * Trains with a rate that grows from step to step until the loss runs away (Smith 2017). The model is left as
 * it was. Its losses tell which rates do.
 */
export async function searchLearningRate(
  task: TrainingTask,
  options: SearchOptions,
): Promise<LearningRateSearch> {
  const { loader, optimizer, from = 1e-6, to = 1, steps = 100 } = options;
  const { model } = task;
  const before = torch.noGrad(
    () => new Map([...model.stateDict()].map(([name, value]) => [name, value.clone().detachFromScope()])),
  );
  const rates: number[] = [];
  const smooth: number[] = [];
  const raw: number[] = [];
  let average = 0;
  model.train();
  try {
    while (rates.length < steps) {
      for await (const batch of loader.epoch()) {
        const rate = from * (to / from) ** (rates.length / Math.max(steps - 1, 1));
        for (const group of optimizer.paramGroups) group.lr = rate;
        const loss = step(task, batch, options);
        if (!Number.isFinite(loss)) return finish(rates, smooth, raw);
        average = smoothing * average + (1 - smoothing) * loss;
        rates.push(rate);
        raw.push(loss);
        options.onStep?.(rates.length, loss);
        smooth.push(average / (1 - smoothing ** rates.length));
        const least = Math.min(...smooth);
        if (rates.length >= 10 && smooth[smooth.length - 1] > divergence * least)
          return finish(rates, smooth, raw);
        if (rates.length >= steps) break;
      }
    }
    return finish(rates, smooth, raw);
  } finally {
    model.loadStateDict(before);
    for (const value of before.values()) value.dispose();
    model.zeroGrad();
  }
}

function step(
  task: TrainingTask,
  batch: Batch,
  { optimizer, maxGradNorm, mixedPrecision = "none" }: SearchOptions,
): number {
  return torch.tidy(() => {
    const { device } = task.model.parameters()[0];
    const { total } = withMixedPrecision(mixedPrecision, device, () => task.losses(batch));
    optimizer.zeroGrad();
    total.backward();
    if (maxGradNorm !== null) torch.nn.clipGradNorm_(task.model.parameters(), maxGradNorm);
    optimizer.step();
    return total.item();
  });
}

function finish(rates: number[], smooth: number[], raw: number[]): LearningRateSearch {
  return {
    learningRates: Float64Array.from(rates),
    losses: Float64Array.from(smooth),
    rawLosses: Float64Array.from(raw),
    suggestion: suggestRate(rates, smooth),
  };
}

/**
 * A tenth of the rate at which the smoothed loss is least: beyond that it runs away, and a slope is hidden by
 * the noise of batches. Null where the loss never falls by 2 %.
 */
export function suggestRate(rates: readonly number[], losses: readonly number[]): number | null {
  if (losses.length < 10) return null;
  const least = Math.min(...losses);
  return least < 0.98 * losses[0] ? rates[losses.indexOf(least)] / 10 : null;
}
