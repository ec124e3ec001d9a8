import { parse } from "csv-parse/sync";
import { UserError } from "../common/userError.ts";

/** One row of a delimited text; blank lines are rows too. */
export interface DelimitedRow {
  /** Line on which the row starts, from 1. */
  readonly line: number;
  /** Its cells, without surrounding blanks. */
  readonly cells: readonly string[];
}

/**
 * Splits tab- or comma-separated text into rows: cells may be quoted with `"` (doubled inside), quoted cells
 * may contain delimiters and line breaks, a quote inside an unquoted cell is a plain character; lines end
 * with LF, CRLF or CR. `source` names the text in errors.
 * @throws UserError for a quote that is never closed.
 */
export function splitDelimited(text: string, delimiter: "\t" | ",", source: string): DelimitedRow[] {
  // The parser takes time and some hundreds of bytes for each cell.
  if (!text.includes('"')) return splitUnquoted(text, delimiter);
  const rows: DelimitedRow[] = [];
  let nextLine = 1;
  try {
    parse(text, {
      bom: true,
      delimiter,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      relax_quotes: true,
      on_record: (cells: string[], { lines }: { lines: number }) => {
        rows.push({ line: nextLine, cells: cells.map((cell) => cell.trim()) });
        nextLine = lines + 1;
        return null;
      },
    });
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    if (code === "CSV_QUOTE_NOT_CLOSED") {
      throw new UserError(
        `${source}, line ${nextLine}: a quote (") that opens a cell is never closed; close it or remove it.`,
      );
    }
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`${source}, line ${nextLine}: the row cannot be split into cells (${what}).`);
  }
  return rows;
}

function splitUnquoted(text: string, delimiter: string): DelimitedRow[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, i) => ({ line: i + 1, cells: line.split(delimiter).map((cell) => cell.trim()) }));
}
