import { dirname, sep } from "node:path";
import { setBeforeCall, withoutTypedCalls } from "../dispatch/callMode.ts";
import { check, readText, shim } from "../native/library.ts";

/** Frames of these files are the binding's own; the first one above them is the program's line. */
const ownFolder = dirname(import.meta.dir) + sep;
const encoder = new TextEncoder();
const none = new Uint8Array(1);

export interface AnomalyOptions {
  /** Whether NaN in a gradient is an error. Default true. */
  readonly checkNan?: boolean;
}

let used = false;

/** The program's lines on the stack, the innermost first. */
function programLines(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const stack = new Error().stack ?? "";
  Error.stackTraceLimit = limit;
  const frames = stack.split("\n").filter((line) => /^\s*at /.test(line));
  const outside = frames.filter((line) => !line.includes(ownFolder));
  return (outside.length > 0 ? outside : frames).slice(0, 8).join("\n");
}

/**
 * Runs `fn` with every node of the graph remembering the line of the program that made it: an error of its
 * backward, also later, names that line, and a gradient with NaN is an error. Slow (a stack is read at every
 * operator): for looking for a fault.
 */
export function detectAnomaly<T>(fn: () => T, options: AnomalyOptions = {}): T {
  used = true;
  const checkNan = options.checkNan === false ? 0 : 1;
  const restore = withoutTypedCalls();
  const before = setBeforeCall(() => {
    const lines = encoder.encode(programLines());
    check(shim.aamt_anomaly_site(lines, lines.length, checkNan));
  });
  try {
    const result = fn();
    if (result instanceof Promise)
      throw new TypeError("detectAnomaly: the function must not be asynchronous");
    return result;
  } finally {
    setBeforeCall(before);
    check(shim.aamt_anomaly_site(none, 0, 0));
    restore();
  }
}

/** Before a backward pass: what an earlier one stopped at is forgotten. */
export function forgetPlace(): void {
  if (used) shim.aamt_anomaly_last(null, 0);
}

/**
 * After a failed pass: the lines of the program that made the node that failed; empty
 * where that is not known.
 */
export function failedPlace(): string {
  if (!used) return "";
  const lines = readText((buffer, capacity) => shim.aamt_anomaly_last(buffer, capacity));
  return lines && `\nThe forward call of it was made here:\n${lines}`;
}
