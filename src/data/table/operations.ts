import { quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Table } from "./table.ts";

/** In how many samples each ASV occurs. */
export function asvPrevalence(table: Table): Int32Array {
  const prevalence = new Int32Array(table.asvIds.length);
  for (const asv of table.indices) prevalence[asv]!++;
  return prevalence;
}

/**
 * Gives ASVs their sequences for ids, for tables whose ids are hashes. ASVs with equal sequences become one, at the
 * place of the first of them, and their counts are added.
 * @throws UserError if an ASV has no sequence, with their number and the first of them; `source` names the table.
 */
export function replaceIdsBySequences(
  table: Table,
  sequences: ReadonlyMap<string, string>,
  source = "The table",
): Table {
  const missing = table.asvIds.filter((id) => !sequences.has(id));
  if (missing.length > 0) {
    throw new UserError(
      `${source}: ${missing.length} of its ${table.asvIds.length} ASVs have no sequence ` +
        `(${quoteSome(missing)}); give the sequences made with this table.`,
    );
  }
  const asvOf = new Map<string, number>();
  const newIndex = Int32Array.from(table.asvIds, (id) => {
    const sequence = sequences.get(id)!;
    const known = asvOf.get(sequence);
    if (known === undefined) asvOf.set(sequence, asvOf.size);
    return known ?? asvOf.size - 1;
  });
  const asvIds = [...asvOf.keys()];
  if (asvIds.length === table.asvIds.length) return { ...table, asvIds };
  return mergeAsvs(table, asvIds, newIndex);
}

/** `newIndex` maps each ASV of the table to one of `asvIds`; counts that meet are added. */
function mergeAsvs(table: Table, asvIds: readonly string[], newIndex: Int32Array): Table {
  const indptr = new Int32Array(table.indptr.length);
  const indices = new Int32Array(table.indices.length);
  const data = new Float64Array(table.data.length);
  const sums = new Float64Array(asvIds.length);
  let length = 0;
  for (let sample = 0; sample < table.sampleIds.length; sample++) {
    const start = length;
    for (let k = table.indptr[sample]!; k < table.indptr[sample + 1]!; k++) {
      const asv = newIndex[table.indices[k]!]!;
      if (sums[asv] === 0) indices[length++] = asv;
      sums[asv]! += table.data[k]!;
    }
    indices.subarray(start, length).sort();
    for (let k = start; k < length; k++) {
      data[k] = sums[indices[k]!]!;
      sums[indices[k]!] = 0;
    }
    indptr[sample + 1] = length;
  }
  return {
    sampleIds: table.sampleIds,
    asvIds,
    indptr,
    indices: indices.slice(0, length),
    data: data.slice(0, length),
  };
}
