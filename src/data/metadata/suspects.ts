import { parseNumber } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import type { MetadataColumn } from "./metadata.ts";

/** What a column probably has by mistake: the row of the first such value, and a clause that says it. */
export interface Suspect {
  readonly row: number;
  readonly what: string;
}

/** Numbers that stand for a missing value in files of programs without an empty cell. */
const sentinels = [-9, -99, -999, -9999, -99999, 999, 9999, 99999];

/**
 * Numbers such as -999 that are far from all others of a column: below 0 where no other is (-9 at least
 * twice), or farther from the next one than these lie apart.
 */
export function missingAsNumber({ name, values }: MetadataColumn): Suspect | undefined {
  const numbers = values.map((value) => (value === null ? Number.NaN : (parseNumber(value) ?? Number.NaN)));
  for (const sentinel of sentinels) {
    const row = numbers.indexOf(sentinel);
    if (row < 0) continue;
    const others = numbers.filter((value) => !Number.isNaN(value) && value !== sentinel);
    if (others.length < 3) continue;
    // Not by Math.min(...others): so many arguments as samples may be too many.
    const [least, most] = others.reduce(
      ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [others[0], others[0]],
    );
    const count = numbers.filter((value) => value === sentinel).length;
    const isAlone = sentinel < 0 && least >= 0 && (sentinel < -9 || count > 1);
    const gap = sentinel < 0 ? least - sentinel : sentinel - most;
    if (!isAlone && gap <= most - least) continue;
    return {
      row,
      what:
        `${quote(name)} is ${sentinel} for ${count} of ${count + others.length} samples and ${least} to ${most} for the others: ` +
        "if that stands for a missing value, leave these cells empty",
    };
  }
  return undefined;
}

/** Values of a column of classes that differ in case, blanks or underscores alone, and so are two classes. */
export function twoSpellings({ name, values }: MetadataColumn): Suspect | undefined {
  const known = values.filter((value) => value !== null);
  const spellings = Map.groupBy(new Set(known), (value) => value.toLowerCase().replace(/[\s_-]+/g, " "));
  // Notes and names of samples are no classes.
  if (2 * spellings.size > known.length) return undefined;
  for (const [first, other] of spellings.values()) {
    if (other === undefined) continue;
    return {
      row: values.indexOf(other),
      what: `${quote(name)} has both ${quote(first)} and ${quote(other)}, which count as two classes: if they are one, write it alike`,
    };
  }
  return undefined;
}
