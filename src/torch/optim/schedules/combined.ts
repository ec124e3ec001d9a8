import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import type { PickleValue } from "../../io/pickle.ts";
import { risingSteps } from "./factorSchedulers.ts";
import { readSchedulerState, type Scheduled, Scheduler, type SchedulerState } from "./scheduler.ts";

/** @throws TypeError for no schedules, or for one that another optimizer has. */
function needSchedulers(name: string, optimizer: Scheduled, schedulers: readonly Scheduler[]): void {
  if (schedulers.length === 0) throw new TypeError(`${name}: there are no schedules`);
  for (const one of schedulers) {
    if (!(one instanceof Scheduler))
      throw new TypeError(`${name}: takes schedules of steps; ReduceLROnPlateau and others stand alone`);
    if (!one.isOf(optimizer)) throw new TypeError(`${name}: a schedule belongs to another optimizer`);
  }
}

/** One schedule after the other: the next one starts, from its own beginning, at each milestone. */
export class SequentialLR extends Scheduler {
  readonly milestones: readonly number[];
  readonly #schedulers: readonly Scheduler[];

  /** @throws TypeError unless there is one milestone less than schedules, all of this optimizer. */
  constructor(
    optimizer: Scheduled,
    options: { schedulers: readonly Scheduler[]; milestones: readonly number[] },
  ) {
    super(optimizer);
    refuseUnknownSettings("SequentialLR", options, { schedulers: 0, milestones: 0 });
    this.milestones = risingSteps("SequentialLR", options.milestones);
    this.#schedulers = options.schedulers;
    needSchedulers("SequentialLR", optimizer, this.#schedulers);
    if (this.#schedulers.length !== this.milestones.length + 1) {
      throw new TypeError(
        `SequentialLR: ${this.#schedulers.length} schedules need ${this.#schedulers.length - 1} milestones, got ${this.milestones.length}`,
      );
    }
    this.apply();
  }

  #start(turn: number): number {
    return turn === 0 ? 0 : this.milestones[turn - 1];
  }

  rate(step: number, base: number, group: number): number {
    const turn = this.milestones.filter((milestone) => milestone <= step).length;
    return this.#schedulers[turn].rate(step - this.#start(turn), base, group);
  }

  override stateDict(): SchedulerState {
    const _schedulers = this.#schedulers.map((one, turn) => {
      const end = Math.min(this.lastStep, (this.milestones[turn] ?? Number.POSITIVE_INFINITY) - 1);
      const last_epoch = Math.max(end - this.#start(turn), 0);
      return { ...one.stateDict(), last_epoch, _step_count: last_epoch + 1 };
    });
    return { ...super.stateDict(), _milestones: this.milestones, _schedulers };
  }

  override loadStateDict(given: SchedulerState | PickleValue): void {
    const { last_epoch, base_lrs, _schedulers } = readSchedulerState("SequentialLR", given, ["_schedulers"]);
    // Python's has no base rates of its own: its schedules have them.
    const [first] = _schedulers as readonly (SchedulerState | PickleValue)[];
    const bases = base_lrs ?? readSchedulerState("SequentialLR", first, ["base_lrs"])["base_lrs"];
    super.loadStateDict(new Map([...Object.entries({ last_epoch, base_lrs: bases })]) as PickleValue);
  }
}

/** Several schedules at once: each changes the rate that those before it have made. */
export class ChainedScheduler {
  readonly #schedulers: readonly Scheduler[];
  readonly #optimizer: Scheduled;

  /**
   * `optimizer` is that of the schedules.
   * @throws TypeError for no schedules, or for schedules of another optimizer.
   */
  constructor(schedulers: readonly Scheduler[], optimizer: Scheduled) {
    needSchedulers("ChainedScheduler", optimizer, schedulers);
    this.#schedulers = schedulers;
    this.#optimizer = optimizer;
    optimizer.paramGroups.forEach((group, i) => {
      group.lr = schedulers[0].baseLrs[i];
    });
    this.#apply();
  }

  #apply(): void {
    this.#optimizer.paramGroups.forEach((group, i) => {
      for (const one of this.#schedulers) group.lr = one.chained(one.lastStep, group.lr, one.baseLrs[i], i);
    });
  }

  step(): void {
    for (const one of this.#schedulers) one.lastStep++;
    this.#apply();
  }

  /** The rates in force. */
  getLastLr(): number[] {
    return this.#optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerState {
    return { _schedulers: this.#schedulers.map((one) => one.stateDict()), _last_lr: this.getLastLr() };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of it, here or from Python.
   * @throws TypeError for something else.
   */
  loadStateDict(given: SchedulerState | PickleValue): void {
    const { _schedulers, _last_lr } = readSchedulerState("ChainedScheduler", given, [
      "_schedulers",
      "_last_lr",
    ]);
    const states = _schedulers as readonly SchedulerState[];
    if (states.length !== this.#schedulers.length)
      throw new TypeError(
        `ChainedScheduler: the state has ${states.length} schedules, there are ${this.#schedulers.length}`,
      );
    this.#schedulers.forEach((one, i) => {
      one.loadStateDict(states[i]);
    });
    this.#optimizer.paramGroups.forEach((group, i) => {
      group.lr = (_last_lr as readonly number[])[i];
    });
  }
}
