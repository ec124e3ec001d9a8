import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import { annealCosine, restartedAt } from "./annealing.ts";
import { type Scheduled, Scheduler, wholeSteps } from "./scheduler.ts";

/**
 * Rises linearly to the base rate, which step `warmupSteps` has (steps count from 0), then falls along a half
 * cosine to `etaMin` at `totalSteps` and stays there. The first step has 1/(warmupSteps + 1) of the rate:
 * neither none of it nor all.
 */
export class WarmupCosineLR extends Scheduler {
  readonly warmupSteps: number;
  readonly totalSteps: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { warmupSteps: number; totalSteps: number; etaMin?: number }) {
    super(optimizer);
    refuseUnknownSettings("WarmupCosineLR", options, { warmupSteps: 0, totalSteps: 0, etaMin: 0 });
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
    return annealCosine(base, this.etaMin, progress);
  }
}

/**
 * A cosine from the base rate to `etaMin` in `tMax` steps (Loshchilov and Hutter 2017, without restarts);
 * after `tMax` it rises again, as PyTorch's does.
 */
export class CosineAnnealingLR extends Scheduler {
  readonly tMax: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { tMax: number; etaMin?: number }) {
    super(optimizer);
    refuseUnknownSettings("CosineAnnealingLR", options, { tMax: 0, etaMin: 0 });
    this.tMax = wholeSteps("CosineAnnealingLR: tMax", options.tMax, 1);
    this.etaMin = options.etaMin ?? 0;
    this.apply();
  }

  rate(step: number, base: number): number {
    return annealCosine(base, this.etaMin, step / this.tMax);
  }

  override chained(step: number, current: number, base: number): number {
    if (step === 0) return current;
    const floor = this.etaMin;
    const [before, now] = [this.rate(step - 1, base) - floor, this.rate(step, base) - floor];
    // At the lowest point the way up begins with what the base rate gives.
    return (step - 1 - this.tMax) % (2 * this.tMax) === 0
      ? current + now
      : floor + ((current - floor) * now) / before;
  }
}

/** Cosines that start again: the first lasts `t0` steps, each next one `tMult` times as long (SGDR). */
export class CosineAnnealingWarmRestarts extends Scheduler {
  readonly t0: number;
  readonly tMult: number;
  readonly etaMin: number;

  constructor(optimizer: Scheduled, options: { t0: number; tMult?: number; etaMin?: number }) {
    super(optimizer);
    refuseUnknownSettings("CosineAnnealingWarmRestarts", options, { t0: 0, tMult: 0, etaMin: 0 });
    this.t0 = wholeSteps("CosineAnnealingWarmRestarts: t0", options.t0, 1);
    this.tMult = wholeSteps("CosineAnnealingWarmRestarts: tMult", options.tMult ?? 1, 1);
    this.etaMin = options.etaMin ?? 0;
    this.apply();
  }

  rate(step: number, base: number): number {
    return annealCosine(base, this.etaMin, restartedAt(step, this.t0, this.tMult));
  }

  /**
   * One step further, or to `epoch`, which may lie between whole ones: `step(epoch + batch / batches)`.
   * @throws RangeError for a negative one.
   */
  override step(epoch = this.lastStep + 1): void {
    if (!(epoch >= 0))
      throw new RangeError(`CosineAnnealingWarmRestarts: the epoch must not be negative, got ${epoch}`);
    this.lastStep = epoch;
    this.apply();
  }
}
