import { howToWrite } from "../../common/numberNotation.ts";
import { parseNumberAt } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { splitDelimited } from "../../formats/delimited.ts";
import { type CondenseOptions, Condenser, type Distances } from "./distances.ts";

/**
 * Parses a square matrix as text: a header of ids behind an empty (or any) first cell, then rows of an id and
 * numbers; separated by tabs, commas or blanks; ids may be quoted; lines that start with `#` before the
 * header and blank lines are skipped. Columns may be in another order than rows.
 * @throws UserError that names line and column.
 */
export function parseDistanceText(text: string, source: string, options?: CondenseOptions): Distances {
  const lines = new TextLines(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
  const header = lines.next();
  if (header === undefined)
    throw new UserError(`${source} is empty; give a matrix with ids in its first row and column.`);
  const separator = header.text.includes("\t") ? "\t" : header.text.includes(",") ? "," : " ";
  refuseOtherLayouts(header.text, source);
  const columnIds = readHeader(header.text, lines.peek(), separator, source);
  if (columnIds.length < 2) {
    throw new UserError(
      `${source}, line ${header.line}: a distance matrix starts with a row of at least two sample ids, separated by tabs or commas; this row has ${columnIds.length}.`,
    );
  }
  if (text.length < columnIds.length ** 2) throw tooFewRows(source, "too little text for", columnIds.length);
  const rows = collectRows(lines, columnIds.length, separator, source);
  const orderOfColumns = matchIds(rows.ids, columnIds, source);
  const condenser = new Condenser(rows.ids, "float64", source, options);
  const ordered = new Float64Array(columnIds.length);
  for (let i = 0; i < rows.ids.length; i++) {
    const row = rows.values.subarray(i * ordered.length, (i + 1) * ordered.length);
    for (let j = 0; j < ordered.length; j++) ordered[j] = row[orderOfColumns[j]];
    condenser.addRow(ordered);
  }
  return condenser.finish();
}

/** Says what a first line is that no square matrix has. */
function refuseOtherLayouts(first: string, source: string): void {
  if (/^\s*\d+\s*$/.test(first)) {
    throw new UserError(
      `${source} is a PHYLIP matrix (its first line is the number of samples), as mothur writes it; give a square matrix with the ids in its first row and column.`,
    );
  }
  if (!first.includes("\t") && first.split(";").length > 2)
    throw new UserError(`${source}: its cells are separated by semicolons; save it with tabs.`);
}

function collectRows(
  lines: TextLines,
  count: number,
  separator: string,
  source: string,
): { ids: string[]; values: Float64Array } {
  const ids: string[] = [];
  const values = new Float64Array(count * count);
  for (let row = lines.next(); row !== undefined; row = lines.next()) {
    const where = `${source}, line ${row.line}`;
    if (ids.length === count) {
      throw new UserError(
        `${where}: the header names ${count} samples, but there are more rows; the matrix is not square.`,
      );
    }
    const idEnd = endOfId(row.text, separator);
    const id = splitCells(row.text.slice(0, idEnd), separator, source)[0];
    fillRow(
      row.text,
      idEnd,
      separator,
      values.subarray(ids.length * count, (ids.length + 1) * count),
      where,
      id,
    );
    ids.push(id);
  }
  if (ids.length < count) {
    throw tooFewRows(source, `${ids.length} rows for`, count);
  }
  return { ids, values };
}

function tooFewRows(source: string, what: string, count: number): UserError {
  return new UserError(
    `${source} has ${what} the ${count} samples of its header: it is cut off or not square; make it anew.`,
  );
}

/** The columns' ids. The cell above the rows' ids may be empty, anything, or (as R writes it) absent. */
function readHeader(text: string, firstRow: string, separator: string, source: string): string[] {
  const cells = splitCells(text.trimEnd(), separator, source);
  if (separator === " ") return cells;
  const hasCorner = cells[0] === "" || splitCells(firstRow, separator, source).length !== cells.length + 1;
  return hasCorner ? cells.slice(1) : cells;
}

const missing = /^(nan|na|n\/a|null|)$/i;

function fillRow(
  text: string,
  idEnd: number,
  separator: string,
  row: Float64Array,
  where: string,
  id: string,
): void {
  let at = idEnd;
  for (let column = 0; column < row.length; column++) {
    if (at >= text.length) throw wrongLength(where, id, column, row.length);
    let start = at + 1;
    while (text.charCodeAt(start) === 32) start++;
    const found = text.indexOf(separator, start);
    at = found < 0 ? text.length : found;
    let end = at;
    while (end > start && text.charCodeAt(end - 1) === 32) end--;
    const value = parseNumberAt(text, start, end);
    if (Number.isNaN(value)) {
      const cell = text.slice(start, end);
      if (/^-?inf(inity)?$/i.test(cell)) row[column] = cell.startsWith("-") ? -Infinity : Infinity;
      else if (missing.test(cell)) row[column] = Number.NaN;
      else {
        throw new UserError(
          `${where}: value ${column + 1} of ${quote(id)} is ${quote(cell)}, not a number; ${howToWrite(cell)} or make the matrix anew.`,
        );
      }
    } else row[column] = value;
  }
  const rest = text.slice(at).replaceAll(separator, "").trim();
  if (rest !== "") throw wrongLength(where, id, row.length + 1, row.length);
}

function wrongLength(where: string, id: string, found: number, expected: number): UserError {
  const count = found > expected ? `more than ${expected}` : `only ${found}`;
  return new UserError(
    `${where}: the row of ${quote(id)} has ${count} values where the header names ${expected} samples; the matrix is damaged or not square.`,
  );
}

/** For each row's id the column of the same id. */
function matchIds(rowIds: readonly string[], columnIds: readonly string[], source: string): Int32Array {
  const columnOf = new Map(columnIds.map((id, column) => [id, column]));
  const order = Int32Array.from(rowIds, (id) => columnOf.get(id) ?? -1);
  const unknown = order.indexOf(-1);
  if (unknown >= 0) {
    throw new UserError(
      `${source}: row ${unknown + 1} has the id ${quote(rowIds[unknown])}, which is not in the header; rows and columns must have the same ids.`,
    );
  }
  return order;
}

function endOfId(text: string, separator: string): number {
  const from = text.startsWith('"') ? Math.max(0, text.indexOf('"', 1)) : 0;
  const end = text.indexOf(separator, from);
  return end < 0 ? text.length : end;
}

function splitCells(text: string, separator: string, source: string): string[] {
  if (separator === " ") return text.split(/ +/).filter((cell) => cell !== "");
  if (!text.includes('"')) return text.split(separator).map((cell) => cell.trim());
  return [...(splitDelimited(text, separator as "\t" | ",", source)[0]?.cells ?? [])];
}

/** The lines that count, one after another: not the blank ones and not comments above the header. */
class TextLines {
  readonly #text: string;
  #at = 0;
  #line = 0;
  #sawHeader = false;

  constructor(text: string) {
    this.#text = text;
  }

  next(): { text: string; line: number } | undefined {
    while (this.#at < this.#text.length) {
      const found = this.#text.indexOf("\n", this.#at);
      const end = found < 0 ? this.#text.length : found;
      // Tabs at the end stay: they may delimit a last, missing value.
      const text = this.#text.slice(this.#at, end).replace(/[\r ]+$/, "");
      this.#at = end + 1;
      this.#line++;
      const isComment = !this.#sawHeader && /^#( |[^\t,]*$)/.test(text);
      if (text.trim() === "" || isComment) continue;
      this.#sawHeader = true;
      return { text, line: this.#line };
    }
    return undefined;
  }

  /** The next line that is not blank, "" if there is none. */
  peek(): string {
    const [at, line] = [this.#at, this.#line];
    const text = this.next()?.text ?? "";
    this.#at = at;
    this.#line = line;
    return text;
  }
}
