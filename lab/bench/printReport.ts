import { bytesText } from "../../src/common/bytesText.ts";
import type { Timing } from "./measure.ts";

/** One comparison of a subject, or why a part of it was left out. */
export interface Row {
  readonly what: string;
  readonly ours?: Timing;
  readonly peer?: string;
  readonly theirs?: Timing;
  /** Our median divided by theirs: below 1 we are faster. */
  readonly ratio?: number;
  /** What else there is to say: the largest difference of results, batches per second. */
  readonly facts?: Readonly<Record<string, number | string>>;
  readonly skipped?: string;
}

export function compared(
  what: string,
  ours: Timing,
  peer: string,
  theirs: Timing,
  facts?: Row["facts"],
): Row {
  return { what, ours, peer, theirs, ratio: ours.medianSeconds / theirs.medianSeconds, facts };
}

export function secondsText(seconds: number): string {
  if (seconds >= 100) return `${seconds.toFixed(0)} s`;
  if (seconds >= 1) return `${seconds.toPrecision(3)} s`;
  return `${(1000 * seconds).toPrecision(3)} ms`;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "" : bytesText(bytes);
}

function rowText({ what, ours, peer, theirs, ratio, facts = {}, skipped }: Row): string {
  if (skipped !== undefined) return `${what}: skipped, ${skipped}`;
  const parts: string[] = [];
  const one = (name: string, timing: Timing): string => {
    const memory = megabytes(timing.peakBytes);
    const first = `first ${secondsText(timing.firstSeconds)}`;
    return `${name} ${secondsText(timing.medianSeconds)} (${[first, ...(memory ? [memory] : [])].join(", ")})`;
  };
  if (ours) parts.push(one("ours", ours));
  if (theirs && peer) parts.push(one(peer, theirs));
  if (ratio !== undefined) parts.push(`ratio ${ratio.toPrecision(2)}`);
  for (const [name, value] of Object.entries(facts)) {
    parts.push(`${name} ${typeof value === "number" ? Number(value.toPrecision(3)) : value}`);
  }
  return `${what}: ${parts.join(", ")}`;
}

/** Prints the rows: medians, first runs, memory and ratios; or all of it as one JSON object. */
export function printReport(
  subject: string,
  settings: Record<string, unknown>,
  rows: readonly Row[],
  json: boolean,
): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ subject, settings, rows })}\n`);
    return;
  }
  const told = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(`${subject}: ${told.join(", ")}\n`);
  for (const row of rows) process.stdout.write(`  ${rowText(row)}\n`);
}
