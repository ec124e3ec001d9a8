import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import { annealCosine, annealLinear } from "./annealing.ts";
import { needMomentum, setMomentum } from "./momentum.ts";
import { type Scheduled, type ScheduledGroup, Scheduler, wholeSteps } from "./scheduler.ts";

export interface OneCycleOptions {
  /** The highest rate; a list gives each group its own. */
  readonly maxLr: number | readonly number[];
  readonly totalSteps: number;
  /** The share of the steps that rises. */
  readonly pctStart?: number;
  readonly annealStrategy?: "cos" | "linear";
  /**
   * Whether momentum (SGD) or the first beta (Adam) moves against the rate, from
   * `maxMomentum` down and up again.
   */
  readonly cycleMomentum?: boolean;
  readonly baseMomentum?: number;
  readonly maxMomentum?: number;
  /** The first rate is `maxLr / divFactor`, the last one that divided by `finalDivFactor`. */
  readonly divFactor?: number;
  readonly finalDivFactor?: number;
}

/**
 * One rise to `maxLr` and one longer fall (Smith and Topin 2019), with PyTorch's defaults. It stays at the
 * end after `totalSteps`, where PyTorch's fails.
 */
export class OneCycleLR extends Scheduler {
  readonly #options: Required<OneCycleOptions>;
  readonly #groups: readonly ScheduledGroup[];

  constructor(optimizer: Scheduled, options: OneCycleOptions) {
    super(optimizer);
    refuseUnknownSettings("OneCycleLR", options, {
      maxLr: 0,
      totalSteps: 0,
      pctStart: 0,
      annealStrategy: 0,
      cycleMomentum: 0,
      baseMomentum: 0,
      maxMomentum: 0,
      divFactor: 0,
      finalDivFactor: 0,
    });
    this.#groups = optimizer.paramGroups;
    this.#options = {
      ...{ pctStart: 0.3, annealStrategy: "cos", cycleMomentum: true, baseMomentum: 0.85 },
      ...{ maxMomentum: 0.95, divFactor: 25, finalDivFactor: 1e4 },
      ...options,
    };
    const { annealStrategy, maxLr, pctStart } = this.#options;
    wholeSteps("OneCycleLR: totalSteps", options.totalSteps, 1);
    if (annealStrategy !== "cos" && annealStrategy !== "linear")
      throw new TypeError(`OneCycleLR: annealStrategy must be "cos" or "linear", got ${annealStrategy}`);
    if (!(pctStart >= 0 && pctStart <= 1))
      throw new RangeError(`OneCycleLR: pctStart must lie between 0 and 1, got ${pctStart}`);
    if (typeof maxLr !== "number" && maxLr.length !== this.#groups.length)
      throw new TypeError(`OneCycleLR: ${maxLr.length} rates for ${this.#groups.length} parameter groups`);
    const { cycleMomentum } = this.#options;
    if (cycleMomentum) needMomentum("OneCycleLR", optimizer);
    this.apply();
  }

  /** From `first` to `top` in the rise, to `last` in the fall. */
  #curve(step: number, first: number, top: number, last: number): number {
    const { totalSteps, pctStart, annealStrategy } = this.#options;
    const anneal = annealStrategy === "cos" ? annealCosine : annealLinear;
    const peak = pctStart * totalSteps - 1;
    const end = totalSteps - 1;
    const at = Math.min(step, end);
    if (at <= peak) return anneal(first, top, peak > 0 ? at / peak : 1);
    return anneal(top, last, end > peak ? (at - peak) / (end - peak) : 1);
  }

  rate(step: number, _base: number, group: number): number {
    const { maxLr, divFactor, finalDivFactor } = this.#options;
    const top = typeof maxLr === "number" ? maxLr : maxLr[group];
    return this.#curve(step, top / divFactor, top, top / divFactor / finalDivFactor);
  }

  protected override apply(): void {
    super.apply();
    const { cycleMomentum, baseMomentum, maxMomentum } = this.#options;
    if (!cycleMomentum) return;
    const momentum = this.#curve(this.lastStep, maxMomentum, baseMomentum, maxMomentum);
    for (const group of this.#groups) setMomentum(group, momentum);
  }
}
