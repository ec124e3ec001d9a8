/** A number held against a named threshold. */
export interface Verdict {
  /** What the number is; the threshold's name. */
  readonly name: string;
  readonly value: number;
  readonly relation: "<" | ">" | "=";
  readonly threshold: number;
  /** What it means where it holds. */
  readonly holds: string;
  /** What it means where it does not. */
  readonly fails: string;
}

/** Whether a number keeps to its threshold; one that is not finite never does. */
export function isHeld({ value, relation, threshold }: Verdict): boolean {
  if (!Number.isFinite(value)) return false;
  if (relation === "=") return value === threshold;
  return relation === "<" ? value < threshold : value > threshold;
}

export function verdictSentence(verdict: Verdict): string {
  return isHeld(verdict) ? verdict.holds : verdict.fails;
}
