import { UserError } from "../../common/userError.ts";
import { transposeCsr } from "./csr.ts";
import { selectAsvs, selectSamples } from "./select.ts";
import type { Table } from "./table.ts";

/** Which samples, or which ASVs, stay; all bounds include their ends. */
export interface AxisFilter {
  /** Sum of the counts. */
  readonly minCount?: number;
  readonly maxCount?: number;
  /** ASVs of a sample, or samples of an ASV, with any count. */
  readonly minPresent?: number;
  readonly maxPresent?: number;
  /** Only these ids. */
  readonly ids?: ReadonlySet<string>;
}

/**
 * The table with the samples that a filter keeps, without ASVs that none of them has, as QIIME 2's
 * `feature-table filter-samples`.
 * @throws UserError if nothing stays
 */
export function filterSamples(table: Table, filter: AxisFilter, source: string): Table {
  const kept = selectSamples(table, keptRows(table, table.sampleIds, filter));
  return refuseEmpty(withoutEmptyAsvs(kept), table, source, "samples");
}

/**
 * The table with the ASVs that a filter keeps, without samples that have none of them, as QIIME 2's
 * `feature-table filter-features`.
 * @throws UserError if nothing stays
 */
export function filterAsvs(table: Table, filter: AxisFilter, source: string): Table {
  const byAsv = { ...transposeCsr(table, table.asvIds.length) };
  const kept = selectAsvs(table, keptRows(byAsv, table.asvIds, filter));
  return refuseEmpty(withoutEmptySamples(kept), table, source, "ASVs");
}

/** The table without ASVs that no sample has. */
export function withoutEmptyAsvs(table: Table): Table {
  const has = new Uint8Array(table.asvIds.length);
  table.indices.forEach((asv, i) => {
    if (table.data[i] > 0) has[asv] = 1;
  });
  return has.every((one) => one === 1) ? table : selectAsvs(table, indicesWhere(has));
}

/** The table without samples that have no counts. */
export function withoutEmptySamples(table: Table): Table {
  const has = Uint8Array.from(table.sampleIds, (_, i) =>
    table.data.subarray(table.indptr[i], table.indptr[i + 1]).some((count) => count > 0) ? 1 : 0,
  );
  return has.every((one) => one === 1) ? table : selectSamples(table, indicesWhere(has));
}

const indicesWhere = (has: Uint8Array): number[] => Array.from(has.keys()).filter((i) => has[i] === 1);

function keptRows(
  { indptr, data }: Pick<Table, "indptr" | "data">,
  ids: readonly string[],
  { minCount = 0, maxCount = Infinity, minPresent = 0, maxPresent = Infinity, ids: chosen }: AxisFilter,
): number[] {
  return Array.from(ids.keys()).filter((row) => {
    if (chosen !== undefined && !chosen.has(ids[row])) return false;
    let [count, present] = [0, 0];
    for (let i = indptr[row]; i < indptr[row + 1]; i++) {
      count += data[i];
      if (data[i] > 0) present++;
    }
    return count >= minCount && count <= maxCount && present >= minPresent && present <= maxPresent;
  });
}

function refuseEmpty(kept: Table, before: Table, source: string, kind: string): Table {
  if (kept.sampleIds.length > 0 && kept.asvIds.length > 0) return kept;
  throw new UserError(
    `Of the ${before.sampleIds.length} samples and ${before.asvIds.length} ASVs of ${source} the filter of ${kind} leaves none; ` +
      "loosen it.",
  );
}
