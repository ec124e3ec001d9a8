import { logFactorial } from "../../common/logFactorial.ts";
import { type TableSlices, type Tally, tally } from "./slices.ts";
import type { Table } from "./table.ts";

/** What rarefying to a depth keeps. */
export interface DepthRow {
  /** Counts that are drawn of each sample. */
  readonly depth: number;
  /** Samples that have so many. */
  readonly samples: number;
  /** Counts that are left in all: depth times samples. */
  readonly counts: number;
  /** ASVs that are left, as expected (rounded): those not drawn of any sample are lost. */
  readonly asvs: number;
}

/**
 * A point of a rarefaction curve: ASVs that samples are expected to show when so many
 * counts are drawn of them.
 */
export interface CurvePoint {
  readonly depth: number;
  readonly mean: number;
  /** The 10 % of the samples with the fewest, and with the most, lie beyond these. */
  readonly p10: number;
  readonly p90: number;
}

/** What there is to know before choosing a depth; plain JSON. */
export interface DepthSummary {
  readonly samples: number;
  readonly asvs: number;
  /** Counts of the median sample among those that have any. */
  readonly median: number;
  /** Samples with less than a tenth of these, fewest first: there sequencing failed. */
  readonly failed: readonly { readonly id: string; readonly total: number }[];
  readonly rows: readonly DepthRow[];
  /** Up to the chosen depth, of the samples that have so many counts. */
  readonly curve: readonly CurvePoint[];
}

/**
 * Below this, UniFrac and models are of little more than noise; a depth is not chosen there
 * where a study offers more.
 */
export const leastDepth = 1000;
/** Share of the median sample's counts below which a sample failed. */
const failedShare = 0.1;
/** Share of the samples that must have so many counts for a study to offer them. */
const offeringShare = 0.25;

/** Share of the samples that a depth must keep, of those that did not fail. */
const keptShare = 0.9;

/**
 * How many samples a depth is chosen for: those with `least` counts, which is `leastDepth` where a quarter of
 * all with any counts has that, and else 1.
 */
export function usableSamples(totals: Float64Array): { readonly count: number; readonly least: number } {
  const having = (least: number) => totals.reduce((count, total) => count + (total >= least ? 1 : 0), 0);
  const [all, deep] = [having(1), having(leastDepth)];
  return deep >= 2 && deep >= offeringShare * all
    ? { count: deep, least: leastDepth }
    : { count: all, least: 1 };
}

/**
 * Of samples with so many counts each, the depth that keeps the most counts, depth times samples that have
 * it, of those depths that keep nine of ten samples. Where a quarter of the samples has `leastDepth`, samples
 * with less count as failed: they are not asked, and no depth below it is taken. Of equal ones the smallest.
 * Samples without counts do not count. 0 for a table without counts.
 */
export function suggestDepth(sampleTotals: Float64Array): number {
  const totals = sampleTotals
    .filter((total) => total >= 1)
    .sort()
    .reverse();
  const usable = usableSamples(totals).count;
  let [best, most] = [0, 0];
  for (let i = Math.max(0, Math.ceil(keptShare * usable) - 1); i < usable; i++) {
    const depth = Math.floor(totals[i]);
    // Of samples with equal totals the last one counts them all.
    if (depth * (i + 1) >= most) [best, most] = [depth, depth * (i + 1)];
  }
  return best;
}

/**
 * What some depths keep, and the rarefaction curve of a table: ASVs as expected by the hypergeometric
 * distribution (Hurlbert 1971, doi:10.2307/1934145), so nothing is drawn. Undefined for counts that are no
 * whole numbers and for a table without any. `chosen` is the depth that is taken; the others keep 100 % to 10
 * % of the samples that have counts.
 */
export function summarizeDepths(
  table: TableSlices,
  chosen: number,
  { totals, areWhole }: Pick<Tally, "totals" | "areWhole"> = tally(table),
): DepthSummary | undefined {
  const known = totals
    .filter((total) => total >= 1)
    .sort()
    .reverse();
  if (known.length === 0 || !areWhole) return undefined;
  const keeping = (share: number) => known[Math.ceil(share * known.length) - 1];
  const wanted = [1, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1].map(keeping);
  if (known[0] >= leastDepth) wanted.push(leastDepth);
  const depths = [...new Set([...wanted, chosen])].sort((a, b) => a - b);
  const median = keeping(0.5);
  const failed = table.sampleIds
    .map((id, sample) => ({ id, total: totals[sample] }))
    .filter(({ total }) => total < failedShare * median)
    .sort((a, b) => a.total - b.total);
  const rows = depths.map((depth) => new KeptAt(depth, table.asvIds.length));
  // Of samples with at least the chosen counts: if they changed along the curve, it would bend for that.
  const onCurve = totals.reduce((count, total) => count + (total >= chosen ? 1 : 0), 0);
  const curve = curveDepths(chosen).map((depth) => new CurveAt(depth, onCurve));
  let first = 0;
  for (const slice of table.slices()) {
    for (let row = 0; row < slice.sampleIds.length; row++) {
      const total = totals[first + row];
      for (const at of rows) if (total >= at.depth) at.add(slice, row, total);
      if (total >= chosen) for (const at of curve) at.add(slice, row, total);
    }
    first += slice.sampleIds.length;
  }
  return {
    samples: table.sampleIds.length,
    asvs: table.asvIds.length,
    median,
    failed,
    rows: rows.map((at) => at.row()),
    curve: curve.map((at) => at.point()),
  };
}

/** What a depth keeps, sample by sample. */
class KeptAt {
  readonly depth: number;
  /** The logarithm of the chance that an ASV is drawn of no sample. */
  readonly #missed: Float64Array;
  #samples = 0;

  constructor(depth: number, asvs: number) {
    this.depth = depth;
    this.#missed = new Float64Array(asvs);
  }

  add(table: Table, sample: number, total: number): void {
    this.#samples++;
    const missed = this.#missed;
    eachMissed(table, sample, total, this.depth, (asv, log) => {
      missed[asv] += log;
    });
  }

  row(): DepthRow {
    const asvs = this.#missed.reduce((sum, log) => sum - Math.expm1(log), 0);
    return {
      depth: this.depth,
      samples: this.#samples,
      counts: this.depth * this.#samples,
      asvs: Math.round(asvs),
    };
  }
}

/** A point of the curve, sample by sample. */
class CurveAt {
  readonly #depth: number;
  readonly #richness: Float64Array;
  #samples = 0;

  constructor(depth: number, samples: number) {
    this.#depth = depth;
    this.#richness = new Float64Array(samples);
  }

  add(table: Table, sample: number, total: number): void {
    let expected = 0;
    eachMissed(table, sample, total, this.#depth, (_asv, log) => {
      expected -= Math.expm1(log);
    });
    this.#richness[this.#samples++] = expected;
  }

  point(): CurvePoint {
    const richness = this.#richness.sort();
    const at = (share: number) => richness[Math.round(share * (richness.length - 1))];
    const mean = richness.reduce((sum, value) => sum + value, 0) / richness.length;
    return { depth: this.#depth, mean, p10: at(0.1), p90: at(0.9) };
  }
}

/**
 * Calls back with each ASV of a sample and the logarithm of the chance that `depth` counts
 * drawn of its `total` miss it.
 */
function eachMissed(
  table: Table,
  sample: number,
  total: number,
  depth: number,
  callback: (asv: number, log: number) => void,
): void {
  const rest = total - depth;
  const whole = logFactorial(rest) - logFactorial(total);
  for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
    const count = table.data[i];
    if (count === 0) continue;
    const log =
      count > rest
        ? Number.NEGATIVE_INFINITY
        : logFactorial(total - count) - logFactorial(rest - count) + whole;
    callback(table.indices[i], log);
  }
}

/** 1 and some 20 depths up to the last one, evenly spaced. */
function curveDepths(last: number): number[] {
  const steps = 20;
  const depths = Array.from({ length: steps }, (_, i) => Math.round((last * (i + 1)) / steps));
  return [...new Set([1, ...depths])].filter((depth) => depth >= 1);
}
