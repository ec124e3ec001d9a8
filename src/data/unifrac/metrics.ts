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

/** Whether a metric is a share of the branches, 1 at most. */
export function endsAtOne(metric: string): boolean {
  return (uniFracMetrics as readonly string[]).includes(metric) && !metric.endsWith("_unnormalized");
}

/** Whether a metric asks how often an ASV was counted, not only whether it is there. */
export function dependsOnCounts(metric: string): boolean {
  return (uniFracMetrics as readonly string[]).includes(metric) && !metric.startsWith("unweighted");
}

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
 * What all metrics have in common. Over the branches b with length L that lie above two samples' ASVs,
 * with amounts x and y below:
 *
 *     low  = sum L w min(x, y)        w = (x + y)^exponent
 *     high = sum L w max(x, y)
 *     distance = high - low, for the metrics that are ratios divided by `high` (presence)
 *                or by `high + low` (amounts)
 *
 * Unweighted UniFrac (Lozupone and Knight 2005) takes presence, 0 or 1, for an amount; weighted (Lozupone et
 * al. 2007) the share of the sample's counts; generalized (Chen et al. 2012) too, with exponent alpha - 1.
 * Variance-adjusted forms (Chang et al. 2011) divide both amounts by sqrt(m (M - m)), m the counts of both
 * samples below the branch and M all their counts, which makes w = (x + y)^exponent / (m (M - m))^((exponent
 * + 1) / 2), and skip branches where that is 0.
 */
export interface MetricForm {
  readonly isPresence: boolean;
  readonly exponent: number;
  readonly isRatio: boolean;
}

/** @throws UserError for an alpha of the generalized metric outside 0 to 1. */
export function metricForm(metric: UniFracMetric, alpha: number): MetricForm {
  if (metric === "generalized" && !(alpha >= 0 && alpha <= 1)) {
    throw new UserError(`alpha must be between 0 and 1, got ${alpha}.`);
  }
  return {
    isPresence: metric === "unweighted" || metric === "unweighted_unnormalized",
    exponent: metric === "generalized" ? alpha - 1 : 0,
    isRatio: endsAtOne(metric),
  };
}

/** The distance of a pair from its sums. Rounding may not make it negative or, as a ratio, more than 1. */
export function distanceOf(low: number, high: number, { isPresence, isRatio }: MetricForm): number {
  const difference = high > low ? high - low : 0;
  if (!isRatio) return difference;
  const all = isPresence ? high : high + low;
  return all > 0 ? Math.min(1, difference / all) : 0;
}

/**
 * x^exponent for x > 0; the usual exponents without the general power function, which is many times as slow.
 */
export function powerOf(exponent: number): (x: number) => number {
  if (exponent === 0) return () => 1;
  if (exponent === -0.5) return (x) => 1 / Math.sqrt(x);
  if (exponent === -1) return (x) => 1 / x;
  return (x) => x ** exponent;
}
