/**
 * Learning-rate schedules. `step()` is called once after each optimizer step (`ReduceLROnPlateau`: after each epoch, with the
 * watched value). A schedule sets the rate of its first step when it is made.
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

/** Numbers to be saved and loaded again. */
export type SchedulerState = Record<string, number | number[] | null>;

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

/** @throws RangeError for what is not a whole number of at least `least`. */
export function wholeSteps(name: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new RangeError(`${name} must be a whole number of at least ${least}, got ${value}`);
  return value;
}
