import { numericColumn } from "../metadata/columns.ts";
import { lineageNames, rankNames } from "../taxonomy/lineage.ts";
import type { Taxonomy } from "../taxonomy/read.ts";
import type { Quantiles } from "./numberSummary.ts";
import { quantiles } from "./numberSummary.ts";

export interface TaxonomySummary {
  readonly features: number;
  /** Features without any name. */
  readonly unassigned: number;
  /** How many features have a name at each rank, and how many different names there are. */
  readonly ranks: readonly { readonly rank: string; readonly named: number; readonly names: number }[];
  /** Of the assignments; null where the file states none. */
  readonly confidence: Quantiles | null;
  readonly warnings: readonly string[];
}

/**
 * Describes a taxonomy: ids and lineages such as `k__Bacteria; p__Firmicutes`, as Greengenes (prefixes of two
 * underscores), SILVA (`d__`, `D_0__`) and plain names have them.
 */
export function summarizeTaxonomy({ lineages, metadata }: Taxonomy): TaxonomySummary {
  const names = rankNames.map(() => new Set<string>());
  const named = rankNames.map(() => 0);
  let unassigned = 0;
  for (const lineage of lineages.values()) {
    const parts = lineageNames(lineage);
    if (parts.every((part) => part === "")) unassigned++;
    for (const [rank, part] of parts.entries()) {
      if (part === "") continue;
      named[rank]++;
      // The same name below different parents is another taxon.
      names[rank].add(parts.slice(0, rank + 1).join(";"));
    }
  }
  const confidence = [...(metadata?.columns.values() ?? [])].find(({ name }) =>
    /^(confidence|consensus)$/i.test(name),
  );
  const known =
    metadata && confidence
      ? numericColumn(metadata, confidence.name).filter((value) => !Number.isNaN(value))
      : new Float64Array();
  return {
    features: lineages.size,
    unassigned,
    ranks: rankNames.map((rank, i) => ({ rank, named: named[i], names: names[i].size })),
    confidence: known.length === 0 ? null : quantiles(known),
    warnings: metadata?.warnings ?? [],
  };
}
