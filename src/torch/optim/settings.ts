import { refuseUnknownSettings } from "../dispatch/optionNames.ts";

/**
 * What keeps an optimizer from doing something else in silence: the numbers of its
 * settings that PyTorch checks.
 */
export interface SettingRanges {
  /** Must not be negative. */
  readonly atLeastZero: readonly string[];
  /** Must not be above 1 either. */
  readonly atMostOne?: readonly string[];
}

/**
 * The standard settings with those that were given.
 * @throws TypeError for one that the optimizer does not know.
 */
export function withDefaults<Settings extends object>(
  name: string,
  given: Partial<Settings>,
  standard: Settings,
): Settings {
  refuseUnknownSettings(name, given, standard);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...standard, ...Object.fromEntries(named) };
}

/** @throws RangeError for a number outside its range, or betas outside [0, 1). */
export function checkRanges(
  name: string,
  settings: object,
  { atLeastZero, atMostOne = [] }: SettingRanges,
): void {
  const values = settings as Record<string, unknown>;
  for (const key of [...atLeastZero, ...atMostOne]) {
    const value = values[key];
    if (typeof value !== "number" || !(value >= 0))
      throw new RangeError(`${name}: ${key} must not be negative, got ${String(value)}`);
    if (atMostOne.includes(key) && value > 1)
      throw new RangeError(`${name}: ${key} must not be above 1, got ${value}`);
  }
  const betas = values["betas"];
  if (betas === undefined) return;
  const areBetas = Array.isArray(betas) && betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1);
  if (!areBetas) throw new RangeError(`${name}: betas must be two numbers in [0, 1), got ${String(betas)}`);
}
