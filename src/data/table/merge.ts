import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { renumberAsvs } from "./joinAsvs.ts";
import type { TableSlices } from "./slices.ts";
import type { Table } from "./table.ts";

/** One of several tables, with the sequence of each of its ASVs. */
export interface TablePart {
  readonly table: TableSlices;
  readonly sequences: readonly string[];
  /** Names it in errors. */
  readonly source: string;
}

/**
 * Puts the samples of several tables one after another. ASVs with the same sequence, in capitals or not and
 * with U for T, are one, which bears the id of the first table that has it; a sample that has two such has
 * the sum of their counts.
 * @throws UserError if a sample's id is in two tables, or an ASV's id stands for two sequences.
 * @example
 * const { table } = mergeTables([{ table: inOneSlice(a), sequences: a.asvIds, source: "a.biom" }, ...]);
 */
export function mergeTables(parts: readonly TablePart[]): Omit<TablePart, "source"> {
  if (parts.length === 1) return parts[0];
  const sampleIds = parts.flatMap(({ table }) => table.sampleIds);
  refuseRepeatedSamples(parts);
  const asvOf = new Map<string, number>();
  const asvIds: string[] = [];
  const sequences: string[] = [];
  const asvsOf = parts.map(({ table, sequences: own }) =>
    Int32Array.from(own, (sequence, asv) => {
      const key = sequence.toUpperCase().replaceAll("U", "T");
      const known = asvOf.get(key);
      if (known !== undefined) return known;
      asvOf.set(key, asvIds.length);
      sequences.push(sequence);
      return asvIds.push(table.asvIds[asv]) - 1;
    }),
  );
  refuseRepeatedAsvs(asvIds, parts);
  const cells = parts.reduce((sum, { table }) => sum + table.cells, 0);
  function* slices(): Generator<Table> {
    for (const [i, { table }] of parts.entries())
      for (const slice of table.slices()) yield renumberAsvs(slice, asvsOf[i], asvIds);
  }
  return { table: { sampleIds, asvIds, cells, slices }, sequences };
}

function refuseRepeatedSamples(parts: readonly TablePart[]): void {
  const sourceOf = new Map<string, string>();
  for (const { table, source } of parts) {
    for (const id of table.sampleIds) {
      const other = sourceOf.get(id);
      if (other !== undefined)
        throw new UserError(
          `The sample ${quote(id)} is in ${other} and in ${source}; rename it in one of them, or leave it out of one.`,
        );
      sourceOf.set(id, source);
    }
  }
}

function refuseRepeatedAsvs(asvIds: readonly string[], parts: readonly TablePart[]): void {
  const seen = new Set<string>();
  for (const id of asvIds) {
    if (seen.has(id))
      throw new UserError(
        `${parts.map(({ source }) => source).join(" and ")} call two different sequences ${quote(id)}; ` +
          "rename the ASV in one of them.",
      );
    seen.add(id);
  }
}
