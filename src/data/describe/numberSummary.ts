/** Quantiles of some numbers, by linear interpolation between neighbours. */
export interface Quantiles {
  readonly min: number;
  readonly p5: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
}

/** Quantiles of at least one number. */
export function quantiles(values: ArrayLike<number>): Quantiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  };
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return {
    min: sorted[0],
    p5: at(0.05),
    median: at(0.5),
    mean,
    p95: at(0.95),
    max: sorted[sorted.length - 1],
  };
}

export interface DistanceSummary {
  readonly pairs: number;
  /** Pairs whose distance is not known; they count nowhere else. */
  readonly unknown: number;
  readonly zeros: number;
  /** Mean, standard deviation (population) and range of the known distances; null if there are none. */
  readonly mean: number | null;
  readonly sd: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** How many distances fall into each of some bins of equal width from 0 to `upTo`. */
  readonly histogram: { readonly upTo: number; readonly counts: readonly number[] };
}

const bins = 20;

/** Summarizes distances, which come in parts as often as they are asked for. */
export function summarizeDistances(parts: () => Iterable<Float32Array | Float64Array>): DistanceSummary {
  let [pairs, known, zeros, sum] = [0, 0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const part of parts()) {
    pairs += part.length;
    for (const distance of part) {
      if (Number.isNaN(distance)) continue;
      known += 1;
      sum += distance;
      if (distance === 0) zeros += 1;
      if (distance < min) min = distance;
      if (distance > max) max = distance;
    }
  }
  if (known === 0) {
    const none = { mean: null, sd: null, min: null, max: null, histogram: { upTo: 1, counts: [] } };
    return { pairs, unknown: pairs, zeros, ...none };
  }
  const mean = sum / known;
  // UniFrac but the unnormalized one lies between 0 and 1: histograms of such distances compare.
  const upTo = max <= 1 ? 1 : max;
  const counts = new Array<number>(bins).fill(0);
  let squares = 0;
  for (const part of parts()) {
    for (const distance of part) {
      if (Number.isNaN(distance)) continue;
      squares += (distance - mean) ** 2;
      counts[Math.min(bins - 1, Math.max(0, Math.floor((distance / upTo) * bins)))] += 1;
    }
  }
  const sd = Math.sqrt(squares / known);
  return { pairs, unknown: pairs - known, zeros, mean, sd, min, max, histogram: { upTo, counts } };
}
