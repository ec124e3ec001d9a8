import { annealCosine as cosine, restartedAt } from "../../torch/optim/schedules/annealing.ts";

/**
 * Learning-rate factors as functions of progress (0 at the start of training, 1 at its end). They stand
 * beside the toolkit's schedulers because those count steps: a training that `--max-minutes` ends knows its
 * share of the time, not its steps.
 */
export type ScheduleName =
  | "warmup_cosine"
  | "cosine"
  | "cosine_restarts"
  | "plateau"
  | "onecycle"
  | "constant";

export interface ScheduleOptions {
  readonly name: ScheduleName;
  /** Share of the training during which `warmup_cosine` rises linearly from 0. */
  readonly warmup: number;
  /** Lowest rate as a share of the base rate. */
  readonly floor: number;
  /** Of `cosine_restarts`: share of the training of the first cosine (default a quarter) ... */
  readonly firstCycle?: number;
  /** ... and how many times longer each next one is (default 2). */
  readonly cycleGrowth?: number;
}

/** The share of `onecycle` that rises; it starts at 1/25 of the base rate (Smith and Topin 2019). */
const oneCycleRise = 0.3;
const oneCycleStart = 1 / 25;

/**
 * The factor of the base learning rate. `plateau` is constant here: `PlateauFactor` lowers it
 * by what validation says.
 */
export function scheduleFactor(progress: number, options: ScheduleOptions): number {
  const { name, warmup, floor } = options;
  const share = Math.min(Math.max(progress, 0), 1);
  if (name === "constant" || name === "plateau") return 1;
  if (name === "cosine") return cosine(1, floor, share);
  if (name === "cosine_restarts") {
    const { firstCycle = 0.25, cycleGrowth = 2 } = options;
    return cosine(1, floor, restartedAt(share, Math.max(firstCycle, 1e-6), cycleGrowth));
  }
  if (name === "onecycle") {
    if (share < oneCycleRise) return cosine(oneCycleStart, 1, share / oneCycleRise);
    return cosine(1, Math.min(floor, oneCycleStart), (share - oneCycleRise) / (1 - oneCycleRise));
  }
  if (warmup > 0 && share < warmup) return Math.max(share / warmup, 0.01);
  return cosine(1, floor, warmup < 1 ? (share - warmup) / (1 - warmup) : 1);
}

/**
 * Lowers the rate once a watched value has not fallen for more than `patience` epochs;
 * plain state for checkpoints.
 */
export class PlateauFactor {
  factor = 1;
  #best = Number.POSITIVE_INFINITY;
  #badEpochs = 0;

  readonly #options: { factor: number; patience: number; floor: number };

  constructor(options: { factor: number; patience: number; floor: number }) {
    this.#options = options;
  }

  /**
   * Tells the value of an epoch, of which less is better. An improvement of less than 0.01 % does not count.
   */
  step(value: number): void {
    if (!Number.isFinite(this.#best) || value < this.#best - 1e-4 * Math.abs(this.#best)) {
      this.#best = value;
      this.#badEpochs = 0;
    } else this.#badEpochs++;
    if (this.#badEpochs <= this.#options.patience) return;
    this.factor = Math.max(this.factor * this.#options.factor, this.#options.floor);
    this.#badEpochs = 0;
  }

  state(): [factor: number, best: number | null, badEpochs: number] {
    return [this.factor, Number.isFinite(this.#best) ? this.#best : null, this.#badEpochs];
  }

  restore([factor, best, badEpochs]: [number, number | null, number]): void {
    this.factor = factor;
    this.#best = best ?? Number.POSITIVE_INFINITY;
    this.#badEpochs = badEpochs;
  }
}
