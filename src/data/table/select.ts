import type { Table } from "./table.ts";

/** The table with only some samples, given by index in ascending order; ASVs stay as they are. */
export function selectSamples(table: Table, samples: ArrayLike<number>): Table {
  const indptr = new Int32Array(samples.length + 1);
  for (let i = 0; i < samples.length; i++) {
    indptr[i + 1] = indptr[i] + table.indptr[samples[i] + 1] - table.indptr[samples[i]];
  }
  const indices = new Int32Array(indptr[samples.length]);
  const data = new Float64Array(indptr[samples.length]);
  for (let i = 0; i < samples.length; i++) {
    const [start, end] = [table.indptr[samples[i]], table.indptr[samples[i] + 1]];
    indices.set(table.indices.subarray(start, end), indptr[i]);
    data.set(table.data.subarray(start, end), indptr[i]);
  }
  const sampleIds = Array.from(samples, (sample) => table.sampleIds[sample]);
  return { sampleIds, asvIds: table.asvIds, indptr, indices, data };
}

/**
 * The table with only some ASVs, given by index in ascending order; samples stay, even without any ASV left.
 */
export function selectAsvs(table: Table, asvs: ArrayLike<number>): Table {
  const renumbered = new Int32Array(table.asvIds.length).fill(-1);
  for (let i = 0; i < asvs.length; i++) renumbered[asvs[i]] = i;
  const indptr = new Int32Array(table.indptr.length);
  const indices = new Int32Array(table.indices.length);
  const data = new Float64Array(table.indices.length);
  let at = 0;
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      const asv = renumbered[table.indices[i]];
      if (asv < 0) continue;
      indices[at] = asv;
      data[at++] = table.data[i];
    }
    indptr[sample + 1] = at;
  }
  return {
    sampleIds: table.sampleIds,
    asvIds: Array.from(asvs, (asv) => table.asvIds[asv]),
    indptr,
    indices: indices.slice(0, at),
    data: data.slice(0, at),
  };
}

/** Sum of the counts of each sample. */
export function sampleTotals(table: Table): Float64Array {
  const totals = new Float64Array(table.sampleIds.length);
  for (let sample = 0; sample < totals.length; sample++) {
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) totals[sample] += table.data[i];
  }
  return totals;
}

/** Whether the numbers look like shares of samples: not whole, and at most 1 in all, or 100 everywhere. */
export function isOfShares(table: Table): boolean {
  if (table.data.every(Number.isInteger)) return false;
  const totals = sampleTotals(table);
  return totals.every((total) => total < 1.001) || totals.every((total) => Math.abs(total - 100) < 0.1);
}
