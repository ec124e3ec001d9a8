import { refuseUnknownSettings } from "../../dispatch/optionNames.ts";
import { needMomentum, perGroup, setMomentum } from "./momentum.ts";
import { type Scheduled, Scheduler, wholeSteps } from "./scheduler.ts";

export interface CyclicOptions {
  /** The lowest rate; a list gives each group its own. */
  readonly baseLr: number | readonly number[];
  /** The highest rate of the first cycle; a list gives each group its own. */
  readonly maxLr: number | readonly number[];
  readonly stepSizeUp?: number;
  /** As many as up unless given. */
  readonly stepSizeDown?: number | null;
  /**
   * Heights of the cycles: all the same, each half of the one before, or falling by `gamma` with every step.
   */
  readonly mode?: "triangular" | "triangular2" | "exp_range";
  readonly gamma?: number;
  /** A share of the height in place of `mode`, for the number of the cycle (from 1) or of the step. */
  readonly scaleFn?: ((x: number) => number) | null;
  readonly scaleMode?: "cycle" | "iterations";
  /** Whether momentum (SGD) or the first beta (Adam) moves against the rate. */
  readonly cycleMomentum?: boolean;
  readonly baseMomentum?: number | readonly number[];
  readonly maxMomentum?: number | readonly number[];
}

const standard = {
  stepSizeUp: 2000,
  stepSizeDown: null as number | null,
  mode: "triangular" as const,
  gamma: 1,
  scaleFn: null as ((x: number) => number) | null,
  scaleMode: "cycle" as const,
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
};

/**
 * Up and down between two rates (Smith 2017).
 * @throws TypeError for an unknown mode, or momentum that the optimizer does not have.
 */
export class CyclicLR extends Scheduler {
  readonly #options: Required<CyclicOptions>;
  readonly #up: number;
  readonly #length: number;
  readonly #rates: { lowest: readonly number[]; highest: readonly number[] };

  constructor(optimizer: Scheduled, options: CyclicOptions) {
    super(optimizer);
    refuseUnknownSettings("CyclicLR", options, { baseLr: 0, maxLr: 0, ...standard });
    this.#options = { ...standard, ...options };
    const { mode, scaleFn, scaleMode, stepSizeUp, stepSizeDown, cycleMomentum } = this.#options;
    if (scaleFn === null && !["triangular", "triangular2", "exp_range"].includes(mode))
      throw new TypeError(
        `CyclicLR: mode must be "triangular", "triangular2" or "exp_range", got ${JSON.stringify(mode)}`,
      );
    if (scaleMode !== "cycle" && scaleMode !== "iterations")
      throw new TypeError(
        `CyclicLR: scaleMode must be "cycle" or "iterations", got ${JSON.stringify(scaleMode)}`,
      );
    this.#up = wholeSteps("CyclicLR: stepSizeUp", stepSizeUp, 1);
    this.#length = this.#up + wholeSteps("CyclicLR: stepSizeDown", stepSizeDown ?? stepSizeUp, 0);
    this.#rates = {
      lowest: perGroup("CyclicLR", "baseLr", options.baseLr, optimizer),
      highest: perGroup("CyclicLR", "maxLr", options.maxLr, optimizer),
    };
    this.baseLrs.splice(0, this.baseLrs.length, ...this.#rates.lowest);
    if (cycleMomentum) needMomentum("CyclicLR", optimizer);
    this.apply();
  }

  /** How far up, from 0 to the height of the cycle. */
  #height(step: number): number {
    const { mode, gamma, scaleFn, scaleMode } = this.#options;
    const cycle = Math.floor(1 + step / this.#length);
    const at = 1 + step / this.#length - cycle;
    const turn = this.#up / this.#length;
    const share = at <= turn ? at / turn : (at - 1) / (turn - 1);
    if (scaleFn) return share * scaleFn(scaleMode === "cycle" ? cycle : step);
    if (mode === "triangular") return share;
    return share * (mode === "triangular2" ? 1 / 2 ** (cycle - 1) : gamma ** step);
  }

  rate(step: number, base: number, group: number): number {
    return base + (this.#rates.highest[group] - base) * this.#height(step);
  }

  /** As in PyTorch it knows nothing of other schedules. */
  override chained(step: number, _current: number, base: number, group: number): number {
    return this.rate(step, base, group);
  }

  protected override apply(): void {
    super.apply();
    const { cycleMomentum, baseMomentum, maxMomentum } = this.#options;
    if (!cycleMomentum) return;
    const lowest = perGroup("CyclicLR", "baseMomentum", baseMomentum, this.optimizer);
    const highest = perGroup("CyclicLR", "maxMomentum", maxMomentum, this.optimizer);
    this.optimizer.paramGroups.forEach((group, i) => {
      setMomentum(group, highest[i] - (highest[i] - lowest[i]) * this.#height(this.lastStep));
    });
  }
}
