/** How much is tried: a minute in all for the test suite, some minutes, or as long as it takes. */
export type Effort = "short" | "usual" | "full";

/** What a trial came to. Anything in `lost` or `leaked` is a failure. */
export interface Outcome {
  /** How often something was tried. */
  tried: number;
  /** Each a sentence: what was lost, broken, run or read wrongly. */
  lost: readonly string[];
  /** Each a sentence: what was not given back, be it memory, handles, files or time. */
  leaked: readonly string[];
  /** Figures worth reading. */
  note?: string;
  /** Why nothing could be tried on this machine. */
  skipped?: string;
}

/** One row of the table. */
export interface Trial {
  /** The heading under which it stands, such as `crash safety`. */
  readonly area: string;
  readonly what: string;
  run(effort: Effort): Promise<Outcome> | Outcome;
}

export const skipped = (reason: string): Outcome => ({ tried: 0, lost: [], leaked: [], skipped: reason });

/** The value for an effort. */
export function byEffort<T>(effort: Effort, values: Record<Effort, T>): T {
  return values[effort];
}
