import type { ReportProgress } from "../../common/progress.ts";
import { multinomial } from "../../common/random/numpyBinomial.ts";
import { WithoutReplacement } from "../../common/random/numpyChoice.ts";
import { Pcg64 } from "../../common/random/pcg64.ts";
import { UserError } from "../../common/userError.ts";
import { dropEmpty } from "./dropEmpty.ts";
import { sampleTotals } from "./select.ts";
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
  const { depth, seed, withReplacement = false, source = "The table", onProgress } = options;
  if (!Number.isSafeInteger(depth) || depth < 1) {
    throw new UserError(`The rarefaction depth must be a whole number of at least 1, not ${depth}.`);
  }
  const totals = sampleTotals(table);
  refuseOddCounts(table, totals, source);
  const deepest = totals.reduce((most, total) => Math.max(most, total), 0);
  if (deepest < depth) {
    throw new UserError(
      `${source} has no sample with ${depth} counts (the deepest has ${deepest}), so rarefying would leave nothing; choose a smaller depth.`,
    );
  }
  const random = new Pcg64(seed);
  const withoutReplacement = new WithoutReplacement();
  const data = new Float64Array(table.data.length);
  for (let sample = 0; sample < totals.length; sample++) {
    if (sample % samplesPerReport === 0)
      onProgress?.("Rarefying", { done: sample, total: totals.length, unit: "samples" });
    const [start, end, total] = [table.indptr[sample], table.indptr[sample + 1], totals[sample]];
    if (total < depth) continue;
    const counts = table.data.subarray(start, end);
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
  onProgress?.("Rarefying", { done: totals.length, total: totals.length, unit: "samples" });
  const rarefied = dropEmpty({ ...table, data });
  return { table: rarefied, report: describe(table, totals, rarefied, depth) };
}

function describe(before: Table, totals: Float64Array, after: Table, depth: number): RarefyReport {
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
  for (let sample = 0; sample < totals.length; sample++) {
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      const count = table.data[i];
      if (Number.isInteger(count) && count >= 0) continue;
      throw new UserError(
        `${source} cannot be rarefied: ASV "${table.asvIds[table.indices[i]]}" has the count ${count} in sample "${table.sampleIds[sample]}", not a whole number of at least 0; give the table of raw counts.`,
      );
    }
    if (totals[sample] >= 2 ** 32) {
      throw new UserError(
        `${source} cannot be rarefied: sample "${table.sampleIds[sample]}" has ${totals[sample]} counts, more than 4,294,967,295; give the table of raw counts.`,
      );
    }
  }
}
