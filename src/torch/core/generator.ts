import { check, shim } from "../native/library.ts";
import { type Device, parseDevice } from "./device.ts";
import { Tensor } from "./tensor.ts";

const out = new Float64Array(new ArrayBuffer(1024));
/** Frees generators that nobody refers to; there are few, so a registry is good enough. */
const registry = new FinalizationRegistry<number>((handle) => {
  shim.aamt_generator_free(handle);
});
const defaults = new Map<Device, Generator>();

/** @throws RangeError for what is not an integer that a double holds exactly. */
export function checkedSeed(seed: number): number {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`A seed must be an integer below 2^53, got ${seed}.`);
  return seed;
}

/**
 * A stream of random numbers on a device. Operators that draw random numbers take one as `{ generator }`;
 * without it they use the device's default generator.
 */
export class Generator {
  /** @internal */
  readonly handle: number;
  readonly device: Device;

  /**
   * A new generator, or with `shared` the device's default one.
   * @throws TorchError if the device does not exist.
   */
  constructor(device: Device = "cpu", shared = false) {
    const { type, index } = parseDevice(device);
    check(shim.aamt_generator(type, index, shared ? 1 : 0, out), `Generator on ${device}`);
    this.handle = out[0];
    this.device = device;
    registry.register(this, this.handle);
  }

  /** The generator that operators on `device` use when none is given. */
  static default(device: Device = "cpu"): Generator {
    let generator = defaults.get(device);
    if (!generator) {
      generator = new Generator(device, true);
      defaults.set(device, generator);
    }
    return generator;
  }

  manualSeed(seed: number): this {
    check(shim.aamt_generator_seed(this.handle, checkedSeed(seed)), "Generator.manualSeed");
    return this;
  }

  initialSeed(): number {
    check(shim.aamt_generator_initial_seed(this.handle, out), "Generator.initialSeed");
    return out[0];
  }

  /** The whole state as a uint8 tensor, to be given to `setState` later. */
  getState(): Tensor {
    check(shim.aamt_generator_state(this.handle, out), "Generator.getState");
    return Tensor.fromHandle(out[0], 8192);
  }

  setState(state: Tensor): this {
    check(shim.aamt_generator_set_state(this.handle, state.handle), "Generator.setState");
    return this;
  }
}

/** Seeds the default generators of all devices, as `torch.manual_seed` does. */
export function manualSeed(seed: number): void {
  check(shim.aamt_manual_seed(checkedSeed(seed)), "manualSeed");
}

/** The seed that the CPU's default generator was last given. */
export function initialSeed(): number {
  return Generator.default("cpu").initialSeed();
}

/** The state of the CPU's default generator, to be given to `setRngState` later. */
export function getRngState(): Tensor {
  return Generator.default("cpu").getState();
}

/** Puts the CPU's default generator into a state that `getRngState` has given. */
export function setRngState(state: Tensor): void {
  Generator.default("cpu").setState(state);
}

/** Runs `fn` and puts the CPU's default generator back to where it was. */
export function forkRng<T>(fn: () => T): T {
  const generator = Generator.default("cpu");
  const state = generator.getState().detachFromScope();
  try {
    return fn();
  } finally {
    generator.setState(state);
    state.dispose();
  }
}
