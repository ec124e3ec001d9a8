import { decodeText } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { checkIds } from "../checkIds.ts";
import { SparseBuilder } from "./sparseBuilder.ts";
import type { TableReading } from "./table.ts";

type Json = Record<string, unknown>;

/** Reads a BIOM 1.0 file: JSON, sparse (`[row, column, count]` triples) or dense (one list per ASV). */
export function readBiomJson(bytes: Uint8Array, source: string): TableReading {
  const document = parseJson(decodeText(bytes, source), source);
  const asvIds = readIds(document["rows"], "rows", "ASV", source);
  const sampleIds = readIds(document["columns"], "columns", "sample", source);
  const { shape, data } = document;
  if (
    !Array.isArray(shape) ||
    shape.length !== 2 ||
    shape[0] !== asvIds.length ||
    shape[1] !== sampleIds.length
  ) {
    throw new UserError(
      `${source}: "shape" is ${quote(shape)}, but there are ${asvIds.length} rows and ` +
        `${sampleIds.length} columns; the file was written wrongly, make it anew.`,
    );
  }
  if (!Array.isArray(data)) {
    throw new UserError(`${source} has no list "data", so it is no BIOM 1.0 table; give a BIOM file.`);
  }
  const notes: string[] = [];
  const builder = new SparseBuilder(asvIds, sampleIds, source);
  if (isSparse(document["matrix_type"], data, asvIds.length, sampleIds.length, notes, source)) {
    addTriples(builder, data, asvIds.length, sampleIds.length, source);
  } else addRows(builder, data, asvIds.length, sampleIds.length, source);
  return { table: builder.table(), format: "BIOM 1.0 (JSON)", notes };
}

function parseJson(text: string, source: string): Json {
  let parsed: unknown;
  try {
    parsed = parseWithNan(text);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(
      `${source} starts like a BIOM 1.0 table but is no valid JSON (${what}); make it anew.`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || !("rows" in parsed) || !("columns" in parsed)) {
    throw new UserError(
      `${source} is JSON but no BIOM 1.0 table (it lacks "rows" and "columns"); give a BIOM file.`,
    );
  }
  return parsed as Json;
}

/**
 * `JSON.parse` that takes the NaN and Infinity which Python's json writes for null: in unused metadata they
 * do no harm, and as counts or ids they are refused as null is.
 */
function parseWithNan(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : "null",
    );
    if (plain === text) throw cause;
    return JSON.parse(plain);
  }
}

function readIds(entries: unknown, name: string, kind: "sample" | "ASV", source: string): string[] {
  if (!Array.isArray(entries)) throw new UserError(`${source}: "${name}" is no list; make the file anew.`);
  const ids = entries.map((entry: unknown, i) => {
    const id = typeof entry === "object" && entry !== null ? (entry as Json)["id"] : undefined;
    if (typeof id !== "string") {
      throw new UserError(`${source}: ${name}[${i}] has no text "id"; make the file anew.`);
    }
    return id;
  });
  checkIds(ids, kind, `${source}: ${name}`);
  return ids;
}

/** Some writers leave "matrix_type" out; then the shape of "data" decides, if it can. */
function isSparse(
  type: unknown,
  data: readonly unknown[],
  rows: number,
  columns: number,
  notes: string[],
  source: string,
): boolean {
  if (type === "sparse" || type === "dense") return type === "sparse";
  if (type !== undefined) {
    throw new UserError(`${source}: "matrix_type" is ${quote(type)}, expected "sparse" or "dense".`);
  }
  const allHave = (n: number) => data.every((entry) => Array.isArray(entry) && entry.length === n);
  const maybeDense = data.length === rows && allHave(columns);
  const maybeSparse = allHave(3);
  if (maybeDense === maybeSparse && data.length > 0) {
    throw new UserError(
      `${source} has no "matrix_type", and its data could be ${maybeDense ? "sparse or dense" : "neither kind"}; ` +
        `add "matrix_type": "sparse" or "dense".`,
    );
  }
  notes.push(`"matrix_type" is absent; read as ${maybeSparse ? "sparse" : "dense"}`);
  return maybeSparse;
}

function addTriples(
  builder: SparseBuilder,
  data: readonly unknown[],
  rows: number,
  columns: number,
  source: string,
): void {
  for (let i = 0; i < data.length; i++) {
    const entry = data[i];
    if (!Array.isArray(entry) || entry.length !== 3) {
      throw new UserError(`${source}: data[${i}] is no [row, column, count] triple; make the file anew.`);
    }
    const [row, column, count] = entry as unknown[];
    if (!isIndex(row, rows) || !isIndex(column, columns)) {
      throw new UserError(
        `${source}: data[${i}] points to row ${quote(row)} and column ${quote(column)} of a ` +
          `${rows} x ${columns} table; the file was written wrongly, make it anew.`,
      );
    }
    if (!builder.add(row, column, count)) throw builder.badCount(row, column, count, `data[${i}]`);
  }
}

function addRows(
  builder: SparseBuilder,
  data: readonly unknown[],
  rows: number,
  columns: number,
  source: string,
): void {
  if (data.length !== rows) {
    throw new UserError(`${source}: "data" has ${data.length} rows instead of ${rows}; make the file anew.`);
  }
  for (let row = 0; row < rows; row++) {
    const counts = data[row];
    if (!Array.isArray(counts) || counts.length !== columns) {
      const found = Array.isArray(counts) ? `${counts.length} counts` : "no list";
      throw new UserError(
        `${source}: data[${row}] has ${found} instead of ${columns} counts; make the file anew.`,
      );
    }
    for (let column = 0; column < columns; column++) {
      const count: unknown = counts[column];
      if (!builder.add(row, column, count))
        throw builder.badCount(row, column, count, `data[${row}][${column}]`);
    }
  }
}

function isIndex(value: unknown, size: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < size;
}
