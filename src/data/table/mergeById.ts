import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { transposeCsr } from "./csr.ts";
import { joinAsvs } from "./joinAsvs.ts";
import type { Table } from "./table.ts";

/**
 * What may be in several tables and what becomes of it; the names are those of QIIME 2's
 * `feature-table merge`.
 */
export const overlapMethods = [
  "error_on_overlapping_sample",
  "error_on_overlapping_feature",
  "sum",
  "average",
  "union",
] as const;
export type OverlapMethod = (typeof overlapMethods)[number];

export interface NamedTable {
  readonly table: Table;
  /** Names it in errors. */
  readonly source: string;
}

/**
 * Puts tables together by the ids of samples and ASVs. What two tables have in common is refused (of
 * samples or of ASVs), added up (`sum`), added up and divided by the number of tables (`average`, which
 * takes a sample that a table lacks for one without counts, as QIIME 2 does), or only told to be there
 * (`union`: 1 where any table has a count).
 * @throws UserError for an overlap that the method does not allow, with its first id and both tables.
 */
export function mergeById(parts: readonly NamedTable[], method: OverlapMethod): Table {
  if (method === "error_on_overlapping_sample") refuseOverlap(parts, "sample");
  if (method === "error_on_overlapping_feature") refuseOverlap(parts, "ASV");
  // Samples and ASVs stand one after another, and those of the same id are joined, first the ASVs, then the
  // samples.
  const beside = besideEachOther(parts.map(({ table }) => table));
  const byAsv = transposed(joinAsvs(beside, beside.asvIds));
  const table = transposed(joinAsvs(byAsv, byAsv.asvIds));
  if (method === "average") return { ...table, data: table.data.map((count) => count / parts.length) };
  return method === "union" ? { ...table, data: table.data.map(() => 1) } : table;
}

function besideEachOther(tables: readonly Table[]): Table {
  const size = tables.reduce((sum, { data }) => sum + data.length, 0);
  const sampleIds = tables.flatMap((table) => table.sampleIds);
  const asvIds = tables.flatMap((table) => table.asvIds);
  const indptr = new Int32Array(sampleIds.length + 1);
  const indices = new Int32Array(size);
  const data = new Float64Array(size);
  let [row, at, asvs] = [0, 0, 0];
  for (const table of tables) {
    for (let i = 0; i < table.data.length; i++) indices[at + i] = table.indices[i] + asvs;
    data.set(table.data, at);
    for (let i = 1; i < table.indptr.length; i++) indptr[++row] = at + table.indptr[i];
    at += table.data.length;
    asvs += table.asvIds.length;
  }
  return { sampleIds, asvIds, indptr, indices, data };
}

/** The table with samples for ASVs and ASVs for samples. */
function transposed(table: Table): Table {
  const { sampleIds, asvIds } = table;
  return { sampleIds: asvIds, asvIds: sampleIds, ...transposeCsr(table, asvIds.length) };
}

function refuseOverlap(parts: readonly NamedTable[], kind: "sample" | "ASV"): void {
  const sourceOf = new Map<string, string>();
  for (const { table, source } of parts)
    for (const id of kind === "sample" ? table.sampleIds : table.asvIds) {
      const other = sourceOf.get(id);
      if (other !== undefined)
        throw new UserError(
          `The ${kind} ${quote(id)} is in ${other} and in ${source}; rename it in one of them, or say what becomes of it ` +
            "by --overlap-method sum, average or union.",
        );
      sourceOf.set(id, source);
    }
}
