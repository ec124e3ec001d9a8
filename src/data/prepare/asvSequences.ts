import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../alikeIds.ts";
import { withoutSize } from "../sequences/readFasta.ts";

/** Bases, IUPAC's codes for several bases, and gaps. */
const sequencePattern = /^[ACGTUNRYSWKMBDHV.-]+$/i;
/** Words such as "Cat" consist of these letters too, sequencing reads are longer. */
const shortestSequence = 12;
/** Share of definite bases below which letters are no read of a sequencer. */
const definiteShare = 0.8;

/** Whether every ASV's id is a sequence: IUPAC's letters, long enough, and mostly A, C, G and T. */
export function hasSequenceIds(asvIds: readonly string[]): boolean {
  return asvIds.every(isSequence);
}

function isSequence(id: string): boolean {
  if (id.length < shortestSequence || !sequencePattern.test(id)) return false;
  return (id.match(/[ACGTU.-]/gi)?.length ?? 0) >= definiteShare * id.length;
}

/**
 * The sequence of every ASV: by id out of representative sequences, or without those the id itself. An
 * annotation such as `;size=12` behind an id does not count where the sequences lack it.
 * @throws UserError if an id is in neither form, with the table's name, the first such id and the cure.
 */
export function resolveSequences(
  asvIds: readonly string[],
  tableName: string,
  repSeqs?: { readonly name: string; readonly sequences: ReadonlyMap<string, string> },
): readonly string[] {
  if (repSeqs === undefined) {
    const bad = asvIds.findIndex((id) => !isSequence(id));
    if (bad < 0) return asvIds;
    const count = asvIds.reduce((sum, id) => sum + (isSequence(id) ? 0 : 1), 0);
    const why = sequencePattern.test(asvIds[bad])
      ? `, which has only letters of bases, but not ${shortestSequence} of them that are mostly A, C, G and T`
      : "";
    throw new UserError(
      `${tableName}: ${count} of ${asvIds.length} ASV ids are no DNA sequences, the first is ${quote(asvIds[bad])} ` +
        `(ASV ${bad + 1})${why}; give the representative sequences with --rep-seqs.`,
    );
  }
  const { sequences, name } = repSeqs;
  const found = asvIds.map((id) => sequences.get(id) ?? sequences.get(withoutSize(id)));
  const missing = asvIds.filter((_, asv) => found[asv] === undefined);
  if (missing.length > 0) {
    const cure =
      missing.length === asvIds.length
        ? "they do not belong together; give the sequences that were made with this table"
        : "give a file that holds all of them";
    throw new UserError(
      `${name} has no sequence for ${missing.length} of the ${asvIds.length} ASVs of ${tableName}, ` +
        `the first is ${quote(missing[0])}, the first of the sequences ${quote([...sequences.keys()][0])}` +
        `${alikeIds(missing, without([...sequences.keys()], asvIds))}; ${cure}.`,
    );
  }
  return found as string[];
}
