<<<<<<< HEAD
/**
 * Learning-rate schedules. `step()` is called once after each optimizer step (`ReduceLROnPlateau`: after each epoch, with the
 * watched value). A schedule sets the rate of its first step when it is made.
 */

import { refuseOthers, refuseUnknownSettings } from "../optionNames.ts";

/** What a schedule needs of an optimizer. */
export interface Scheduled {
  readonly paramGroups: { lr: number }[];
}

/** Numbers to be saved and loaded again. */
export type SchedulerState = Record<string, number | number[] | null>;

/** A schedule that is a function of the number of steps taken. */
export abstract class Scheduler {
  /** Steps taken so far. */
  lastStep = 0;
  readonly baseLrs: number[];

  constructor(protected readonly optimizer: Scheduled) {
    this.baseLrs = optimizer.paramGroups.map((group) => group.lr);
  }

  /** The rate after `step` steps for the group of number `group`, whose rate was `base` at the start. */
  abstract rate(step: number, base: number, group: number): number;

  protected apply(): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = this.rate(this.lastStep, this.baseLrs[i], i);
    });
  }

  step(): void {
    this.lastStep++;
    this.apply();
  }

  /** The rates in force. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { lastStep: this.lastStep, baseLrs: [...this.baseLrs] };
  }

  loadStateDict(state: SchedulerState): void {
    this.lastStep = state["lastStep"] as number;
    this.baseLrs.splice(0, this.baseLrs.length, ...(state["baseLrs"] as number[]));
    this.apply();
  }
}

function wholeSteps(name: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}`);
  return value;
}

/** The same rate always. */
export class ConstantLR extends Scheduler {
  rate(_step: number, base: number): number {
    return base;
  }
}

/**
 * Rises linearly to the base rate, which step `warmupSteps` has (steps count from 0), then falls along a half cosine to `etaMin` at
 * `totalSteps` and stays there. The first step has 1/(warmupSteps + 1) of the rate: neither none of it nor all.
 */
export class WarmupCosineLR extends Scheduler {
  readonly warmupSteps: number;
  readonly totalSteps: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { warmupSteps: number; totalSteps: number; etaMin?: number }) {
    super(optimizer);
    const { warmupSteps: _, totalSteps: __, etaMin: ___, ...others } = options;
    refuseOthers("WarmupCosineLR", others, "warmupSteps, totalSteps, etaMin");
    this.warmupSteps = wholeSteps("WarmupCosineLR: warmupSteps", options.warmupSteps, 0);
    this.totalSteps = wholeSteps("WarmupCosineLR: totalSteps", options.totalSteps, 1);
    this.etaMin = options.etaMin ?? 0;
    this.apply();
  }

  rate(step: number, base: number): number {
    if (step < this.warmupSteps) return (base * (step + 1)) / (this.warmupSteps + 1);
    const span = this.totalSteps - this.warmupSteps;
    const progress = span > 0 ? Math.min((step - this.warmupSteps) / span, 1) : 1;
    if (span <= 0) return step < this.totalSteps ? base : this.etaMin;
    return this.etaMin + (base - this.etaMin) * 0.5 * (1 + Math.cos(Math.PI * progress));
  }
}

/**
 * A cosine from the base rate to `etaMin` in `tMax` steps (Loshchilov and Hutter 2017, without restarts); after `tMax` it rises again, as
 * PyTorch's does.
 */
export class CosineAnnealingLR extends Scheduler {
  readonly tMax: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    super(optimizer);
    const { tMax: _, etaMin: __, ...others } = options;
    refuseOthers("CosineAnnealingLR", others, "tMax, etaMin");
    this.tMax = wholeSteps("CosineAnnealingLR: tMax", options.tMax, 1);
    this.etaMin = options.etaMin ?? 0;
    this.apply();
  }

  rate(step: number, base: number): number {
    return this.etaMin + (base - this.etaMin) * 0.5 * (1 + Math.cos((Math.PI * step) / this.tMax));
  }
}

/** Cosines that start again: the first lasts `t0` steps, each next one `tMult` times as long (SGDR). */
export class CosineAnnealingWarmRestarts extends Scheduler {
  readonly t0: number;
  readonly tMult: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { t0: number; tMult?: number; etaMin?: number }) {
    super(optimizer);
    const { t0: _, tMult: __, etaMin: ___, ...others } = options;
    refuseOthers("CosineAnnealingWarmRestarts", others, "t0, tMult, etaMin");
    this.t0 = wholeSteps("CosineAnnealingWarmRestarts: t0", options.t0, 1);
    this.tMult = wholeSteps("CosineAnnealingWarmRestarts: tMult", options.tMult ?? 1, 1);
    this.etaMin = options.etaMin ?? 0;
    this.apply();
  }

  rate(step: number, base: number): number {
    let start = 0;
    let length = this.t0;
    while (step >= start + length) {
      start += length;
      length *= this.tMult;
    }
    return this.etaMin + (base - this.etaMin) * 0.5 * (1 + Math.cos((Math.PI * (step - start)) / length));
  }
}

/** One rise to `maxLr` and one longer fall (Smith and Topin 2019), cosine-shaped; stays at the end after `totalSteps`. */
export class OneCycleLR extends Scheduler {
  readonly #options: Required<OneCycleOptions>;

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer);
    const { maxLr, totalSteps: _, pctStart: __, divFactor: ___, finalDivFactor: ____, ...others } = options;
    refuseOthers("OneCycleLR", others, "maxLr, totalSteps, pctStart, divFactor, finalDivFactor");
    const groups = this.baseLrs.length;
    if (typeof maxLr !== "number" && maxLr.length !== groups)
      throw new RangeError(`OneCycleLR: maxLr has ${maxLr.length} rates for ${groups} parameter groups`);
    this.#options = { pctStart: 0.3, divFactor: 25, finalDivFactor: 1e4, ...options };
    wholeSteps("OneCycleLR: totalSteps", options.totalSteps, 1);
    this.apply();
  }

  rate(step: number, _base: number, group: number): number {
    const { maxLr: peaks, totalSteps, pctStart, divFactor, finalDivFactor } = this.#options;
    const maxLr = typeof peaks === "number" ? peaks : peaks[group];
    const first = maxLr / divFactor;
    const last = first / finalDivFactor;
    const peak = pctStart * totalSteps - 1;
    const end = totalSteps - 1;
    const cosine = (from: number, to: number, share: number) =>
      to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
    const at = Math.min(step, end);
    if (at <= peak) return cosine(first, maxLr, peak > 0 ? at / peak : 1);
    return cosine(maxLr, last, end > peak ? (at - peak) / (end - peak) : 1);
  }
}

export interface OneCycleOptions {
  /** The highest rate, of all parameter groups or of each. */
  maxLr: number | readonly number[];
  totalSteps: number;
  pctStart?: number;
  divFactor?: number;
  finalDivFactor?: number;
}

/** Multiplies the rate by `factor` once the watched value has not improved for more than `patience` epochs. */
export class ReduceLROnPlateau {
  readonly #options: Required<PlateauOptions>;
  #best: number;
  #badEpochs = 0;
  #cooldown = 0;

  constructor(
    private readonly optimizer: Scheduled,
    options: PlateauOptions = {},
  ) {
    const defaults: Required<PlateauOptions> = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "rel",
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
    };
    refuseUnknownSettings("ReduceLROnPlateau", options, defaults);
    this.#options = { ...defaults, ...options };
    if (!(this.#options.factor < 1))
      throw new RangeError(`ReduceLROnPlateau: the factor must be below 1, got ${this.#options.factor}`);
    this.#best = this.#options.mode === "min" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Tells the value of this epoch. */
  step(value: number): void {
    const { factor, patience, cooldown, minLr, eps } = this.#options;
    const better = this.#isBetter(value);
    if (better) {
      this.#best = value;
      this.#badEpochs = 0;
    } else this.#badEpochs++;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#badEpochs = 0;
    }
    if (this.#badEpochs <= patience) return;
    for (const group of this.optimizer.paramGroups) {
      const lower = Math.max(group.lr * factor, minLr);
      if (group.lr - lower > eps) group.lr = lower;
    }
    this.#cooldown = cooldown;
    this.#badEpochs = 0;
  }

  #isBetter(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === "min" ? -1 : 1;
    const margin = thresholdMode === "abs" ? threshold : this.#best * threshold;
    // Without a best value yet, infinity times a threshold of 0 would be no number.
    const bound = Number.isFinite(this.#best) ? this.#best + sign * margin : this.#best;
    return sign * value > sign * bound;
  }

  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    const best = Number.isFinite(this.#best) ? this.#best : null;
    return { best, badEpochs: this.#badEpochs, cooldown: this.#cooldown, lrs: this.getLastLr() };
  }

  loadStateDict(state: SchedulerState): void {
    if (state["best"] !== null) this.#best = state["best"] as number;
    this.#badEpochs = state["badEpochs"] as number;
    this.#cooldown = state["cooldown"] as number;
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = (state["lrs"] as number[])[i];
    });
  }
}

export interface PlateauOptions {
  mode?: "min" | "max";
  factor?: number;
  patience?: number;
  /** How much a value must differ from the best one to count as better. */
  threshold?: number;
  /** Whether `threshold` is a share of the best value (the default) or a difference. */
  thresholdMode?: "rel" | "abs";
  cooldown?: number;
  minLr?: number;
  eps?: number;
}
=======
export * from "./cosineSchedulers.ts";
export * from "./factorSchedulers.ts";
export * from "./oneCycle.ts";
export * from "./plateau.ts";
export { type Scheduled, type ScheduledGroup, Scheduler, type SchedulerState } from "./scheduler.ts";
>>>>>>> 7ccfe3c (Offer PyTorch's activations, losses, convolutions, norms, pooling, schedules, initializers and short conversions)
