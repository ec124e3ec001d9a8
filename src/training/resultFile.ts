import { Table, tableToIPC, Utf8, type Vector, vectorFromArray } from "apache-arrow";
import { writeFileAtomic } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";
import { delimitedText, type ResultColumn } from "./predictionTable.ts";

export const resultFormats = ["tsv", "csv", "arrow"] as const;
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

/** Writes a table of results: text, or an Arrow IPC file (Feather 2), which pandas, polars, R and DuckDB read. */
export function writeResults(path: string, columns: readonly ResultColumn[], format: ResultFormat): void {
  if (format !== "arrow") {
    writeFileAtomic(path, delimitedText(columns, format === "csv" ? "," : "\t"));
    return;
  }
  const vectors: Record<string, Vector> = {};
  for (const { name, values } of columns) {
    vectors[name] =
      values instanceof Float64Array ? vectorFromArray(values) : vectorFromArray([...values], new Utf8());
  }
  writeFileAtomic(path, tableToIPC(new Table(vectors), "file"));
}
