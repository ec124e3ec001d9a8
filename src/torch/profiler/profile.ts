import { refuseOthers } from "../dispatch/optionNames.ts";
import { isCudaAvailable } from "../machine/devices.ts";
import { check, readText, shim } from "../native/library.ts";
import { type KeyAverages, keyAverages } from "./averages.ts";
import type { ProfilerEvent } from "./events.ts";
import { moveFile } from "./traceFile.ts";

export interface ProfileOptions {
  /** The shapes of each operator's tensors. */
  readonly recordShapes?: boolean;
  /** What each operator allocates and frees. */
  readonly profileMemory?: boolean;
  /**
   * Floating-point operations of the operators that LibTorch has a formula for; needs the
   * shapes and records them.
   */
  readonly withFlops?: boolean;
  /** Record the accelerator's kernels too. Default: where there is one. */
  readonly accelerator?: boolean;
}

type Row = [
  ...[
    name: string,
    start: number,
    duration: number,
    thread: number,
    device: number,
    bytes: number,
    flops: number,
  ],
  ...[correlation: number, linked: number, shapes: number[][]],
];

const encoder = new TextEncoder();
const none = new Uint8Array(1);
let last: object | null = null;

/** What a profile has recorded. */
export class Profile<T> {
  readonly result: T;
  readonly events: readonly ProfilerEvent[];

  /** @internal */
  constructor(result: T, rows: readonly Row[]) {
    const first = rows.reduce((least, row) => Math.min(least, row[1]), Number.POSITIVE_INFINITY);
    this.result = result;
    this.events = rows.map(
      ([name, start, duration, thread, device, bytes, flops, correlation, linked, shapes]) => ({
        ...{ name, start: start - first, duration, thread, device: device === 0 ? "cpu" : "accelerator" },
        ...{ bytes, flops, correlation, linkedCorrelation: linked, shapes },
      }),
    );
  }

  /** The events summed by name (and with `groupByInputShape` by shapes). Printed, it is a table. */
  keyAverages(options: { groupByInputShape?: boolean } = {}): KeyAverages {
    return keyAverages(this.events, options.groupByInputShape ?? false);
  }

  /**
   * Writes the trace in Chrome's format, for chrome://tracing, Perfetto and TensorBoard. LibTorch
   * has the last profile alone.
   * @throws Error when another profile was recorded since.
   */
  exportChromeTrace(path: string): void {
    if (last !== this) throw new Error("exportChromeTrace: another profile has been recorded since");
    moveFile(path, (temporary) => {
      const text = encoder.encode(temporary);
      check(shim.aamt_profiler_save(text, text.length), "exportChromeTrace");
    });
  }
}

/**
 * Runs `fn` with LibTorch's profiler: which operators ran (backward passes too), when, for how long, and what
 * they allocated. Recording costs about a microsecond for each operator. One profile at a time in a process.
 *
 * @throws TypeError for an asynchronous function; TorchError when a profile is being recorded already.
 * @example
 * const recorded = torch.profiler.profile(() => model.forward(x).sum().backward(), { recordShapes: true });
 * console.log(String(recorded.keyAverages()));
 * recorded.exportChromeTrace("trace.json");
 */
export function profile<T>(fn: () => T, options: ProfileOptions = {}): Profile<T> {
  const { recordShapes, profileMemory, withFlops, accelerator = isCudaAvailable(), ...others } = options;
  refuseOthers("profile", others, "recordShapes, profileMemory, withFlops, accelerator");
  const on = (value: boolean | undefined) => (value ? 1 : 0);
  check(
    shim.aamt_profiler_start(on(accelerator), on(recordShapes), on(profileMemory), on(withFlops)),
    "profile",
  );
  let result: T;
  try {
    result = fn();
    if (result instanceof Promise) throw new TypeError("profile: the function must not be asynchronous");
  } finally {
    check(shim.aamt_profiler_stop(), "profile");
  }
  const rows = JSON.parse(
    readText((buffer, capacity) => shim.aamt_profiler_events(buffer, capacity)),
  ) as Row[];
  const recorded = new Profile(result, rows);
  last = recorded;
  return recorded;
}

/**
 * Runs `fn` under a name of one's own in the profile. Without a profile being recorded
 * it costs next to nothing.
 */
export function recordFunction<T>(name: string, fn: () => T): T {
  const text = encoder.encode(name || "recordFunction");
  check(shim.aamt_profiler_mark(text, text.length), "recordFunction");
  try {
    const result = fn();
    if (result instanceof Promise)
      throw new TypeError("recordFunction: the function must not be asynchronous");
    return result;
  } finally {
    check(shim.aamt_profiler_mark(none, 0), "recordFunction");
  }
}
