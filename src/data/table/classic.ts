import type { ByteSource } from "../../common/files/byteSource.ts";
import { refuseNoUtf8 } from "../../common/files/inputFile.ts";
import { numberNotation } from "../../common/numberNotation.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { ByteLines } from "../../formats/byteLines.ts";
import { checkIds } from "../checkIds.ts";
import { longCure, namesSamples, readClassicHeader } from "./classicHeader.ts";
import { type Csr, transposeCsr } from "./csr.ts";
import { CsrBuilder } from "./csrBuilder.ts";
import type { Table, TableReading } from "./table.ts";

const sequencePattern = /^[ACGTUN]{20,}$/i;
/** Digests that name ASVs: MD5 and SHA-1. */
const digestPattern = /^([0-9a-f]{32}|[0-9a-f]{40})$/i;

interface Header {
  /** Line on which it stands, from 1. */
  readonly line: number;
  readonly label: string;
  readonly columnIds: readonly string[];
  /**
   * A last column that is no sample: known by its name, or because its cells are text, as then all must be.
   */
  readonly description: "named" | "text" | undefined;
  readonly notes: readonly string[];
}

/**
 * Reads a classic table: tab-separated, one row per ASV, one column per sample, as `biom convert --to-tsv`,
 * QIIME 1 and R write it. Comments above the header, a last column of taxonomy and empty cells at the ends of
 * rows are skipped. Tables whose rows are samples, as DADA2 makes them, are recognised by their first cell or
 * by sequences for column names. What the header is follows from fixed rules (see `classicHeader.ts`); a file
 * that they leave open is refused, as one column off would give every sample its neighbour's counts.
 * @throws UserError naming line and column.
 */
export function readClassicTable(bytes: ByteSource, source: string): TableReading {
  refuseNoUtf8(bytes, source);
  const lines = new ByteLines(bytes);
  const header = readHeader(lines, source);
  const rowIds: string[] = [];
  const cells = new CsrBuilder();
  const columns = header.columnIds.length;
  do {
    if (lines.isBlank()) continue;
    if (lines.startsWith("#")) throw secondHashLine(lines, header.line, source);
    rowIds.push(unquoted(lines.text(lines.cell())));
    for (let column = 0; column < columns; column++) {
      const cell = lines.cell();
      if (!cell) throw wrongWidth(lines, header, column, source);
      const count = lines.number(cell);
      if (!(count >= 0)) throw badCount(lines, header, column, lines.text(cell), source);
      if (count !== 0) cells.add(column, count);
    }
    const description = header.description && lines.cell();
    if (header.description === "text" && !Number.isNaN(lines.number(description ?? nowhere))) {
      throw new UserError(
        `${source}: line ${lines.lineNumber}, column ${columns + 2} is ${quote(lines.text(description))}, a number, ` +
          `where line ${header.line + 1} has text that describes an ASV; give every column a name in line ${header.line}.`,
      );
    }
    for (let surplus = lines.cell(); surplus; surplus = lines.cell())
      if (lines.text(surplus).trim() !== "") throw wrongWidth(lines, header, columns + 1, source);
    cells.endRow();
  } while (lines.next());

  if (columns === 2) refuseLongShape(rowIds, source);
  const rowsAreSamples = hasSamplesInRows(header, rowIds);
  const [sampleIds, asvIds] = rowsAreSamples ? [rowIds, header.columnIds] : [header.columnIds, rowIds];
  const notes = [...header.notes];
  if (rowsAreSamples) notes.push("its rows are samples and its columns ASVs");
  checkIds(sampleIds, "sample", source);
  checkIds(asvIds, "ASV", source);
  const byRow = cells.csr();
  const byColumn = transposeCsr(byRow, columns);
  refuseSums(rowIds, byColumn, "row", source);
  refuseSums(header.columnIds, byRow, "column", source);
  const table: Table = { sampleIds, asvIds, ...(rowsAreSamples ? byRow : byColumn) };
  return { table, format: "classic table (TSV)", notes };
}

const nowhere = { start: 0, end: 0 };

/** Whether the rows are samples, told by the cell above them or by columns that only ASVs have for names. */
function hasSamplesInRows({ label, columnIds }: Header, rowIds: readonly string[]): boolean {
  const nameAsvs = (ids: readonly string[]) =>
    ids.every((id) => sequencePattern.test(id)) || ids.every((id) => digestPattern.test(id));
  const [columnsAreAsvs, rowsAreAsvs] = [nameAsvs(columnIds), nameAsvs(rowIds)];
  return columnsAreAsvs === rowsAreAsvs ? namesSamples(label) : columnsAreAsvs;
}

/** Refuses three columns whose ids recur: sample, feature and count, under whatever names. */
function refuseLongShape(rowIds: readonly string[], source: string): void {
  if (new Set(rowIds).size === rowIds.length) return;
  const twice = rowIds.find((id, row) => rowIds.indexOf(id) < row);
  throw new UserError(
    `${source} has three columns and several rows of ${quote(twice)}, as a table in long format has (sample, feature, count); ${longCure}, or make the ids unique if the other columns are two samples.`,
  );
}

/** Names of what spreadsheets and other programs put beside and below the counts. */
const figureName =
  /^((grand|row|column|overall)[ _-]?)?(totals?|sums?|means?|averages?|medians?|st[d.]*[ _-]?dev|prevalence)([ _-]?(counts?|reads))?$|^(confidence|(seq(uence)?[ _-]?)?length)$/i;

/**
 * Refuses sums, means and other figures that stand among the counts; they would be taken for a sample or an
 * ASV. They are known by their names, sums also by what the others come to. `matrix` has these in its
 * columns.
 */
function refuseSums(ids: readonly string[], matrix: Csr, what: "row" | "column", source: string): void {
  const cure = `not the counts of one ${what === "row" ? "ASV" : "sample"}; remove it`;
  const named = ids.find((id) => figureName.test(id));
  if (named !== undefined)
    throw new UserError(
      `${source} has a ${what} named ${quote(named)}, which holds sums or other figures and ${cure}, or rename it if it is none.`,
    );
  const sum = columnOfSums(matrix, ids.length);
  if (sum < 0) return;
  throw new UserError(
    `${source}: each number of the ${what} ${quote(ids[sum])} is the sum of all others beside it, and so ${cure}.`,
  );
}

/**
 * The column that is the sum of all others in every row, -1 if there is none. Small tables of round numbers
 * have such by chance: there must be three others, and three different sums.
 */
function columnOfSums({ indptr, indices, data }: Csr, columns: number): number {
  if (columns < 4) return -1;
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * b;
  const totals = new Float64Array(columns);
  indices.forEach((column, i) => {
    totals[column] += data[i];
  });
  const all = totals.reduce((sum, total) => sum + total, 0);
  const isIt = (column: number): boolean => {
    const sums = new Set<number>();
    for (let row = 0; row + 1 < indptr.length; row++) {
      const counts = data.subarray(indptr[row], indptr[row + 1]);
      const at = indices.subarray(indptr[row], indptr[row + 1]).indexOf(column);
      const own = at < 0 ? 0 : counts[at];
      if (
        !near(
          2 * own,
          counts.reduce((sum, count) => sum + count, 0),
        )
      )
        return false;
      if (own > 0) sums.add(own);
    }
    return sums.size >= 3;
  };
  return totals.findIndex((total, column) => total > 0 && near(2 * total, all) && isIt(column));
}

/** Leaves `lines` at the first row of counts. */
function readHeader(lines: ByteLines, source: string): Header {
  const notATable = (what: string) =>
    new UserError(
      `${source} is no feature table (${what}); give a BIOM file, or a tab-separated table with one row per ASV ` +
        `and one column per sample.`,
    );
  let names: string[] | undefined;
  let line = 0;
  let hasRow = false;
  while ((hasRow = lines.next())) {
    if (lines.isBlank()) continue;
    const isComment = lines.startsWith("#");
    const cells = lines.allCells().map(unquoted);
    if (cells.length === 1 && isComment) continue;
    if (names !== undefined && !isComment) break;
    if (names !== undefined) throw secondHashLine(lines, line, source);
    if (cells.length === 1)
      throw notATable(`line ${lines.lineNumber} has no tabs${otherSeparator(cells[0])}`);
    names = cells.slice(0, cells.findLastIndex((cell) => cell !== "") + 1);
    line = lines.lineNumber;
  }
  if (!names) throw notATable("it has no header");
  if (!hasRow) throw notATable("it has a header but no rows");
  const row = lines.allCells().map(unquoted);
  const problem = (what: string) => new UserError(`${source}: ${what}.`);
  return { line, ...readClassicHeader(names, row, { header: line, row: lines.lineNumber }, problem) };
}

/** What stands between the cells of a line without tabs, if that can be seen. */
function otherSeparator(line: string): string {
  const name = (
    [
      [",", "commas"],
      [";", "semicolons"],
    ] as const
  ).find(([character]) => line.includes(character))?.[1];
  return name === undefined ? "" : `, its cells are separated by ${name}: save it with tabs`;
}

function secondHashLine(lines: ByteLines, headerLine: number, source: string): UserError {
  if (lines.lineText().startsWith("#q2:types"))
    return new UserError(
      `${source} is metadata for QIIME 2 (line ${lines.lineNumber} begins with "#q2:types"), not a feature table; give it as --metadata.`,
    );
  return new UserError(
    `${source}: line ${lines.lineNumber} (${quote(lines.lineText())}) begins with "#" below the header, which is line ` +
      `${headerLine}: it could be a comment, a second header or an ASV; remove it, or the "#" if it is an ASV.`,
  );
}

function unquoted(cell: string): string {
  const trimmed = cell.trim();
  const isQuoted = trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"');
  return isQuoted ? trimmed.slice(1, -1) : trimmed;
}

function badCount(
  lines: ByteLines,
  header: Header,
  column: number,
  found: string,
  source: string,
): UserError {
  const notation = numberNotation(found.trim());
  const cure = notation === undefined ? "correct the table" : `write ${notation.cure}`;
  return new UserError(
    `${source}: line ${lines.lineNumber}, column ${column + 2} (${quote(header.columnIds[column])}) is ` +
      `${quote(found)}, expected a count; ${cure}.`,
  );
}

function wrongWidth(lines: ByteLines, header: Header, found: number, source: string): UserError {
  const expected = header.columnIds.length + (header.description ? 2 : 1);
  const relation = found > header.columnIds.length ? "more than" : "fewer than";
  return new UserError(
    `${source}: line ${lines.lineNumber} has ${relation} the ${expected} cells of the header (line ${header.line}); ` +
      "correct the table.",
  );
}
