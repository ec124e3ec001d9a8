import { UserError } from "../../common/userError.ts";

/** UniFrac metrics between two samples; `faith_pd`, one value per sample, is in faithPd.ts. */
export const uniFracMetrics = [
  "unweighted",
  "unweighted_unnormalized",
  "weighted_normalized",
  "weighted_unnormalized",
  "generalized",
] as const;

export type UniFracMetric = (typeof uniFracMetrics)[number];

/** @throws UserError for a name that is not a metric's, with the known ones. */
export function checkMetric(name: string): UniFracMetric {
  const aliases: Record<string, UniFracMetric> = { unifrac: "unweighted", weighted: "weighted_normalized" };
  const metric = aliases[name] ?? name;
  if (!(uniFracMetrics as readonly string[]).includes(metric)) {
    throw new UserError(
      `"${name}" is not a UniFrac metric; choose one of ${uniFracMetrics.join(", ")} (or faith_pd, a value per sample).`,
    );
  }
  return metric as UniFracMetric;
}

/**
 * A metric as sums over branches b with length L and amounts x, y in the two samples:
 *
 *     distance = sum L * numerator(x, y) / sum L * denominator(x, y)
 *
 * Where one sample has nothing below a branch, both terms are `alone(x)`. So a pair is its samples' sums of `alone` plus a
 * correction for the branches that both share, which are few.
 */
export interface PairTerms {
  alone(x: number): number;
  numerator(x: number, y: number): number;
  denominator(x: number, y: number): number;
  /** Whether the sum of numerators is divided by that of denominators. */
  readonly isRatio: boolean;
}

/**
 * The terms of a metric: unweighted (Lozupone and Knight 2005), weighted (Lozupone et al. 2007), generalized with `alpha` (Chen et
 * al. 2012).
 */
export function pairTerms(metric: UniFracMetric, alpha = 1): PairTerms {
  switch (metric) {
    case "unweighted":
    case "unweighted_unnormalized":
      return { alone: () => 1, numerator: () => 0, denominator: () => 1, isRatio: metric === "unweighted" };
    case "weighted_normalized":
    case "weighted_unnormalized":
      return {
        alone: (x) => x,
        numerator: (x, y) => Math.abs(x - y),
        denominator: (x, y) => x + y,
        isRatio: metric === "weighted_normalized",
      };
    case "generalized": {
      const power = powerOf(alpha);
      return {
        alone: power,
        numerator: (x, y) => (power(x + y) * Math.abs(x - y)) / (x + y),
        denominator: (x, y) => power(x + y),
        isRatio: true,
      };
    }
  }
}

/** x^alpha for x > 0; the usual exponents without the general power function, which is ten times as slow. */
export function powerOf(alpha: number): (x: number) => number {
  if (alpha === 0) return () => 1;
  if (alpha === 0.5) return Math.sqrt;
  if (alpha === 1) return (x) => x;
  return (x) => x ** alpha;
}
