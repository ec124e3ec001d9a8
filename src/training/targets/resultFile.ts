import { Float64, Table, tableToIPC, Utf8, type Vector, vectorFromArray } from "apache-arrow";
import { parquetWriteBuffer } from "hyparquet-writer";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { delimitedText, type ResultColumn } from "./predictionTable.ts";

/** Formats of any table of results. */
export const resultFormats = ["tsv", "csv", "parquet", "arrow"] as const;
/** Some results can be a QIIME 2 artifact, too. */
export type ResultFormat = (typeof resultFormats)[number] | "qza";

/**
 * The format that a path's ending names. `withoutArtifact`: what is written, if QIIME 2 has no type for it.
 * @throws UserError for another ending.
 */
export function formatOfPath(path: string, withoutArtifact?: string): ResultFormat {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "txt") return "tsv";
  if (ending === "feather") return "arrow";
  if (ending === "qza") {
    if (withoutArtifact === undefined) return "qza";
    throw new UserError(
      `QIIME 2 has no type for ${withoutArtifact}; end ${path} in .${resultFormats.join(", .")} instead.`,
    );
  }
  const format = resultFormats.find((one) => one === ending);
  if (format) return format;
  const artifact = withoutArtifact === undefined ? ", .qza" : "";
  throw new UserError(
    `The format of ${path} is not clear: end the name in .${resultFormats.join(", .")}${artifact}, or give --format.`,
  );
}

/**
 * Writes a table of results: text, Parquet, or an Arrow IPC file (Feather 2); pandas, polars, R and DuckDB
 * read all of them. Missing numbers are empty cells in text and nulls elsewhere. `writeArtifact` writes
 * what can be an artifact, for that format.
 */
export function writeResults(
  path: string,
  columns: readonly ResultColumn[],
  format: ResultFormat,
  writeArtifact?: () => void,
): void {
  if (format !== "qza") writeFileAtomic(path, contentOf(columns, format));
  else if (writeArtifact !== undefined) writeArtifact();
  else throw new RangeError("These results have no artifact.");
}

function contentOf(
  columns: readonly ResultColumn[],
  format: (typeof resultFormats)[number],
): string | Uint8Array {
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
