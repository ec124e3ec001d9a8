import type { ReportProgress } from "../../common/progress.ts";
import { multinomial } from "../../common/random/numpyBinomial.ts";
import { WithoutReplacement } from "../../common/random/numpyChoice.ts";
import { Pcg64 } from "../../common/random/pcg64.ts";
import { UserError } from "../../common/userError.ts";
import { dropUnusedAsvs, withoutZeros } from "./dropEmpty.ts";
import { gather, inOneSlice, oddCounts, type TableSlices, type Tally, tally } from "./slices.ts";
import type { Table } from "./table.ts";

export interface RarefyOptions {
  /** Counts per sample, at least 1. */
  readonly depth: number;
  /** From 0 to 2^53 - 1. */
  readonly seed: number;
  /** Defaults to false. */
  readonly withReplacement?: boolean;
  /** Names the table in errors; defaults to "The table". */
  readonly source?: string;
  readonly onProgress?: ReportProgress;
}

/** Samples between two reports of progress. */
const samplesPerReport = 50;

export interface RarefyReport {
  readonly depth: number;
  readonly samplesBefore: number;
  readonly samplesAfter: number;
  /** Samples with fewer counts than the depth, in the table's order. */
  readonly droppedSamples: readonly { readonly id: string; readonly total: number }[];
  readonly asvsBefore: number;
  readonly asvsAfter: number;
  readonly countsBefore: number;
  readonly countsAfter: number;
}

/**
 * Draws `depth` counts of every sample at random and drops samples with fewer, then ASVs that none has
 * any more. For the same table and seed the result equals, number by number, that of biom-format
 * 2.1.17's `Table.subsample` (one NumPy generator for the whole table; samples in the table's order,
 * ASVs in ascending order).
 *
 * @throws UserError for a depth that is no whole number above 0, for counts that are no whole numbers, and if
 * no sample is deep enough.
 */
export function rarefy(table: Table, options: RarefyOptions): { table: Table; report: RarefyReport } {
  return rarefySlices(inOneSlice(table), options);
}

/** As `rarefy`, for a table that is read in slices: only what is drawn is kept. `looked` is its tally. */
export function rarefySlices(
  table: TableSlices,
  options: RarefyOptions,
  looked?: Tally,
): { table: Table; report: RarefyReport } {
  const { depth, source = "The table" } = options;
  if (!Number.isSafeInteger(depth) || depth < 1) {
    throw new UserError(`The rarefaction depth must be a whole number of at least 1, not ${depth}.`);
  }
  const { totals, refusal } = looked ?? tally(table);
  if (refusal !== undefined) throw cannotBeRarefied(source, refusal);
  const deepest = totals.reduce((most, total) => Math.max(most, total), 0);
  if (deepest < depth) {
    throw new UserError(
      `${source} has no sample with ${depth} counts (the deepest has ${deepest}), so rarefying would leave nothing; choose a smaller depth.`,
    );
  }
  const rarefied = dropUnusedAsvs(gather(table, drawnSlices(table, totals, options)));
  return { table: rarefied, report: describe(table, totals, rarefied, depth) };
}

/** What is drawn of each slice, by one generator for all of them. */
function* drawnSlices(table: TableSlices, totals: Float64Array, options: RarefyOptions): Generator<Table> {
  const { depth, seed, withReplacement = false, onProgress } = options;
  const random = new Pcg64(seed);
  const withoutReplacement = new WithoutReplacement();
  let sample = 0;
  for (const slice of table.slices()) {
    const data = new Float64Array(slice.data.length);
    for (let row = 0; row < slice.sampleIds.length; row++, sample++) {
      if (sample % samplesPerReport === 0)
        onProgress?.("Rarefying", { done: sample, total: totals.length, unit: "samples" });
      const [start, end, total] = [slice.indptr[row], slice.indptr[row + 1], totals[sample]];
      if (total < depth) continue;
      const counts = slice.data.subarray(start, end);
      const drawn = data.subarray(start, end);
      if (withReplacement)
        multinomial(
          random,
          depth,
          counts.map((count) => count / total),
          drawn,
        );
      else withoutReplacement.draw(random, counts, total, depth, drawn);
    }
    yield withoutZeros({ ...slice, data });
  }
  onProgress?.("Rarefying", { done: totals.length, total: totals.length, unit: "samples" });
}

function describe(before: TableSlices, totals: Float64Array, after: Table, depth: number): RarefyReport {
  const droppedSamples = before.sampleIds.flatMap((id, i) =>
    totals[i] < depth ? [{ id, total: totals[i] }] : [],
  );
  return {
    depth,
    samplesBefore: before.sampleIds.length,
    samplesAfter: after.sampleIds.length,
    droppedSamples,
    asvsBefore: before.asvIds.length,
    asvsAfter: after.asvIds.length,
    countsBefore: totals.reduce((sum, total) => sum + total, 0),
    countsAfter: depth * after.sampleIds.length,
  };
}

/**
 * @throws UserError for counts that are no whole numbers, and for samples with more than can be drawn of.
 */
export function refuseOddCounts(table: Table, totals: Float64Array, source: string): void {
  const odd = oddCounts(table, totals);
  if (odd !== undefined) throw cannotBeRarefied(source, odd);
}

const cannotBeRarefied = (source: string, reason: string) =>
  new UserError(`${source} cannot be rarefied: ${reason}; give the table of raw counts.`);
