import type { Table } from "../../../src/data/table/table.ts";

/** Throws unless the table is what `Table` promises, so that later steps can trust it. */
export function checkTable({ sampleIds, asvIds, indptr, indices, data }: Table): void {
  const fail = (what: string): never => {
    throw new Error(`inconsistent table: ${what}`);
  };
  if (new Set(sampleIds).size !== sampleIds.length || new Set(asvIds).size !== asvIds.length)
    fail("duplicate ids");
  if (sampleIds.includes("") || asvIds.includes("")) fail("empty id");
  if (indptr.length !== sampleIds.length + 1 || indptr[0] !== 0) fail("offsets");
  if (indptr.at(-1) !== indices.length || indices.length !== data.length) fail("lengths");
  for (let sample = 0; sample < sampleIds.length; sample++) {
    if (indptr[sample + 1] < indptr[sample]) fail("descending offsets");
    for (let k = indptr[sample]; k < indptr[sample + 1]; k++) {
      if (indices[k] < 0 || indices[k] >= asvIds.length) fail("index out of range");
      if (k > indptr[sample] && indices[k] <= indices[k - 1]) fail("indices not ascending");
      if (!(data[k] > 0 && data[k] < Infinity)) fail(`count ${data[k]}`);
    }
  }
}
