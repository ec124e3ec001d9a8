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

/** So many times the range of all others; what grows and falls by powers of ten spans less. */
const farTimes = 1e6;

/**
 * Numbers such as -999 that are far from all others of a column: below 0 where no other is (-9 at least
 * twice), or farther from the next one than these lie apart.
 */
export function missingAsNumber(column: MetadataColumn): Suspect | undefined {
  const numbers = numbersOf(column);
  for (const sentinel of sentinels) {
    const beside = besides(numbers, sentinel);
    if (beside === undefined) continue;
    const { least, most, count } = beside;
    const isAlone = sentinel < 0 && least >= 0 && (sentinel < -9 || count > 1);
    const gap = sentinel < 0 ? least - sentinel : sentinel - most;
    if (!isAlone && gap <= most - least) continue;
    const what = `${whatIs(column, sentinel, beside)}: if that stands for a missing value, leave these cells empty`;
    return { row: numbers.indexOf(sentinel), what };
  }
  return undefined;
}

/**
 * A number such as 1e12 among ages: so far from all others, of which there are ten or more, that no measure
 * is known that would give it.
 */
export function farFromOthers(column: MetadataColumn): Suspect | undefined {
  const numbers = numbersOf(column);
  const known = numbers.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return undefined;
  const { least, most } = rangeOf(known);
  for (const far of [most, least]) {
    const beside = besides(numbers, far);
    if (beside === undefined || beside.others < 10) continue;
    const spread = beside.most - beside.least;
    const gap = far === most ? far - beside.most : beside.least - far;
    if (spread === 0 || gap <= farTimes * spread) continue;
    const what = `${whatIs(column, far, beside)}: if that is a slip, put it right or leave the cell empty`;
    return { row: numbers.indexOf(far), what };
  }
  return undefined;
}

/** NaN where there is none. */
const numbersOf = ({ values }: MetadataColumn): number[] =>
  values.map((value) => (value === null ? Number.NaN : (parseNumber(value) ?? Number.NaN)));

/** The numbers other than `one`; undefined where it is not there, or hardly any other. */
function besides(numbers: readonly number[], one: number) {
  if (!numbers.includes(one)) return undefined;
  const others = numbers.filter((value) => !Number.isNaN(value) && value !== one);
  if (others.length < 3) return undefined;
  const count = numbers.filter((value) => value === one).length;
  return { ...rangeOf(others), count, others: others.length };
}

/** Not by Math.min(...numbers): so many arguments as samples may be too many. */
function rangeOf(numbers: readonly number[]): { least: number; most: number } {
  const [least, most] = numbers.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [numbers[0], numbers[0]],
  );
  return { least, most };
}

function whatIs(
  { name }: MetadataColumn,
  value: number,
  { least, most, count, others }: NonNullable<ReturnType<typeof besides>>,
): string {
  return `${quote(name)} is ${value} for ${count} of ${count + others} samples and ${least} to ${most} for the others`;
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
