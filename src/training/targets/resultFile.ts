import { Float64, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from "apache-arrow";
import { parquetWriteBuffer } from "hyparquet-writer";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { delimitedText, type ResultColumn } from "./predictionTable.ts";

export const resultFormats = ["tsv", "csv", "parquet", "arrow"] as const;
export type ResultFormat = (typeof resultFormats)[number];

/** The format that a path's ending names. @throws UserError for another ending. */
export function formatOfPath(path: string): ResultFormat {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "txt") return "tsv";
  if (ending === "feather") return "arrow";
  const format = resultFormats.find((one) => one === ending);
  if (format) return format;
  throw new UserError(
    `The format of ${path} is not clear: end the name in .${resultFormats.join(", .")}, or give --format.`,
  );
}

/**
 * Writes a table of results: text, Parquet, or an Arrow IPC file (Feather 2); pandas, polars, R and DuckDB
 * read all of them. Missing numbers are empty cells in text and nulls elsewhere.
 */
export function writeResults(path: string, columns: readonly ResultColumn[], format: ResultFormat): void {
  writeFileAtomic(path, contentOf(columns, format));
}

function contentOf(columns: readonly ResultColumn[], format: ResultFormat): string | Uint8Array {
  switch (format) {
    case "tsv":
      return delimitedText(columns, "\t");
    case "csv":
      return delimitedText(columns, ",");
    case "parquet":
      return parquetOf(columns);
    case "arrow":
      return arrowOf(columns);
  }
}

/** The values of a column, null where a number is missing. */
function cells({ values }: ResultColumn): (string | number | null)[] {
  return Array.from<string | number, string | number | null>(values, (value) =>
    typeof value === "number" && Number.isNaN(value) ? null : value,
  );
}

function arrowOf(columns: readonly ResultColumn[]): Uint8Array {
  const vectors: Record<string, Vector> = {};
  for (const column of columns) {
    const type = column.values instanceof Float64Array ? new Float64() : new Utf8();
    vectors[column.name] = vectorFromArray(cells(column), type);
  }
  return tableToIPC(new Table(vectors), "file");
}

function parquetOf(columns: readonly ResultColumn[]): Uint8Array {
  const columnData = columns.map((column) => ({
    name: column.name,
    data: cells(column),
    type: column.values instanceof Float64Array ? ("DOUBLE" as const) : ("STRING" as const),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: "aam-bun" }));
}
