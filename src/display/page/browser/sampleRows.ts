export type Cell = string | number | null;

export interface SampleData {
  readonly columns: readonly { readonly kind: "text" | "number" | "error" }[];
  readonly rows: readonly (readonly Cell[])[];
  /** What a row is called in the plural. */
  readonly rowsAre: string;
}

type Rows = Pick<SampleData, "columns" | "rows">;

/** The largest size of each column's numbers. */
export function largestOf({ columns, rows }: Rows): number[] {
  return columns.map((_, column) =>
    rows.reduce((most, row) => {
      const value = row[column];
      return typeof value === "number" ? Math.max(most, Math.abs(value)) : most;
    }, 0),
  );
}

/** Cells as texts: the numbers of a column all have as many decimals. */
export function cellTexts({ columns, rows }: Rows, largest: readonly number[]): string[][] {
  const decimals = columns.map((_, column) =>
    rows.every((row) => typeof row[column] !== "number" || Number.isInteger(row[column]))
      ? 0
      : Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(largest[column] || 1)))),
  );
  return rows.map((row) =>
    row.map((value, column) => {
      if (value === null) return "";
      return typeof value === "number" ? value.toFixed(decimals[column]).replace("-", "\u2212") : value;
    }),
  );
}

const collator = new Intl.Collator("en", { numeric: true });

/** Order of two cells; missing ones come last in either direction, errors go by their size. */
export function compareCells(left: Cell, right: Cell, kind: string, direction: 1 | -1): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  if (typeof left === "string" || typeof right === "string")
    return direction * collator.compare(String(left), String(right));
  return direction * (kind === "error" ? Math.abs(left) - Math.abs(right) : left - right);
}
