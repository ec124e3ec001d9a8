import { isUtf8 } from "node:buffer";
import { decodeText } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { ByteLines } from "../../formats/byteLines.ts";
import { checkIds } from "../checkIds.ts";
import { transposeCsr } from "./csr.ts";
import { CsrBuilder } from "./csrBuilder.ts";
import type { TableReading } from "./reading.ts";
import type { Table } from "./table.ts";

/** Names, in lower case, of a last column that describes ASVs instead of counting them. */
const metadataNames = [
  "taxonomy",
  "consensus lineage",
  "consensuslineage",
  "otu metadata",
  "lineage",
  "taxon",
  "sequence",
];
/** First cells, in lower case and without "#", of tables with samples in rows. */
const sampleLabels = [
  "sampleid",
  "sample id",
  "sample-id",
  "sample_id",
  "sample",
  "samples",
  "sample name",
  "sample-name",
];
const sequencePattern = /^[ACGTUN]{20,}$/i;

interface Header {
  readonly label: string;
  readonly columnIds: readonly string[];
  readonly lastIsMetadata: boolean;
}

/**
 * Reads a classic table: tab-separated, one row per ASV, one column per sample, as `biom convert --to-tsv`, QIIME 1
 * and R write it. Comment lines before the header and a last column of taxonomy are skipped. Tables whose rows are
 * samples, as DADA2 makes them, are recognised by their first cell or by sequences for column names.
 * @throws UserError naming line and column.
 */
export function readClassicTable(bytes: Uint8Array, source: string): TableReading {
  if (!isUtf8(bytes)) decodeText(bytes, source);
  const lines = new ByteLines(bytes);
  const header = readHeader(lines, source);
  const notes: string[] = [];
  const rowIds: string[] = [];
  const cells = new CsrBuilder();
  const columns = header.columnIds.length;
  do {
    if (lines.isBlank()) continue;
    rowIds.push(unquoted(lines.text(lines.cell())));
    for (let column = 0; column < columns; column++) {
      const cell = lines.cell();
      if (!cell) throw wrongWidth(lines, header, column, source);
      const count = lines.number(cell);
      if (!(count >= 0)) throw badCount(lines, header, column, lines.text(cell), source);
      if (count !== 0) cells.add(column, count);
    }
    if (header.lastIsMetadata) lines.cell();
    if (lines.cell()) throw wrongWidth(lines, header, columns + 1, source);
    cells.endRow();
  } while (lines.next());

  const rowsAreSamples =
    sampleLabels.includes(header.label.replace(/^#\s*/, "").toLowerCase()) ||
    (header.columnIds.every((id) => sequencePattern.test(id)) &&
      !rowIds.every((id) => sequencePattern.test(id)));
  const [sampleIds, asvIds] = rowsAreSamples ? [rowIds, header.columnIds] : [header.columnIds, rowIds];
  if (rowsAreSamples) notes.push("its rows are samples and its columns ASVs");
  checkIds(sampleIds, "sample", source);
  checkIds(asvIds, "ASV", source);
  const byRow = cells.csr();
  const table: Table = { sampleIds, asvIds, ...(rowsAreSamples ? byRow : transposeCsr(byRow, columns)) };
  return { table, format: "classic table (TSV)", notes };
}

/** Leaves `lines` at the first row of counts. */
function readHeader(lines: ByteLines, source: string): Header {
  const notATable = (what: string) =>
    new UserError(
      `${source} is no feature table (${what}); give a BIOM file, or a tab-separated table with one row per ASV ` +
        `and one column per sample.`,
    );
  let names: string[] | undefined;
  let hasRow = false;
  while ((hasRow = lines.next())) {
    if (lines.isBlank()) continue;
    const isComment = lines.startsWith("#");
    if (!isComment && names) break;
    const cells = lines.allCells().map(unquoted);
    // The last comment with tabs is the header; without one the first line is.
    if (cells.length > 1) names = cells;
    else if (!isComment) throw notATable(`line ${lines.lineNumber} has no tabs`);
  }
  if (!names) throw notATable("it has no header");
  if (!hasRow) throw notATable("it has a header but no rows");
  const row = lines.allCells();
  // R leaves out the name of the column of row names.
  const [label, columnIds] = row.length === names.length + 1 ? ["", names] : [names[0]!, names.slice(1)];
  const lastName = columnIds.at(-1)!;
  const lastIsMetadata = metadataNames.includes(lastName.toLowerCase()) || isDescription(row.at(-1)!);
  return { label, columnIds: lastIsMetadata ? columnIds.slice(0, -1) : columnIds, lastIsMetadata };
}

/** Whether a cell is text that cannot be meant as a count, such as a lineage. */
function isDescription(cell: string): boolean {
  return /[a-z]{2}.*[_;|: ]|__|;/i.test(cell) && Number.isNaN(Number(cell));
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
  return new UserError(
    `${source}: line ${lines.lineNumber}, column ${column + 2} (${quote(header.columnIds[column])}) is ` +
      `${quote(found)}, expected a count; correct the table.`,
  );
}

function wrongWidth(lines: ByteLines, header: Header, found: number, source: string): UserError {
  const expected = header.columnIds.length + (header.lastIsMetadata ? 2 : 1);
  const relation = found > header.columnIds.length ? "more than" : "fewer than";
  return new UserError(
    `${source}: line ${lines.lineNumber} has ${relation} the ${expected} cells of the header; correct the table.`,
  );
}
