import { Random } from "../common/random/random.ts";

/** A figure with the ends of its interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Resamples. Default 2000. */
  readonly resamples?: number;
  /** Share of resamples between the ends. Default 0.95. */
  readonly level?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Bootstrap interval of a figure over groups (Field and Welsh 2007: the cluster bootstrap): whole groups are
 * drawn with replacement, each with all its rows, and the figure is computed anew; the ends are percentiles.
 * Rows of one group are alike, so drawing rows would give too narrow intervals.
 * @param groupOf group number of each row; every row its own group where samples stand alone.
 * @param figure of some rows, which may occur more than once.
 * @throws RangeError if there are no rows.
 */
export function groupBootstrap(
  groupOf: ArrayLike<number>,
  figure: (rows: Int32Array) => number,
  { resamples = 2000, level = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval {
  const draws = drawGroups(groupOf, resamples, seed);
  const values = Float64Array.from(draws, figure)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const at = (share: number) => values[Math.round(share * (values.length - 1))] ?? Number.NaN;
  const value = figure(Int32Array.from({ length: groupOf.length }, (_, row) => row));
  return { value, low: at((1 - level) / 2), high: at((1 + level) / 2) };
}

let last: { groupOf: ArrayLike<number>; resamples: number; seed: number; draws: Int32Array[] } | null = null;

/**
 * Rows of each resample. The last ones are kept, as many figures of the same rows are
 * wanted one after the other.
 */
function drawGroups(groupOf: ArrayLike<number>, resamples: number, seed: number): Int32Array[] {
  if (last?.groupOf === groupOf && last.resamples === resamples && last.seed === seed) return last.draws;
  const rows = new Map<number, number[]>();
  for (let row = 0; row < groupOf.length; row++) {
    const own = rows.get(groupOf[row]);
    if (own) own.push(row);
    else rows.set(groupOf[row], [row]);
  }
  const groups = [...rows.values()];
  if (groups.length === 0) throw new RangeError("There is no interval of no values.");
  const random = new Random(seed).derive("bootstrap");
  const draws = Array.from({ length: resamples }, () => {
    const drawn = groups.map(() => groups[random.integer(groups.length)]);
    const all = new Int32Array(drawn.reduce((sum, own) => sum + own.length, 0));
    let at = 0;
    for (const own of drawn) {
      all.set(own, at);
      at += own.length;
    }
    return all;
  });
  last = { groupOf, resamples, seed, draws };
  return draws;
}

/**
 * Radius of conformal intervals for samples of groups that are not among these (Dunn, Wasserman and Ramdas
 * 2023): the scores' quantile in which each group weighs the same, with one group more for the unseen one.
 * The largest score where there are too few groups for the level.
 * @param scores of samples by a model that has not seen their group, for instance absolute errors.
 */
export function conformalRadius(
  scores: ArrayLike<number>,
  groupOf: ArrayLike<number>,
  level: number,
): number {
  const sizes = new Map<number, number>();
  for (let i = 0; i < groupOf.length; i++) sizes.set(groupOf[i], (sizes.get(groupOf[i]) ?? 0) + 1);
  const order = Int32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  const wanted = level * (1 + 1 / sizes.size);
  let reached = 0;
  for (const i of order) {
    reached += 1 / (sizes.size * sizes.get(groupOf[i])!);
    if (reached >= wanted - 1e-12) return scores[i];
  }
  return scores[order[order.length - 1]];
}
