/** Rows in which both values are finite. @throws RangeError if the lengths differ. */
export function finiteRows(left: ArrayLike<number>, right: ArrayLike<number>): number[] {
  if (left.length !== right.length) {
    throw new RangeError(`As many values are needed on either side, got ${left.length} and ${right.length}.`);
  }
  const rows: number[] = [];
  for (let i = 0; i < left.length; i++) {
    if (Number.isFinite(left[i]) && Number.isFinite(right[i])) rows.push(i);
  }
  return rows;
}

/** Smallest and largest finite value. */
export function extentOf(values: Iterable<number>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** The extent of values with a little room on either side, for the axis of a scatter plot. */
export function roomyDomain(values: Iterable<number>): [number, number] {
  const [low, high] = extentOf(values);
  const room = (high - low) * 0.04 || Math.max(Math.abs(high) * 0.1, 1e-6);
  return [low - room, high + room];
}

/** Edges of about `count` bins with round numbers that hold all of `low` to `high`. */
export function niceEdges(low: number, high: number, count: number): number[] {
  if (low === high) {
    const half = Math.max(Math.abs(low) * 0.05, 1e-6);
    return [low - half, low + half];
  }
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999)! * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/**
 * How many finite values lie between each pair of neighbouring edges; the last bin holds its right edge too.
 */
export function countBetween(values: ArrayLike<number>, edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  const width = (edges[edges.length - 1] - edges[0]) / counts.length;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    counts[Math.min(counts.length - 1, Math.max(0, Math.floor((value - edges[0]) / width)))]++;
  }
  return counts;
}

/** The value below which a share of the sorted values lies, by linear interpolation. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}
