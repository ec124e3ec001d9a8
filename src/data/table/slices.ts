import { UserError } from "../../common/userError.ts";
import { sampleTotals } from "./select.ts";
import type { Table } from "./table.ts";

/** A table that is read some samples at a time, as often as is wanted, and so may be larger than memory. */
export interface TableSlices {
  readonly sampleIds: readonly string[];
  readonly asvIds: readonly string[];
  /** There are no more cells than these. */
  readonly cells: number;
  /** The samples in order, some in each slice; every slice has all ASVs. */
  slices(): Iterable<Table>;
}

/** A table in memory as one slice. */
export function inOneSlice(table: Table): TableSlices {
  const { sampleIds, asvIds, data } = table;
  return { sampleIds, asvIds, cells: data.length, slices: () => [table] };
}

/** The largest array of counts, in cells: 4 GiB. */
const mostCells = 2 ** 29 - 1;
/** Up to so many cells memory is set apart at once: it costs nothing before it is written to. */
const cellsAtOnce = 2 ** 26;

/**
 * A table in memory of its own. `slices` are what is wanted of the source's, if not all: some samples, some
 * cells.
 * @throws UserError if there are more than one array holds.
 */
export function gather(source: TableSlices, slices: Iterable<Table> = source.slices()): Table {
  const { asvIds, cells } = source;
  let indices = new Int32Array(Math.min(cells, cellsAtOnce));
  let data = new Float64Array(indices.length);
  const sampleIds: string[] = [];
  const ends = [0];
  let length = 0;
  for (const slice of slices) {
    const needed = length + slice.data.length;
    if (needed > mostCells)
      throw new UserError(
        `The table keeps more than ${mostCells} counts, which is more than fits; choose a smaller depth, or fewer samples.`,
      );
    if (needed > data.length) {
      const size = Math.max(needed, Math.min(cells, mostCells, 2 * data.length));
      const [before, counts] = [indices, data];
      indices = new Int32Array(size);
      data = new Float64Array(size);
      indices.set(before.subarray(0, length));
      data.set(counts.subarray(0, length));
    }
    indices.set(slice.indices, length);
    data.set(slice.data, length);
    for (let i = 0; i < slice.sampleIds.length; i++) {
      sampleIds.push(slice.sampleIds[i]);
      ends.push(length + slice.indptr[i + 1]);
    }
    length = needed;
  }
  const indptr = Int32Array.from(ends);
  return { sampleIds, asvIds, indptr, indices: indices.subarray(0, length), data: data.subarray(0, length) };
}

/** What a look at all counts shows. */
export interface Tally {
  /** Sum of the counts of each sample. */
  readonly totals: Float64Array;
  readonly areWhole: boolean;
  /** The first reason why counts cannot be drawn of the samples. */
  readonly refusal: string | undefined;
}

/** Adds up the counts of each sample, and looks whether they can be rarefied. */
export function tally(source: TableSlices): Tally {
  const totals = new Float64Array(source.sampleIds.length);
  let [first, areWhole] = [0, true];
  let refusal: string | undefined;
  for (const slice of source.slices()) {
    const own = sampleTotals(slice);
    totals.set(own, first);
    first += own.length;
    areWhole &&= slice.data.every(Number.isInteger);
    refusal ??= oddCounts(slice, own);
  }
  return { totals, areWhole, refusal };
}

/** What the first count is, or the first sample's sum, that nothing can be drawn of. */
export function oddCounts(table: Table, totals: Float64Array): string | undefined {
  for (let sample = 0; sample < totals.length; sample++) {
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      const count = table.data[i];
      if (Number.isInteger(count) && count >= 0) continue;
      return `ASV "${table.asvIds[table.indices[i]]}" has the count ${count} in sample "${table.sampleIds[sample]}", not a whole number of at least 0`;
    }
    if (totals[sample] >= 2 ** 32)
      return `sample "${table.sampleIds[sample]}" has ${totals[sample]} counts, more than 4,294,967,295`;
  }
  return undefined;
}
