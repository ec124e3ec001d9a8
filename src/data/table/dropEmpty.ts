import type { Table } from "./table.ts";

/** The table without zeros, without samples that have no counts, and without ASVs that no sample has. */
export function dropEmpty(table: Table): Table {
  const newIndex = new Int32Array(table.asvIds.length).fill(-1);
  let kept = 0;
  for (let i = 0; i < table.data.length; i++) {
    if (table.data[i] === 0) continue;
    kept++;
    newIndex[table.indices[i]] = 0;
  }
  const asvIds = table.asvIds.filter((_, asv) => newIndex[asv] === 0);
  for (let asv = 0, next = 0; asv < newIndex.length; asv++) if (newIndex[asv] === 0) newIndex[asv] = next++;

  const sampleIds: string[] = [];
  const offsets = [0];
  const indices = new Int32Array(kept);
  const data = new Float64Array(kept);
  let next = 0;
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    const start = next;
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      if (table.data[i] === 0) continue;
      indices[next] = newIndex[table.indices[i]];
      data[next++] = table.data[i];
    }
    if (next === start) continue;
    sampleIds.push(table.sampleIds[sample]);
    offsets.push(next);
  }
  return { sampleIds, asvIds, indptr: Int32Array.from(offsets), indices, data };
}
