import { UserError } from "../../common/userError.ts";
import { lineageParts } from "../taxonomy/lineage.ts";
import { refuseUnnamed, type Taxonomy } from "../taxonomy/read.ts";
import { joinAsvs } from "./joinAsvs.ts";
import type { Table } from "./table.ts";

/**
 * Adds up the counts of ASVs whose lineages are the same down to `level` (1 is the first rank), as QIIME
 * 2's `taxa collapse` does: the new ids are the lineages, joined by semicolons, and `__` stands for ranks
 * that a lineage does not reach.
 * @throws UserError for a level that no lineage has, and for ASVs that the taxonomy lacks.
 */
export function collapseTable(table: Table, taxonomy: Taxonomy, level: number, source: string): Table {
  const parts = new Map(Array.from(taxonomy.lineages, ([id, lineage]) => [id, lineageParts(lineage)]));
  const deepest = Math.max(...Array.from(parts.values(), ({ length }) => length));
  if (level > deepest)
    throw new UserError(
      `--level ${level}: the lineages of ${taxonomy.source} have at most ${deepest} ranks; give a level of 1 to ${deepest}.`,
    );
  refuseUnnamed(taxonomy, table.asvIds, source);
  return joinAsvs(
    table,
    table.asvIds.map((id) => {
      const own = parts.get(id)!;
      return Array.from({ length: level }, (_, rank) => own[rank] ?? "__").join(";");
    }),
  );
}
