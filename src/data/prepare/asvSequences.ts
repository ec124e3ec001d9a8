import { UserError } from "../../common/userError.ts";
import { shortenId } from "./provenance.ts";

/** Bases, IUPAC's codes for several bases, and gaps. */
const sequencePattern = /^[ACGTUNRYSWKMBDHV.-]+$/i;

/** Whether every ASV's id is a sequence. */
export function hasSequenceIds(asvIds: readonly string[]): boolean {
  return asvIds.every((id) => sequencePattern.test(id));
}

/**
 * The sequence of every ASV: by id out of representative sequences, or without those the id itself.
 * @throws UserError if an id is in neither form, with the table's name, the first such id and the cure.
 */
export function resolveSequences(
  asvIds: readonly string[],
  tableName: string,
  repSeqs?: { readonly name: string; readonly sequences: ReadonlyMap<string, string> },
): readonly string[] {
  if (repSeqs === undefined) {
    const bad = asvIds.findIndex((id) => !sequencePattern.test(id));
    if (bad < 0) return asvIds;
    const count = asvIds.reduce((sum, id) => sum + (sequencePattern.test(id) ? 0 : 1), 0);
    throw new UserError(
      `${tableName}: ${count} of ${asvIds.length} ASV ids are no DNA sequences, the first is "${shortenId(asvIds[bad])}" ` +
        `(ASV ${bad + 1}); give the representative sequences with --rep-seqs.`,
    );
  }
  const missing = asvIds.filter((id) => !repSeqs.sequences.has(id));
  if (missing.length > 0) {
    const cure =
      missing.length === asvIds.length
        ? "they do not belong together; give the sequences that were made with this table"
        : "give a file that holds all of them";
    throw new UserError(
      `${repSeqs.name} has no sequence for ${missing.length} of the ${asvIds.length} ASVs of ${tableName}, ` +
        `the first is "${shortenId(missing[0])}"; ${cure}.`,
    );
  }
  return asvIds.map((id) => repSeqs.sequences.get(id)!);
}
