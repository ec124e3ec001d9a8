import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../alikeIds.ts";
import type { Dropped } from "../dataset/manifest.ts";
import { dropEmptySlices } from "../table/dropEmpty.ts";
import { selectAsvs } from "../table/select.ts";
import type { TableSlices } from "../table/slices.ts";
import { indexTips } from "../tree/shape.ts";
import type { Tree } from "../tree/tree.ts";
import { dropped, shortenId } from "./provenance.ts";

export interface MatchedTable {
  /** Only ASVs that are tips. */
  readonly table: TableSlices;
  /** The sequences of these ASVs. */
  readonly sequences: readonly string[];
  /** What the ASVs are called in the tree: their ids or their sequences. */
  readonly tipNames: readonly string[];
  readonly dropped: readonly Dropped[];
  readonly warnings: readonly string[];
}

/**
 * Leaves out the ASVs that are no tips of the tree, whose place in it is unknown, and samples that have no
 * others. Tips may bear ids or sequences.
 * @throws UserError if the two have nothing in common, with a name of either side.
 */
export function matchTree(
  table: TableSlices,
  sequences: readonly string[],
  tree: Tree,
  names: { readonly table: string; readonly tree: string },
): MatchedTable {
  const tips = indexTips(tree, names.tree);
  const inTree = (candidates: readonly string[]) =>
    candidates.flatMap((name, asv) => (tips.has(name) ? [asv] : []));
  const [byId, bySequence] = [inTree(table.asvIds), inTree(sequences)];
  const [kept, tipNames] = bySequence.length > byId.length ? [bySequence, sequences] : [byId, table.asvIds];
  if (kept.length === 0 && table.asvIds.length > 0) {
    const [tip = ""] = tips.keys();
    const [id] = table.asvIds;
    // What two long ids share hides how they differ.
    const lengths = id.length === tip.length ? ["", ""] : [` (${id.length} letters)`, ` (${tip.length})`];
    throw new UserError(
      `${names.table} and ${names.tree} have no ASV in common: the first ASV is ${quote(shortenId(id))}${lengths[0]}, ` +
        `the first tip ${quote(shortenId(tip))}${lengths[1]}${alikeIds(table.asvIds, [...tips.keys()])}; give the tree that was made for this table.`,
    );
  }
  if (kept.length === table.asvIds.length) return { table, sequences, tipNames, dropped: [], warnings: [] };
  const isKept = new Uint8Array(table.asvIds.length);
  for (const asv of kept) isKept[asv] = 1;
  const lost = table.asvIds.filter((_, asv) => isKept[asv] === 0);
  const totals = asvTotals(table);
  const asvIds = kept.map((asv) => table.asvIds[asv]);
  const all = totals.reduce((sum, total) => sum + total, 0);
  const share = 100 - (100 * kept.reduce((sum, asv) => sum + totals[asv], 0)) / all;
  const left = dropEmptySlices({
    ...table,
    asvIds,
    *slices() {
      for (const slice of table.slices()) yield selectAsvs(slice, kept);
    },
  });
  const { emptySamples } = left;
  return {
    table: left,
    sequences: kept.map((asv) => sequences[asv]),
    tipNames: kept.map((asv) => tipNames[asv]),
    dropped: [
      ...dropped("asvs", "not in the tree", lost),
      ...dropped("samples", "no ASV in the tree", emptySamples),
    ],
    warnings: [
      `${lost.length} of ${table.asvIds.length} ASVs (${share.toFixed(share < 1 ? 2 : 1)} % of the counts) are not in ` +
        `${names.tree} and were left out; the first is ${quote(shortenId(lost[0]))}` +
        `${alikeIds(lost, without([...tips.keys()], tipNames))}.`,
      ...(emptySamples.length === 0
        ? []
        : [
            `${emptySamples.length} of ${table.sampleIds.length} samples have no ASV that is in ${names.tree} and were left out; the first is ${quote(emptySamples[0])}.`,
          ]),
    ],
  };
}

/** Sum of the counts of each ASV. */
function asvTotals(table: TableSlices): Float64Array {
  const totals = new Float64Array(table.asvIds.length);
  for (const { indices, data } of table.slices())
    for (let i = 0; i < indices.length; i++) totals[indices[i]] += data[i];
  return totals;
}
