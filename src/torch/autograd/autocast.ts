import { type Device, parseDevice } from "../core/device.ts";
import { type DType, dtypeCode, dtypeOfCode } from "../core/dtype.ts";
import { refuseOthers } from "../dispatch/optionNames.ts";
import { TorchError } from "../native/errors.ts";
import { check, shim } from "../native/library.ts";
import { synchronous } from "./synchronous.ts";

/** Devices on which this thread's code runs in mixed precision now, by type number. */
const active = new Set<number>();

/** Whether mixed precision is on for a device in this thread. */
export function isAutocastEnabled(device: Device = "cpu"): boolean {
  return active.has(parseDevice(device).type);
}

function remember(type: number, enabled: boolean): void {
  if (enabled) active.add(type);
  else active.delete(type);
}

/** Those that are on in the code that runs, outermost first. */
const open: Autocast[] = [];

const previous = new Float64Array(new ArrayBuffer(1024));

export interface AutocastOptions {
  readonly device?: Device;
  /** bfloat16 unless told otherwise. */
  readonly dtype?: DType;
  readonly enabled?: boolean;
}

/**
 * Mixed precision until disposed: `using amp = new Autocast({ dtype: "bfloat16" })`. See `autocast`. It is a
 * state of the whole thread, and so must end before the next `await`: what runs meanwhile would be in mixed
 * precision too. One that is still open then is switched off, and its end throws.
 *
 * @throws TorchError when it is disposed after an `await`.
 */
export class Autocast implements Disposable {
  readonly #type: number;
  readonly #before: { enabled: boolean; dtype: DType; cache: boolean };
  #lasted = false;

  constructor({ device = "cpu", dtype = "bfloat16", enabled = true, ...others }: AutocastOptions = {}) {
    refuseOthers("autocast", others, "device, dtype, enabled");
    this.#type = parseDevice(device).type;
    check(shim.aamt_autocast(this.#type, enabled ? 1 : 0, dtypeCode(dtype), 1, 1, previous), "autocast");
    remember(this.#type, enabled);
    this.#before = { enabled: previous[0] !== 0, dtype: dtypeOfCode(previous[1]), cache: previous[2] !== 0 };
    open.push(this);
    if (open.length === 1) queueMicrotask(Autocast.#endAll);
  }

  [Symbol.dispose](): void {
    this.#end();
    if (!this.#lasted) return;
    this.#lasted = false;
    throw new TorchError(
      "Autocast: it was still open at an await, where it was switched off, as other code runs then: what came after was not in " +
        "mixed precision. Put torch.autocast(options, () => ...) around the synchronous part alone (forward pass and loss).",
      "runtime",
    );
  }

  /** Runs when all that runs without an `await` has ended: what is still on was opened before one. */
  static #endAll(): void {
    for (const amp of open.toReversed()) {
      amp.#lasted = true;
      amp.#end();
    }
  }

  #end(): void {
    const place = open.lastIndexOf(this);
    if (place < 0) return;
    open.splice(place, 1);
    const { enabled, dtype, cache } = this.#before;
    remember(this.#type, enabled);
    check(
      shim.aamt_autocast(this.#type, enabled ? 1 : 0, dtypeCode(dtype), cache ? 1 : 0, 0, previous),
      "autocast",
    );
  }
}

/**
 * Runs `fn` in mixed precision: matrix products in `dtype`, sums and losses in float32.
 * @throws TypeError if `fn` is asynchronous: the mode would end at its first `await`.
 */
export function autocast<T>(options: AutocastOptions, fn: () => T): T {
  using _amp = new Autocast(options);
  return synchronous("autocast", fn());
}
