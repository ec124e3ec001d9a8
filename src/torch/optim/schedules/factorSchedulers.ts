import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import { annealLinear } from "./annealing.ts";
import { type Scheduled, Scheduler, wholeSteps } from "./scheduler.ts";

/** The base rate times what `factor` gives for the number of steps taken; one function, or one per group. */
export class LambdaLR extends Scheduler {
  readonly #factors: readonly ((step: number) => number)[];

  /** @throws TypeError if there are not as many functions as groups. */
  constructor(
    optimizer: Scheduled,
    factor: ((step: number) => number) | readonly ((step: number) => number)[],
  ) {
    super(optimizer);
    const groups = optimizer.paramGroups.length;
    this.#factors = typeof factor === "function" ? Array.from({ length: groups }, () => factor) : factor;
    if (this.#factors.length !== groups)
      throw new TypeError(`LambdaLR: ${this.#factors.length} functions for ${groups} parameter groups`);
    this.apply();
  }

  rate(step: number, base: number, group: number): number {
    return base * this.#factors[group](step);
  }
}

/** `gamma` times lower every `stepSize` steps. */
export class StepLR extends Scheduler {
  readonly stepSize: number;
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { stepSize: number; gamma?: number }) {
    super(optimizer);
    refuseUnknownSettings("StepLR", options, { stepSize: 0, gamma: 0 });
    this.stepSize = wholeSteps("StepLR: stepSize", options.stepSize, 1);
    this.gamma = options.gamma ?? 0.1;
    this.apply();
  }

  rate(step: number, base: number): number {
    return base * this.gamma ** Math.floor(step / this.stepSize);
  }
}

/** `gamma` times lower at each of the milestones (steps, rising). */
export class MultiStepLR extends Scheduler {
  readonly milestones: readonly number[];
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { milestones: readonly number[]; gamma?: number }) {
    super(optimizer);
    refuseUnknownSettings("MultiStepLR", options, { milestones: 0, gamma: 0 });
    this.milestones = risingSteps("MultiStepLR", options.milestones);
    this.gamma = options.gamma ?? 0.1;
    this.apply();
  }

  rate(step: number, base: number): number {
    return base * this.gamma ** this.milestones.filter((milestone) => milestone <= step).length;
  }
}

/** Times `gamma` at every step. */
export class ExponentialLR extends Scheduler {
  readonly gamma: number;

  constructor(optimizer: Scheduled, options: { gamma: number }) {
    super(optimizer);
    refuseUnknownSettings("ExponentialLR", options, { gamma: 0 });
    this.gamma = options.gamma;
    this.apply();
  }

  rate(step: number, base: number): number {
    return base * this.gamma ** step;
  }
}

/** `factor` (a third, as in PyTorch) of the base rate for `totalIters` steps, then all of it. */
export class ConstantLR extends Scheduler {
  readonly factor: number;
  readonly totalIters: number;

  constructor(optimizer: Scheduled, options: { factor?: number; totalIters?: number } = {}) {
    super(optimizer);
    refuseUnknownSettings("ConstantLR", options, { factor: 0, totalIters: 0 });
    this.factor = options.factor ?? 1 / 3;
    needShare("ConstantLR: factor", this.factor);
    this.totalIters = wholeSteps("ConstantLR: totalIters", options.totalIters ?? 5, 0);
    this.apply();
  }

  rate(step: number, base: number): number {
    return step < this.totalIters ? base * this.factor : base;
  }
}

/** A straight line from `startFactor` (a third) to `endFactor` (one) of the base rate in `totalIters` steps. */
export class LinearLR extends Scheduler {
  readonly startFactor: number;
  readonly endFactor: number;
  readonly totalIters: number;

  constructor(
    optimizer: Scheduled,
    options: { startFactor?: number; endFactor?: number; totalIters?: number } = {},
  ) {
    super(optimizer);
    refuseUnknownSettings("LinearLR", options, { startFactor: 0, endFactor: 0, totalIters: 0 });
    this.startFactor = options.startFactor ?? 1 / 3;
    this.endFactor = options.endFactor ?? 1;
    needShare("LinearLR: startFactor", this.startFactor);
    needShare("LinearLR: endFactor", this.endFactor);
    if (this.startFactor === 0) throw new RangeError("LinearLR: startFactor must be above 0");
    this.totalIters = wholeSteps("LinearLR: totalIters", options.totalIters ?? 5, 1);
    this.apply();
  }

  rate(step: number, base: number): number {
    return base * annealLinear(this.startFactor, this.endFactor, Math.min(step / this.totalIters, 1));
  }
}

/** Falls to zero in `totalIters` steps as (1 - step / totalIters)^power. */
export class PolynomialLR extends Scheduler {
  readonly totalIters: number;
  readonly power: number;

  constructor(optimizer: Scheduled, options: { totalIters?: number; power?: number } = {}) {
    super(optimizer);
    refuseUnknownSettings("PolynomialLR", options, { totalIters: 0, power: 0 });
    this.totalIters = wholeSteps("PolynomialLR: totalIters", options.totalIters ?? 5, 1);
    this.power = options.power ?? 1;
    this.apply();
  }

  rate(step: number, base: number): number {
    return base * (1 - Math.min(step / this.totalIters, 1)) ** this.power;
  }
}

/** One schedule after the other: the next one starts, from its own beginning, at each milestone. */
export class SequentialLR extends Scheduler {
  readonly milestones: readonly number[];
  readonly #schedulers: readonly Scheduler[];

  /** @throws TypeError unless there is one milestone less than schedules. */
  constructor(
    optimizer: Scheduled,
    options: { schedulers: readonly Scheduler[]; milestones: readonly number[] },
  ) {
    super(optimizer);
    refuseUnknownSettings("SequentialLR", options, { schedulers: 0, milestones: 0 });
    this.milestones = risingSteps("SequentialLR", options.milestones);
    this.#schedulers = options.schedulers;
    if (this.#schedulers.length !== this.milestones.length + 1) {
      throw new TypeError(
        `SequentialLR: ${this.#schedulers.length} schedules need ${this.#schedulers.length - 1} milestones, got ${this.milestones.length}`,
      );
    }
    this.apply();
  }

  rate(step: number, base: number, group: number): number {
    const turn = this.milestones.filter((milestone) => milestone <= step).length;
    const start = turn === 0 ? 0 : this.milestones[turn - 1];
    return this.#schedulers[turn].rate(step - start, base, group);
  }
}

/** @throws RangeError for a factor outside [0, 1]. */
function needShare(name: string, factor: number): void {
  if (!(factor >= 0 && factor <= 1)) throw new RangeError(`${name} must lie between 0 and 1, got ${factor}`);
}

function risingSteps(name: string, milestones: readonly number[]): readonly number[] {
  milestones.forEach((milestone, i) => {
    wholeSteps(`${name}: milestones`, milestone, 0);
    if (i > 0 && milestone < milestones[i - 1])
      throw new RangeError(`${name}: the milestones must rise, got ${milestones.join(", ")}`);
  });
  return milestones;
}
