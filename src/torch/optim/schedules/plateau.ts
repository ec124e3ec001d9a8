import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import type { PickleValue } from "../../io/pickle.ts";
import { readSchedulerState, type Scheduled, type SchedulerState } from "./scheduler.ts";

/**
 * Multiplies the rate by `factor` once the watched value has not improved for more than `patience` epochs.
 */
export class ReduceLROnPlateau {
  readonly #options: Required<PlateauOptions>;
  #best: number;
  #badEpochs = 0;
  #cooldown = 0;
  #epochs = 0;

  constructor(
    private readonly optimizer: Scheduled,
    options: PlateauOptions = {},
  ) {
    this.#options = {
      mode: "min",
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: "rel",
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
      ...options,
    };
    refuseUnknownSettings("ReduceLROnPlateau", options, {
      mode: 0,
      factor: 0,
      patience: 0,
      threshold: 0,
      thresholdMode: 0,
      cooldown: 0,
      minLr: 0,
      eps: 0,
    });
    const { mode, thresholdMode } = this.#options;
    if (mode !== "min" && mode !== "max")
      throw new TypeError(`ReduceLROnPlateau: mode must be "min" or "max", got ${JSON.stringify(mode)}`);
    if (thresholdMode !== "rel" && thresholdMode !== "abs")
      throw new TypeError(
        `ReduceLROnPlateau: thresholdMode must be "rel" or "abs", got ${JSON.stringify(thresholdMode)}`,
      );
    if (!(this.#options.factor < 1))
      throw new RangeError(`ReduceLROnPlateau: the factor must be below 1, got ${this.#options.factor}`);
    this.#best = this.#options.mode === "min" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /** Tells the value of this epoch. */
  step(value: number): void {
    const { factor, patience, cooldown, minLr, eps } = this.#options;
    this.#epochs++;
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
    return {
      best: this.#best,
      num_bad_epochs: this.#badEpochs,
      cooldown_counter: this.#cooldown,
      last_epoch: this.#epochs,
      _last_lr: this.getLastLr(),
    };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of it, here or from Python.
   * @throws TypeError for something else.
   */
  loadStateDict(given: SchedulerState | PickleValue): void {
    const needed = ["best", "num_bad_epochs", "cooldown_counter", "_last_lr"];
    const state = readSchedulerState("ReduceLROnPlateau", given, needed);
    // JSON has no infinity: nothing was best yet.
    if (state["best"] !== null) this.#best = state["best"] as number;
    this.#badEpochs = state["num_bad_epochs"] as number;
    this.#cooldown = state["cooldown_counter"] as number;
    this.#epochs = (state["last_epoch"] as number | undefined) ?? 0;
    this.optimizer.paramGroups.forEach((group, i) => {
      group.lr = (state["_last_lr"] as number[])[i];
    });
  }
}

export interface PlateauOptions {
  readonly mode?: "min" | "max";
  readonly factor?: number;
  readonly patience?: number;
  /** By how much a value must be better to count: a share of the best (`rel`) or an amount (`abs`). */
  readonly threshold?: number;
  readonly thresholdMode?: "rel" | "abs";
  readonly cooldown?: number;
  readonly minLr?: number;
  readonly eps?: number;
}
