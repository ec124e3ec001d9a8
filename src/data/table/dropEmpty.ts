import { selectAsvs } from "./select.ts";
import type { TableSlices } from "./slices.ts";
import type { Table } from "./table.ts";

/** The table without zeros, without samples that have no counts, and without ASVs that no sample has. */
export function dropEmpty(table: Table): Table {
  const filled = withoutZeros(table);
  return dropUnusedAsvs({ ...filled, indices: filled.indices.slice() });
}

/**
 * As `dropEmpty`, for a table that is read in slices. `look` are the slices of a first pass, which shows
 * what is empty.
 */
export function dropEmptySlices(
  source: TableSlices,
  look: Iterable<Table> = source.slices(),
): TableSlices & { readonly emptySamples: readonly string[]; readonly emptyAsvs: readonly string[] } {
  const isUsed = new Uint8Array(source.asvIds.length);
  const sampleIds: string[] = [];
  const emptySamples: string[] = [];
  for (const { sampleIds: ids, indptr, indices, data } of look) {
    for (let i = 0; i < ids.length; i++) {
      let isEmpty = true;
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        if (data[k] === 0) continue;
        isUsed[indices[k]] = 1;
        isEmpty = false;
      }
      (isEmpty ? emptySamples : sampleIds).push(ids[i]);
    }
  }
  const asvs: number[] = [];
  const [asvIds, emptyAsvs]: [string[], string[]] = [[], []];
  source.asvIds.forEach((id, asv) => {
    if (isUsed[asv] === 1) asvs.push(asv);
    (isUsed[asv] === 1 ? asvIds : emptyAsvs).push(id);
  });
  return {
    ...{ sampleIds, asvIds, emptySamples, emptyAsvs, cells: source.cells },
    *slices() {
      for (const slice of source.slices()) {
        const filled = withoutZeros(slice);
        yield emptyAsvs.length === 0 ? filled : selectAsvs(filled, asvs);
      }
    },
  };
}

/** The table without zeros and without samples that have no counts; itself where it has neither. */
export function withoutZeros(table: Table): Table {
  const { indptr } = table;
  const size = table.data.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
  if (size === table.data.length && !indptr.some((end, i) => i > 0 && end === indptr[i - 1])) return table;
  const sampleIds: string[] = [];
  const ends = [0];
  const indices = new Int32Array(size);
  const data = new Float64Array(size);
  let at = 0;
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    const start = at;
    for (let i = indptr[sample]; i < indptr[sample + 1]; i++) {
      if (table.data[i] === 0) continue;
      indices[at] = table.indices[i];
      data[at++] = table.data[i];
    }
    if (at === start) continue;
    sampleIds.push(table.sampleIds[sample]);
    ends.push(at);
  }
  return { sampleIds, asvIds: table.asvIds, indptr: Int32Array.from(ends), indices, data };
}

/** The table without ASVs that no sample has. Its indices are changed in place. */
export function dropUnusedAsvs(table: Table): Table {
  const { indices } = table;
  const newIndex = new Int32Array(table.asvIds.length).fill(-1);
  for (let i = 0; i < indices.length; i++) newIndex[indices[i]] = 0;
  const asvIds = table.asvIds.filter((_, asv) => newIndex[asv] === 0);
  for (let asv = 0, next = 0; asv < newIndex.length; asv++) if (newIndex[asv] === 0) newIndex[asv] = next++;
  for (let i = 0; i < indices.length; i++) indices[i] = newIndex[indices[i]];
  return { ...table, asvIds };
}
