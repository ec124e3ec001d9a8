import { howToWrite } from "../../common/numberNotation.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Metadata, MetadataColumn } from "./metadata.ts";
import type { ColumnType } from "./rules.ts";

/**
 * The type a column declares, else what its values look like: numeric if it has values and
 * all of them are numbers.
 */
export function columnType(column: MetadataColumn): ColumnType {
  if (column.declaredType !== undefined) return column.declaredType;
  const hasValues = column.values.some((value) => value !== null);
  return hasValues && findNonNumber(column) === undefined ? "numeric" : "categorical";
}

/**
 * @throws UserError if there is no such column, with the names there are. Blanks around `name` do not count.
 */
export function getColumn(metadata: Metadata, name: string): MetadataColumn {
  const column = metadata.columns.get(name.trim());
  if (column !== undefined) return column;
  const names = [...metadata.columns.keys()];
  const alike = names.find((one) => one.toLowerCase() === name.trim().toLowerCase());
  const cure = alike !== undefined ? `did you mean ${quote(alike)}?` : `it has ${listSome(names)}.`;
  throw new UserError(`${metadata.source} has no column ${quote(name.trim())}; ${cure}`);
}

/** The first row whose value is neither a number nor missing. */
export function findNonNumber(column: MetadataColumn): number | undefined {
  const row = column.values.findIndex((value) => value !== null && parseNumber(value) === undefined);
  return row < 0 ? undefined : row;
}

/**
 * A column's values as numbers, one per row, NaN where missing.
 * @throws UserError that names the line of the first cell that is no number.
 */
export function numericColumn(metadata: Metadata, name: string): Float64Array {
  const column = getColumn(metadata, name);
  const bad = findNonNumber(column);
  if (bad !== undefined) {
    throw new UserError(
      `${metadata.source}, line ${metadata.lines[bad]}: ${quote(column.name)} of sample ${quote(metadata.ids[bad])} is ${quote(column.values[bad])}, not a number; ${howToWrite(column.values[bad]!)}, leave the cell empty if the value is unknown, or treat the column as categorical.`,
    );
  }
  return Float64Array.from(column.values, (text) => (text === null ? Number.NaN : Number(text)));
}

/** The row of each of `sampleIds` in the metadata, -1 for those it lacks. */
export function rowsOf(metadata: Metadata, sampleIds: readonly string[]): Int32Array {
  const rowOf = new Map(metadata.ids.map((id, row) => [id, row]));
  return Int32Array.from(sampleIds, (id) => rowOf.get(id) ?? -1);
}

function listSome(names: readonly string[]): string {
  if (names.length === 0) return "no columns besides the ids";
  const shown = names.slice(0, 20).map(quote);
  return shown.join(", ") + (names.length > 20 ? ` and ${names.length - 20} more` : "");
}
