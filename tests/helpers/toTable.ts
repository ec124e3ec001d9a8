import type { Table } from "../../src/data/table/table.ts";

/** A table from dense counts by sample; samples are s0, s1 ..., ASVs a0, a1 ... */
export function toTable(counts: readonly (readonly number[])[]): Table {
  const indptr = [0];
  const indices: number[] = [];
  const data: number[] = [];
  for (const row of counts) {
    for (const [asv, count] of row.entries()) {
      if (count === 0) continue;
      indices.push(asv);
      data.push(count);
    }
    indptr.push(indices.length);
  }
  return {
    sampleIds: counts.map((_, i) => `s${i}`),
    asvIds: (counts[0] ?? []).map((_, i) => `a${i}`),
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
}
