import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../alikeIds.ts";

export interface MatchedIds {
  /** Rows of either side, in the first one's order. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  /** Ids that only one side has. */
  readonly left: number;
}

/**
 * Pairs the samples of two files by their ids. @throws UserError if one has a sample that the other lacks,
 * unless `intersect` is given, and if fewer than three are in both. `names` are the files'.
 */
export function matchIds(
  first: readonly string[],
  second: readonly string[],
  names: readonly [string, string],
  intersect: boolean,
): MatchedIds {
  const rowOf = new Map(second.map((id, row) => [id, row]));
  const rows = [...first.keys()].filter((row) => rowOf.has(first[row]));
  const [onlyFirst, onlySecond] = [without(first, second), without(second, first)];
  if (rows.length < 3)
    throw new UserError(
      `${names[0]} and ${names[1]} have ${rows.length} samples in common, and three are needed; their first ids are ${quote(first[0])} and ${quote(second[0])}${alikeIds(first, second)}; give matrices of the same samples.`,
    );
  const left = onlyFirst.length + onlySecond.length;
  if (left > 0 && !intersect) {
    const [lacking, id] = onlyFirst.length > 0 ? [names[1], onlyFirst[0]] : [names[0], onlySecond[0]];
    throw new UserError(
      `${lacking} lacks the sample ${quote(id)}${left > 1 ? ` (${left} samples are in one of the two alone)` : ""}${alikeIds(onlyFirst, onlySecond)}; add --intersect-ids to compare those that are in both.`,
    );
  }
  return { first: rows, second: rows.map((row) => rowOf.get(first[row])!), left };
}
