import { tokenizeAll } from "../sequences/tokenizer.ts";
import { type DepthSummary, suggestDepth, summarizeDepths } from "../table/depths.ts";
import { asvPrevalence } from "../table/operations.ts";
import { sampleTotals } from "../table/select.ts";
import { inOneSlice } from "../table/slices.ts";
import type { Table } from "../table/table.ts";
import type { Quantiles } from "./numberSummary.ts";
import { quantiles } from "./numberSummary.ts";

export interface TableSummary {
  readonly samples: number;
  readonly observations: number;
  readonly nonzero: number;
  /** Sum of all counts. */
  readonly total: number;
  /** Counts per sample; null without samples. */
  readonly depth: Quantiles | null;
  /** ASVs per sample; null without samples. */
  readonly richness: Quantiles | null;
  /**
   * How often a distinct ASV occurs on average in a random batch of 32 samples (of all, if there are fewer):
   * so much work is saved by encoding it once. Null without counts.
   */
  readonly duplication: number | null;
  readonly warnings: readonly string[];
  /**
   * What depths of rarefaction would keep; null where all samples have equally many
   * counts, or fractions of them.
   */
  readonly depths: DepthSummary | null;
  /**
   * The depth that `--rarefy-depth auto` takes, of the table without regard to a tree; null
   * where there are no `depths`.
   */
  readonly suggestedDepth: number | null;
}

const duplicationBatch = 32;

/** Describes a table; `sequences` are its ASVs' sequences if they are known. */
export function summarizeTable(table: Table, sequences: readonly string[] | undefined): TableSummary {
  const totals = sampleTotals(table);
  const richness = totals.map((_, sample) => table.indptr[sample + 1] - table.indptr[sample]);
  const samples = totals.length;
  const suggested = totals.every((total) => total === totals[0]) ? undefined : suggestDepth(totals);
  const depths = suggested === undefined ? null : (summarizeDepths(inOneSlice(table), suggested) ?? null);
  return {
    samples,
    observations: table.asvIds.length,
    nonzero: table.data.length,
    total: totals.reduce((sum, total) => sum + total, 0),
    depth: samples === 0 ? null : quantiles(totals),
    richness: samples === 0 ? null : quantiles(richness),
    duplication: duplicationFactor(asvPrevalence(table), samples),
    depths,
    suggestedDepth: depths === null ? null : suggested!,
    warnings: [...emptyWarnings(table, totals), ...sequenceWarnings(sequences)],
  };
}

/**
 * Occurrences per distinct ASV expected in a random batch; `prevalence`: in how many samples each ASV occurs.
 */
export function duplicationFactor(prevalence: Int32Array, samples: number): number | null {
  const batch = Math.min(duplicationBatch, samples);
  let occurrences = 0;
  let distinct = 0;
  for (const present of prevalence) {
    occurrences += (present * batch) / samples;
    // The chance that a batch drawn without replacement misses every sample that has the ASV.
    let missed = 1;
    for (let drawn = 0; drawn < batch && missed > 0; drawn++) {
      missed *= Math.max(0, samples - present - drawn) / (samples - drawn);
    }
    distinct += 1 - missed;
  }
  return distinct === 0 ? null : occurrences / distinct;
}

function emptyWarnings(table: Table, totals: Float64Array): string[] {
  const emptySamples = totals.filter((total) => total === 0).length;
  const emptyAsvs = asvPrevalence(table).filter((present) => present === 0).length;
  const warnings: string[] = [];
  if (emptySamples > 0) warnings.push(`${emptySamples} samples have no counts.`);
  if (emptyAsvs > 0) warnings.push(`${emptyAsvs} ASVs are in no sample.`);
  if (table.data.some((count) => !Number.isInteger(count)))
    warnings.push("Some counts are no whole numbers.");
  return warnings;
}

function sequenceWarnings(sequences: readonly string[] | undefined): string[] {
  if (sequences === undefined)
    return ["The ASV ids are no sequences; representative sequences (--rep-seqs) are needed."];
  const { unknown } = tokenizeAll(sequences);
  if (unknown.positions === 0) return [];
  const characters = Object.keys(unknown.characters).slice(0, 10).join(" ");
  return [
    `${unknown.sequences} ASVs have ${unknown.positions} bases other than A, C, G and T (${characters}).`,
  ];
}
