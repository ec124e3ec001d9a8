import { decodeText, gunzipIfNeeded, readFileBytes } from "../../common/files/inputFile.ts";
import { howToWrite, oddNumber } from "../../common/numberNotation.ts";
import { parseNumber } from "../../common/parseNumber.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type DelimitedRow, splitDelimited } from "../../formats/delimited.ts";
import { openQzaBytes } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { columnType } from "./columns.ts";
import type { Metadata, MetadataColumn } from "./metadata.ts";
import {
  type ColumnType,
  isDirective,
  isIdHeader,
  type MissingScheme,
  missingWords,
  readMissingDirective,
  readTypesDirective,
} from "./rules.ts";
import { farFromOthers, missingAsNumber, twoSpellings } from "./suspects.ts";

export type { Metadata, MetadataColumn };

/** Tables with a row for each sample or ASV, which QIIME 2 lets stand for metadata. */
const tablesInArtifacts = [
  "metadata.tsv",
  "taxonomy.tsv",
  "alpha-diversity.tsv",
  "predictions.tsv",
  "class_probabilities.tsv",
  "importance.tsv",
] as const;

/** Whether such a table names its column of ids; of the others it is the first, whatever it is called. */
const isNamed = (name: (typeof tablesInArtifacts)[number]) =>
  name === "metadata.tsv" || name === "taxonomy.tsv";

/**
 * Reads sample metadata: a `.tsv` file by QIIME 2's rules (or comma-separated if its name ends with `.csv` or
 * `.csv.gz`), gzipped or not, or a QIIME 2 artifact of metadata, taxonomy, diversities, predictions or
 * importance.
 * @throws UserError that names file, line and column.
 */
export function readMetadata(path: string): Metadata {
  const bytes = readFileBytes(path);
  if (isZip(bytes)) {
    const artifact = openQzaBytes(bytes, path);
    const name = tablesInArtifacts.find((candidate) => artifact.names.includes(candidate));
    if (name === undefined) {
      throw new UserError(
        `${path} is a QIIME 2 artifact of type ${artifact.type}, not metadata; give a .tsv file or one of type ImmutableMetadata.`,
      );
    }
    const source = `${path} (data/${name})`;
    const text = decodeText(artifact.file(name), source);
    return parseMetadata(isNamed(name) ? text : text.replace(/^[^\t\r\n]*/, "id"), source);
  }
  const delimiter = /\.csv(\.gz)?$/i.test(path) ? "," : "\t";
  return parseMetadata(decodeText(gunzipIfNeeded(bytes, path), path), path, delimiter);
}

/**
 * Like `readMetadata`, for text in memory. The rules are those of QIIME 2's metadata files: the first
 * cell of the header names the id column; rows that start with `#` are comments unless they are the
 * header or a `#q2:` directive; blank rows are skipped; rows may be shorter than the header (the rest
 * is missing), not longer.
 */
export function parseMetadata(text: string, source: string, delimiter: "\t" | "," = "\t"): Metadata {
  const warnings: string[] = [];
  let header: { idHeader: string; names: string[] } | undefined;
  let types = new Map<string, ColumnType>();
  let schemes = new Map<string, MissingScheme>();
  const body: DelimitedRow[] = [];
  for (const row of splitDelimited(text, delimiter, source)) {
    if (row.cells.every((cell) => cell === "")) continue;
    const first = row.cells[0];
    const where = `${source}, line ${row.line}`;
    if (header === undefined) {
      if (isIdHeader(first)) header = readHeader(row, where);
      else if (!first.startsWith("#") || isDirective(first)) throw notAHeader(row, where, delimiter);
    } else if (isDirective(first)) {
      if (body.length > 0) {
        throw new UserError(
          `${where}: the directive ${first} must stand directly below the header; move it up.`,
        );
      }
      const cells = row.cells.slice(1);
      const directive = first.toLowerCase();
      if (directive === "#q2:types") types = readTypesDirective(header.names, cells, where);
      else if (directive === "#q2:missing") schemes = readMissingDirective(header.names, cells, where);
      else warnings.push(`${where}: the directive ${first} is not known and was skipped.`);
    } else if (!first.startsWith("#")) {
      refuseSwallowedRows(row, delimiter, where);
      body.push(row);
    } else if (row.cells.filter((cell) => cell !== "").length > 1) {
      warnings.push(
        `${where}: the row of ${quote(first)} was skipped, as "#" begins a comment; if it is a sample, name it otherwise.`,
      );
    }
  }
  if (header === undefined) {
    throw new UserError(`${source} has no header; its first row must start with sample-id or #SampleID.`);
  }
  if (body.length === 0) throw new UserError(`${source} has a header but no samples; add at least one row.`);
  const ids = readIds(body, header.names.length, source);
  const columns = new Map<string, MetadataColumn>();
  for (const [index, name] of header.names.entries()) {
    const values = readValues(body, index + 1, name, schemes.get(name), source);
    columns.set(name, { name, values, declaredType: types.get(name) });
    if (types.get(name) === "numeric") refuseNonNumbers(columns.get(name)!, body, source);
  }
  for (const column of columns.values()) {
    warnings.push(...notationWarnings(column, body, source));
    const isNumeric = columnType(column) === "numeric";
    const suspect = isNumeric ? (missingAsNumber(column) ?? farFromOthers(column)) : twoSpellings(column);
    if (suspect !== undefined) warnings.push(`${source}, line ${body[suspect.row].line}: ${suspect.what}.`);
  }
  return { source, idHeader: header.idHeader, ids, columns, lines: body.map((row) => row.line), warnings };
}

function notAHeader(row: DelimitedRow, where: string, delimiter: string): UserError {
  const first = row.cells[0];
  const other = delimiter === "\t" ? "," : "\t";
  if (row.cells.length === 1 && isIdHeader(first.split(";")[0].trim()))
    return new UserError(
      `${where}: the columns are separated by semicolons; save the file with tabs, or with commas as .csv.`,
    );
  if (row.cells.length === 1 && isIdHeader(first.split(other)[0].trim())) {
    const cure =
      delimiter === "\t" ? "save it with tabs, or name it .csv" : "save it with commas, or name it .tsv";
    return new UserError(
      `${where}: the header is not separated by ${delimiter === "\t" ? "tabs" : "commas"}; ${cure}.`,
    );
  }
  return new UserError(
    `${where}: the header must start with the name of the id column (sample-id, #SampleID, sample_name, id ...), not ${quote(first)}; rename that column or put the ids first.`,
  );
}

function readHeader(row: DelimitedRow, where: string): { idHeader: string; names: string[] } {
  const last = row.cells.findLastIndex((cell) => cell !== "");
  const names = row.cells.slice(1, last + 1);
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name === "") {
      throw new UserError(`${where}: column ${index + 2} has no name; name it or remove the column.`);
    }
    if (seen.has(name))
      throw new UserError(`${where}: two columns are named ${quote(name)}; rename one of them.`);
    if (isIdHeader(name)) {
      throw new UserError(
        `${where}: column ${index + 2} is named ${quote(name)}, a name kept for the id column; rename it.`,
      );
    }
    seen.add(name);
  }
  return { idHeader: row.cells[0], names };
}

function readIds(body: readonly DelimitedRow[], columns: number, source: string): string[] {
  const lineOf = new Map<string, number>();
  for (const { line, cells } of body) {
    const id = cells[0];
    if (id === "") {
      throw new UserError(
        `${source}, line ${line}: the row has no id in its first cell; add it or remove the row.`,
      );
    }
    const before = lineOf.get(id);
    if (before !== undefined) {
      throw new UserError(
        `${source}, line ${line}: the id ${quote(id)} stands on line ${before} already; ids must be unique, remove one of the rows.`,
      );
    }
    if (cells.slice(columns + 1).some((cell) => cell !== "")) {
      throw new UserError(
        `${source}, line ${line}: the row of ${quote(id)} has ${cells.length} cells, but the header names ${columns + 1}; remove the surplus or name the columns.`,
      );
    }
    lineOf.set(id, line);
  }
  return [...lineOf.keys()];
}

function readValues(
  body: readonly DelimitedRow[],
  index: number,
  name: string,
  scheme: MissingScheme | undefined,
  source: string,
): (string | null)[] {
  const missing = missingWords(scheme);
  return body.map(({ line, cells }) => {
    const text = cells[index] ?? "";
    if (text !== "" && !missing.has(text.toLowerCase())) return text;
    if (scheme !== "no-missing") return null;
    throw new UserError(
      `${source}, line ${line}: ${quote(name)} is empty, but the file declares that it has no missing values; fill it in or remove the declaration.`,
    );
  });
}

function refuseNonNumbers(column: MetadataColumn, body: readonly DelimitedRow[], source: string): void {
  const row = column.values.findIndex((value) => value !== null && parseNumber(value) === undefined);
  if (row < 0) return;
  throw new UserError(
    `${source}, line ${body[row].line}: ${quote(column.name)} is ${quote(column.values[row])}, not a number, but #q2:types declares the column numeric; ${howToWrite(column.values[row]!)}, or correct the declaration.`,
  );
}

/** Says of a column that is text as it stands that its values are numbers in another notation. */
function notationWarnings(column: MetadataColumn, body: readonly DelimitedRow[], source: string): string[] {
  if (column.declaredType !== undefined) return [];
  const odd = oddNumber(column.values);
  if (odd === undefined) return [];
  return [
    `${source}, line ${body[odd.row].line}: ${quote(column.name)} was taken for text, but its values are numbers with ${odd.what}, ` +
      `such as ${quote(odd.value)}; if they are meant as numbers, write ${odd.cure}.`,
  ];
}

/**
 * A quotation mark that opens a cell by mistake takes all up to the next one into the cell, rows included.
 */
function refuseSwallowedRows(row: DelimitedRow, delimiter: string, where: string): void {
  const cell = row.cells.find((text) => text.includes(delimiter) && /[\r\n]/.test(text));
  if (cell === undefined || delimiter !== "\t") return;
  throw new UserError(
    `${where}: a cell that begins with a quotation mark (${quote(cell)}) goes on over line breaks and tabs to the next mark, ` +
      "and would take the rows between with it; remove or close the mark.",
  );
}
