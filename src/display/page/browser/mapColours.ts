import { readableNumber } from "../../numberText.ts";
import type { MapColumn } from "./mapData.ts";

/** The colours that a map may use, as the page's theme has them. */
export interface Palette {
  /** For categories, in order of use. */
  readonly series: readonly string[];
  /** For numbers from low to high. */
  readonly sequential: readonly string[];
  /** For what is left over when there are more categories than colours. */
  readonly other: string;
}

export interface LegendEntry {
  readonly label: string;
  /** -1: without a value. */
  readonly slot: number;
  readonly samples: number;
}

export interface Colouring {
  /** For each sample an index into `colours`; -1 where it has no value. */
  readonly slots: Int16Array;
  readonly colours: readonly string[];
  /** Categories, and what has no value. */
  readonly entries: readonly LegendEntry[];
  /** The ends of the scale of numbers. */
  readonly range?: readonly [low: string, high: string];
}

/** Steps of a scale of numbers; the eye tells fewer apart. */
const steps = 32;

/** How a column colours the samples; without a column all have the first colour. */
export function colourBy(column: MapColumn | undefined, samples: number, palette: Palette): Colouring {
  if (column === undefined)
    return { slots: new Int16Array(samples), colours: palette.series.slice(0, 1), entries: [] };
  return column.kind === "text" ? byCategory(column, palette) : byNumber(column.values, palette);
}

function missingEntry(slots: Int16Array): LegendEntry[] {
  const samples = slots.reduce((count, slot) => count + (slot < 0 ? 1 : 0), 0);
  return samples > 0 ? [{ label: "missing", slot: -1, samples }] : [];
}

/** The most frequent categories have colours of their own; the rest share one. */
function byCategory(
  { categories, codes }: Extract<MapColumn, { kind: "text" }>,
  { series, other }: Palette,
): Colouring {
  const counts = categories.map(() => 0);
  for (const code of codes) if (code >= 0) counts[code]++;
  const collator = new Intl.Collator("en", { numeric: true });
  const byName = (a: number, b: number) => collator.compare(categories[a], categories[b]);
  const present = [...counts.keys()].filter((code) => counts[code] > 0);
  const own = present
    .sort((a, b) => counts[b] - counts[a] || byName(a, b))
    .slice(0, series.length)
    .sort(byName);
  const slotOf = new Map(own.map((code, slot) => [code, slot]));
  const slots = Int16Array.from(codes, (code) => (code < 0 ? -1 : (slotOf.get(code) ?? own.length)));
  const entries = own.map((code, slot) => ({ label: categories[code], slot, samples: counts[code] }));
  const rest = present.length - own.length;
  if (rest > 0) {
    const samples = slots.reduce((count, slot) => count + (slot === own.length ? 1 : 0), 0);
    const label = rest === 1 ? "1 other" : `${rest} others`;
    entries.push({ label, slot: own.length, samples });
  }
  const colours = [...series.slice(0, own.length), ...(rest > 0 ? [other] : [])];
  return { slots, colours, entries: [...entries, ...missingEntry(slots)] };
}

function byNumber(values: readonly (number | null)[], { sequential }: Palette): Colouring {
  const { low, high, clipsLow, clipsHigh } = scaleOf(values.filter((value) => value !== null));
  const slots = Int16Array.from(values, (value) => {
    if (value === null) return -1;
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return Math.min(steps - 1, Math.floor(Math.min(1, Math.max(0, share)) * steps));
  });
  return {
    slots,
    colours: Array.from({ length: steps }, (_, step) => between(sequential, step / (steps - 1))),
    entries: missingEntry(slots),
    range: [
      `${clipsLow ? "≤ " : ""}${readableNumber(low)}`,
      `${clipsHigh ? "≥ " : ""}${readableNumber(high)}`,
    ],
  };
}

/**
 * The ends of a scale: the least and the greatest value. Where few values lie far out, so that all others
 * would have one colour, the 2 and 98 % quantiles.
 */
export function scaleOf(values: readonly number[]): {
  low: number;
  high: number;
  clipsLow: boolean;
  clipsHigh: boolean;
} {
  const sorted = Float64Array.from(values).sort();
  const [least, greatest] = [sorted[0] ?? 0, sorted[sorted.length - 1] ?? 0];
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(0.02), at(0.98)];
  if (high > low && greatest - least > 3 * (high - low))
    return { low, high, clipsLow: least < low, clipsHigh: greatest > high };
  return { low: least, high: greatest, clipsLow: false, clipsHigh: false };
}

/** The colour at a share (0 to 1) of the way through colours `#rrggbb`. */
export function between(colours: readonly string[], share: number): string {
  const place = share * (colours.length - 1);
  const first = Math.min(colours.length - 2, Math.floor(place));
  const channel = (colour: string, from: number) => Number.parseInt(colour.slice(from, from + 2), 16);
  const mixed = [1, 3, 5].map((from) => {
    const [a, b] = [channel(colours[first], from), channel(colours[first + 1], from)];
    return Math.round(a + (b - a) * (place - first));
  });
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
