import { z } from "zod";

/**
 * Where values are as good as equal: a spread below this share of their size would blow rounding errors up.
 * An absolute bound would take amounts in small units, such as 1e-9 mol/l, for equal.
 */
const smallestSpread = 1e-12;

/** Whether values that lie so far apart, the largest of them (without its sign) so large, are equal. */
const isRounding = (spread: number, size: number) => spread <= smallestSpread * size;

/** The affine map `(value - shift) / scale`. */
export const scalingSchema = z.object({ shift: z.number(), scale: z.number().positive() });
export type Scaling = z.infer<typeof scalingSchema>;

export const noScaling: Scaling = { shift: 0, scale: 1 };

/** Maps the smallest value to 0 and the largest to 1; NaN is skipped, undefined if there is nothing else. */
export function fitMinMax(values: Iterable<number>): Scaling | undefined {
  const [smallest, largest] = extremes(values);
  if (smallest > largest) return undefined;
  const spread = largest - smallest;
  return { shift: smallest, scale: isRounding(spread, Math.max(-smallest, largest)) ? 1 : spread };
}

/**
 * Maps to mean 0 and (population) standard deviation 1; NaN is skipped, undefined if there is nothing else.
 */
export function fitZScore(values: Iterable<number>): Scaling | undefined {
  const known = [...values].filter((value) => !Number.isNaN(value));
  if (known.length === 0) return undefined;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length;
  const deviation = Math.sqrt(variance);
  return { shift: mean, scale: isRounding(deviation, Math.abs(mean)) ? 1 : deviation };
}

/** Whether there are no two different values; NaN is skipped. */
export function isConstant(values: Iterable<number>): boolean {
  const [smallest, largest] = extremes(values);
  return smallest > largest || isRounding(largest - smallest, Math.max(-smallest, largest));
}

function extremes(values: Iterable<number>): [smallest: number, largest: number] {
  let smallest = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < smallest) smallest = value;
    if (value > largest) largest = value;
  }
  return [smallest, largest];
}
