import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import { annealLinear } from "./annealing.ts";
import { type Scheduled, Scheduler, type SchedulerState, wholeSteps } from "./scheduler.ts";

type Factor = (step: number) => number;
/** One function of the number of steps taken, or one per group; by name as well. */
type Factors = Factor | readonly Factor[];
type GivenFactors = Factors | { readonly lrLambda: Factors };

/** A function for each group. @throws TypeError if there are not as many functions as groups. */
function factorsOf(name: string, { paramGroups }: Scheduled, given: GivenFactors): readonly Factor[] {
  const factors = Object(given).lrLambda ?? given;
  const list = typeof factors === "function" ? paramGroups.map(() => factors) : factors;
  if (!Array.isArray(list) || !list.every((one) => typeof one === "function"))
    throw new TypeError(`${name}: takes a function of the number of steps, or a list of one per group`);
  if (list.length !== paramGroups.length)
    throw new TypeError(`${name}: ${list.length} functions for ${paramGroups.length} parameter groups`);
  return list;
}

/** The base rate times what `factor` gives for the number of steps taken; one function, or one per group. */
export class LambdaLR extends Scheduler {
  readonly #factors: readonly Factor[];

  /** @throws TypeError if there are not as many functions as groups. */
  constructor(optimizer: Scheduled, factor: GivenFactors) {
    super(optimizer);
    this.#factors = factorsOf(this.constructor.name, optimizer, factor);
    this.apply();
  }

  rate(step: number, base: number, group: number): number {
    return base * this.#factors[group](step);
  }

  /** As in PyTorch it knows nothing of other schedules. */
  override chained(step: number, _current: number, base: number, group: number): number {
    return this.rate(step, base, group);
  }

  /** Functions can't be saved: Python's has a null for each, too. */
  override stateDict(): SchedulerState {
    return { ...super.stateDict(), lr_lambdas: this.#factors.map(() => null) };
  }
}

/**
 * The rate times what `factor` gives for the number of steps taken, again at every step; one
 * function, or one per group.
 */
export class MultiplicativeLR extends LambdaLR {
  /** @throws TypeError if there are not as many functions as groups. */
  constructor(optimizer: Scheduled, factor: GivenFactors) {
    super(
      optimizer,
      factorsOf("MultiplicativeLR", optimizer, factor).map((one) => (step) => {
        let product = 1;
        for (let i = 1; i <= step; i++) product *= one(i);
        return product;
      }),
    );
  }

  override chained(step: number, current: number, base: number, group: number): number {
    return step === 0 ? current : (current * this.rate(step, base, group)) / this.rate(step - 1, base, group);
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

/**
 * A straight line from `startFactor` (a third) to `endFactor` (one) of the base rate in `totalIters` steps.
 */
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

/** @throws RangeError for a factor outside [0, 1]. */
function needShare(name: string, factor: number): void {
  if (!(factor >= 0 && factor <= 1)) throw new RangeError(`${name} must lie between 0 and 1, got ${factor}`);
}

/** @throws RangeError for steps that do not rise. */
export function risingSteps(name: string, milestones: readonly number[]): readonly number[] {
  milestones.forEach((milestone, i) => {
    wholeSteps(`${name}: milestones`, milestone, 0);
    if (i > 0 && milestone < milestones[i - 1])
      throw new RangeError(`${name}: the milestones must rise, got ${milestones.join(", ")}`);
  });
  return milestones;
}
