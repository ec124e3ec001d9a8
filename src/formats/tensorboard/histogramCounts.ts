import type { HistogramCounts } from "./eventMessages.ts";

/**
 * Counts finite values in buckets of equal width between their smallest and largest. Values that are not
 * finite are left out; without any finite value there is no histogram.
 */
export function countHistogram(values: ArrayLike<number>, bucketCount = 30): HistogramCounts | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let count = 0;
  let sum = 0;
  let sumOfSquares = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return undefined;
  if (min === max) {
    const halfWidth = Math.max(Math.abs(min), 1) * 1e-6;
    return {
      min,
      max,
      count,
      sum,
      sumOfSquares,
      limits: [min - halfWidth, min + halfWidth],
      buckets: [0, count],
    };
  }
  const width = (max - min) / bucketCount;
  const limits = new Float64Array(bucketCount);
  for (let i = 0; i < bucketCount; i++) limits[i] = i === bucketCount - 1 ? max : min + width * (i + 1);
  const buckets = new Float64Array(bucketCount);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isFinite(value)) buckets[Math.min(bucketCount - 1, Math.floor((value - min) / width))]++;
  }
  return { min, max, count, sum, sumOfSquares, limits, buckets };
}
