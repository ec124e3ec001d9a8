/** A metadata column of numbers, one for each sample; NaN is a missing value. */
export interface NumericColumn {
  readonly kind: "numeric";
  readonly name: string;
  readonly values: Float64Array;
}

/** A metadata column of texts: for each sample an index into `categories`, -1 where the value is missing. */
export interface TextColumn {
  readonly kind: "text";
  readonly name: string;
  readonly codes: Int32Array;
  readonly categories: readonly string[];
}

export type Column = NumericColumn | TextColumn;

/** How many samples have no value. */
export function missingValues(column: Column): number {
  let missing = 0;
  if (column.kind === "numeric") for (const value of column.values) missing += Number.isNaN(value) ? 1 : 0;
  else for (const code of column.codes) missing += code < 0 ? 1 : 0;
  return missing;
}
