import type { PairTerms } from "./metrics.ts";
import type { NodeProfile } from "./nodeProfile.ts";

/**
 * One row of variance-adjusted UniFrac (Chang et al. 2011): each term of the metric is divided by sqrt(m (M - m)), m the counts of both
 * samples below the branch and M all their counts. The weights depend on the pair, so both samples' branches are walked side by side.
 * `counts` holds the profile's raw counts by sample.
 */
export function varianceAdjustedRow(
  profile: NodeProfile,
  counts: Float64Array,
  terms: PairTerms,
  row: number,
  out: Float64Array,
): void {
  const { sampleStart, nodesOf, amountOf, length, totals, samples } = profile;
  for (let column = row + 1; column < samples; column++) {
    const all = totals[row] + totals[column];
    let numerator = 0;
    let denominator = 0;
    let a = sampleStart[row];
    let b = sampleStart[column];
    const endA = sampleStart[row + 1];
    const endB = sampleStart[column + 1];
    while (a < endA || b < endB) {
      const nodeA = a < endA ? nodesOf[a] : Number.POSITIVE_INFINITY;
      const nodeB = b < endB ? nodesOf[b] : Number.POSITIVE_INFINITY;
      const node = Math.min(nodeA, nodeB);
      const below = (nodeA === node ? counts[a] : 0) + (nodeB === node ? counts[b] : 0);
      const variance = Math.sqrt(below * (all - below));
      if (variance > 0) {
        const weight = length[node] / variance;
        if (nodeA === nodeB) {
          numerator += weight * terms.numerator(amountOf[a], amountOf[b]);
          denominator += weight * terms.denominator(amountOf[a], amountOf[b]);
        } else {
          const alone = weight * terms.alone(nodeA === node ? amountOf[a] : amountOf[b]);
          numerator += alone;
          denominator += alone;
        }
      }
      if (nodeA === node) a++;
      if (nodeB === node) b++;
    }
    out[column] = terms.isRatio ? (denominator > 0 ? numerator / denominator : 0) : numerator;
  }
}
