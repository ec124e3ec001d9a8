import type { Tensor } from "../core/tensor.ts";
import { tidy } from "../core/tidy.ts";
import { ops } from "../dispatch/operators.ts";
import { refuseUnknownSettings } from "../dispatch/optionNames.ts";
import { full, zeros } from "../functions/creation.ts";
import { noGrad } from "./modes.ts";

export interface GradScalerOptions {
  readonly initScale?: number;
  readonly growthFactor?: number;
  readonly backoffFactor?: number;
  /** Good steps after which the factor grows. */
  readonly growthInterval?: number;
  /** Without it everything passes through unchanged. */
  readonly enabled?: boolean;
}

/** What the scaler needs of an optimizer. */
export interface Scalable {
  readonly paramGroups: readonly { readonly params: readonly Tensor[] }[];
  step(): void;
}

/** The factor, how it changes, and the good steps since it last did, under PyTorch's names. */
export type GradScalerState = Record<string, number>;

const defaults: Required<GradScalerOptions> = {
  initScale: 65536,
  growthFactor: 2,
  backoffFactor: 0.5,
  growthInterval: 2000,
  enabled: true,
};

/**
 * Multiplies float16 losses so that small gradients do not vanish (Micikevicius et al. 2018):
 * `scale(loss).backward()`, perhaps `unscale_(optimizer)` and clipping, `step(optimizer)`, `update()`. A step
 * whose gradients overflow is left out and the factor made smaller (not below 1); after enough good steps it
 * grows. Waits for the device once a step.
 */
export class GradScaler {
  readonly #options: Required<GradScalerOptions>;
  #scale: number;
  #goodSteps = 0;
  /** Whether the gradients of each optimizer, divided already in this step, were all finite. */
  readonly #unscaled = new Map<Scalable, boolean>();
  readonly #stepped = new Set<Scalable>();

  constructor(options: GradScalerOptions = {}) {
    refuseUnknownSettings("GradScaler", options, defaults);
    this.#options = { ...defaults, ...options };
    const { growthFactor, backoffFactor, growthInterval, initScale } = this.#options;
    if (!(growthFactor > 1))
      throw new RangeError(`GradScaler: growthFactor must be above 1, got ${growthFactor}`);
    if (!(backoffFactor > 0 && backoffFactor < 1))
      throw new RangeError(`GradScaler: backoffFactor must lie between 0 and 1, got ${backoffFactor}`);
    if (!(Number.isInteger(growthInterval) && growthInterval > 0))
      throw new RangeError(
        `GradScaler: growthInterval must be a whole number above 0, got ${growthInterval}`,
      );
    if (!(initScale > 0)) throw new RangeError(`GradScaler: initScale must be above 0, got ${initScale}`);
    this.#scale = this.#options.initScale;
  }

  /** The loss times the factor; its gradients are what `step` expects. */
  scale(loss: Tensor): Tensor {
    return this.#options.enabled ? loss.mul(this.#scale) : loss;
  }

  getScale(): number {
    return this.#options.enabled ? this.#scale : 1;
  }

  /**
   * Divides the optimizer's gradients by the factor, to clip or look at them before `step`, and
   * tells whether all are finite.
   * @throws RangeError when called twice for an optimizer without `update` in between: the
   * gradients would be divided twice.
   */
  unscale_(optimizer: Scalable): boolean {
    if (!this.#options.enabled) return true;
    if (this.#unscaled.has(optimizer))
      throw new RangeError("GradScaler: unscale_ has been called for this optimizer since the last update()");
    const parameters = optimizer.paramGroups.flatMap(({ params }) => params);
    const allFinite = divideGradients(parameters, this.#scale);
    this.#unscaled.set(optimizer, allFinite);
    return allFinite;
  }

  /**
   * `optimizer.step()` unless a gradient is infinite or not a number; tells whether it was taken.
   * @throws RangeError when called twice for an optimizer without `update` in between.
   */
  step(optimizer: Scalable): boolean {
    if (this.#stepped.has(optimizer))
      throw new RangeError("GradScaler: step has been called for this optimizer since the last update()");
    if (this.#options.enabled) this.#stepped.add(optimizer);
    const allFinite = this.#unscaled.get(optimizer) ?? this.unscale_(optimizer);
    if (allFinite) optimizer.step();
    return allFinite;
  }

  /** Changes the factor by what the steps since the last call found; once, after all optimizers' steps. */
  update(): void {
    const { enabled, growthFactor, backoffFactor, growthInterval } = this.#options;
    if (!enabled || this.#unscaled.size === 0) return;
    const allFinite = [...this.#unscaled.values()].every(Boolean);
    this.#unscaled.clear();
    this.#stepped.clear();
    if (!allFinite) {
      this.#scale = Math.max(this.#scale * backoffFactor, 1);
      this.#goodSteps = 0;
    } else if (++this.#goodSteps >= growthInterval) {
      this.#scale *= growthFactor;
      this.#goodSteps = 0;
    }
  }

  /** As PyTorch's `state_dict()`, whose names it has; empty when not enabled. */
  stateDict(): GradScalerState {
    const { enabled, growthFactor, backoffFactor, growthInterval } = this.#options;
    if (!enabled) return {};
    return {
      scale: this.#scale,
      growth_factor: growthFactor,
      backoff_factor: backoffFactor,
      growth_interval: growthInterval,
      _growth_tracker: this.#goodSteps,
    };
  }

  /**
   * Takes over what `stateDict` gave, or what `torch.load` read of it, here or from Python.
   * @throws TypeError for something else.
   */
  loadStateDict(given: GradScalerState | ReadonlyMap<unknown, unknown>): void {
    if (!this.#options.enabled) return;
    const state = given instanceof Map ? Object.fromEntries(given) : Object(given);
    const { scale, growth_factor, backoff_factor, growth_interval, _growth_tracker } = state;
    const numbers = [scale, growth_factor, backoff_factor, growth_interval, _growth_tracker];
    if (!numbers.every((value) => typeof value === "number"))
      throw new TypeError("GradScaler: expected the state of a scaler, with scale, growth_factor and so on");
    this.#scale = scale;
    this.#goodSteps = _growth_tracker;
    Object.assign(this.#options, {
      growthFactor: growth_factor,
      backoffFactor: backoff_factor,
      growthInterval: growth_interval,
    });
  }
}

function divideGradients(parameters: readonly Tensor[], scale: number): boolean {
  return noGrad(() =>
    tidy(() => {
      const grads = parameters.flatMap((value) => value.grad ?? []);
      if (grads.length === 0) return true;
      if (grads.some((gradient) => gradient.dtype === "float16"))
        throw new TypeError(
          "GradScaler: gradients of float16 parameters can't be unscaled; keep the weights in float32",
        );
      const device = grads[0].device;
      const found = zeros([], { device });
      const inverse = full([], 1 / scale, { device });
      ops.unsafe.aten._amp_foreach_non_finite_check_and_unscale_(grads, found, inverse);
      return found.item() === 0;
    }),
  );
}
