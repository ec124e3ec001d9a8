import type { Table } from "./table.ts";

/** The table with ASVs of the same name as one, whose counts are their sums. `names`: one for each ASV. */
export function joinAsvs(table: Table, names: readonly string[]): Table {
  const asvIds: string[] = [];
  const numberOf = new Map<string, number>();
  const joined = Int32Array.from(names, (name) => {
    const known = numberOf.get(name);
    if (known !== undefined) return known;
    numberOf.set(name, asvIds.length);
    return asvIds.push(name) - 1;
  });
  return renumberAsvs(table, joined, asvIds);
}

/** The table with another number for each ASV, among `asvIds`; ASVs with the same number are added up. */
export function renumberAsvs(table: Table, numbers: Int32Array, asvIds: readonly string[]): Table {
  const indptr = new Int32Array(table.indptr.length);
  const indices = new Int32Array(table.indices.length);
  const data = new Float64Array(table.data.length);
  const sums = new Float64Array(asvIds.length);
  let at = 0;
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    const touched: number[] = [];
    for (let i = table.indptr[sample]; i < table.indptr[sample + 1]; i++) {
      const asv = numbers[table.indices[i]];
      if (table.data[i] === 0) continue;
      if (sums[asv] === 0) touched.push(asv);
      sums[asv] += table.data[i];
    }
    for (const asv of touched.sort((a, b) => a - b)) {
      indices[at] = asv;
      data[at++] = sums[asv];
      sums[asv] = 0;
    }
    indptr[sample + 1] = at;
  }
  return {
    sampleIds: table.sampleIds,
    asvIds,
    indptr,
    indices: indices.slice(0, at),
    data: data.slice(0, at),
  };
}
