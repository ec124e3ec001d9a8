import type { PickleValue } from "../../io/pickle.ts";

/**
 * Learning-rate schedules. `step()` is called once after each optimizer step (`ReduceLROnPlateau`: after each
 * epoch, with the watched value). A schedule sets the rate of its first step when it is made.
 */

/** A parameter group as far as schedules know it. */
export interface ScheduledGroup {
  lr: number;
  momentum?: number;
  betas?: readonly [number, number];
}

/** What a schedule needs of an optimizer. */
export interface Scheduled {
  readonly paramGroups: ScheduledGroup[];
}

/** The rate that a group had when its first schedule was made: the base of every later one, as in PyTorch. */
const initialRates = new WeakMap<ScheduledGroup, number>();

function initialRate(group: ScheduledGroup): number {
  const rate = initialRates.get(group) ?? group.lr;
  initialRates.set(group, rate);
  return rate;
}

/** PyTorch's `initial_lr` of a group, once a schedule was made for it. */
export function initialRateOf(group: ScheduledGroup): number | undefined {
  return initialRates.get(group);
}

/** Takes over the `initial_lr` of a saved group. */
export function rememberInitialRate(group: ScheduledGroup, rate: number): void {
  initialRates.set(group, rate);
}

/** What a schedule keeps, under PyTorch's names: Python's `load_state_dict` takes it. */
export type SchedulerState = {
  [name: string]: number | null | readonly (number | null)[] | readonly SchedulerState[];
};

/**
 * A saved state by name, whether as it was given out or as `torch.load` or JSON gives it.
 * @throws TypeError for something else.
 */
export function readSchedulerState(
  name: string,
  given: SchedulerState | PickleValue,
  needed: readonly string[],
): Record<string, unknown> {
  const state = given instanceof Map ? Object.fromEntries(given) : Object(given);
  for (const key of needed)
    if (state[key] === undefined)
      throw new TypeError(`${name}: expected the state of a schedule, with ${needed.join(", ")}`);
  return state;
}

/** A schedule that is a function of the number of steps taken. */
export abstract class Scheduler {
  /** Steps taken so far. */
  lastStep = 0;
  readonly baseLrs: number[];

  constructor(protected readonly optimizer: Scheduled) {
    this.baseLrs = optimizer.paramGroups.map(initialRate);
  }

  /** The rate after `step` steps for group number `group`, whose rate was `base` at the start. */
  abstract rate(step: number, base: number, group: number): number;

  /**
   * The rate after `step` steps where other schedules change it as well and have made it `current`: changed
   * by what this schedule does from the step before.
   */
  chained(step: number, current: number, base: number, group: number): number {
    const before = step === 0 ? base : this.rate(step - 1, base, group);
    return before === 0 ? current : (current * this.rate(step, base, group)) / before;
  }

  /** Whether it was made for this optimizer. */
  isOf(optimizer: Scheduled): boolean {
    return this.optimizer === optimizer;
  }

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
    return {
      last_epoch: this.lastStep,
      base_lrs: [...this.baseLrs],
      _step_count: this.lastStep + 1,
      _last_lr: this.getLastLr(),
    };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of it, here or from Python.
   * @throws TypeError for something else.
   */
  loadStateDict(given: SchedulerState | PickleValue): void {
    const { last_epoch, base_lrs } = readSchedulerState(this.constructor.name, given, [
      "last_epoch",
      "base_lrs",
    ]);
    this.lastStep = last_epoch as number;
    this.baseLrs.splice(0, this.baseLrs.length, ...(base_lrs as number[]));
    this.apply();
  }
}

/** @throws RangeError for what is not a whole number of at least `least`. */
export function wholeSteps(name: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}`);
  return value;
}
