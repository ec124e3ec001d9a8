import type { ByteSource } from "../../common/files/byteSource.ts";
import { refuseNoUtf8 } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { JsonParts, type JsonPlace } from "../../formats/jsonParts.ts";
import { checkIds } from "../checkIds.ts";
import { SparseBuilder } from "./sparseBuilder.ts";
import type { TableReading } from "./table.ts";

/** The lists that may be long. */
const longLists = ["rows", "columns", "data"];

/**
 * Reads a BIOM 1.0 file: JSON, sparse (`[row, column, count]` triples) or dense (one list per ASV). Little of
 * it is in memory at a time, and of rows and columns only their ids stay there.
 */
export function readBiomJson(bytes: ByteSource, source: string): TableReading {
  refuseNoUtf8(bytes, source);
  try {
    const document = openDocument(new JsonParts(bytes));
    try {
      return readDocument(document, source);
    } catch (cause) {
      // What is no JSON is told first, wherever it stands.
      for (const value of document.values()) checkJson(value);
      throw cause;
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new UserError(
      `${source} starts like a BIOM 1.0 table but is no valid JSON (${cause.message}); make it anew.`,
    );
  }
}

/** A list in the file, which is parsed again whenever it is gone through. */
class List {
  readonly #parts: JsonParts;
  readonly #place: JsonPlace;

  constructor(parts: JsonParts, place: JsonPlace) {
    this.#parts = parts;
    this.#place = place;
  }

  *[Symbol.iterator](): Generator<unknown> {
    for (const values of this.#parts.elements(this.#place)) yield* values;
  }
}

function checkJson(value: unknown): void {
  if (value instanceof List) for (const _ of value);
}

/** Of several values of a key the last one counts. */
function openDocument(parts: JsonParts): Map<string, unknown> {
  const document = new Map<string, unknown>();
  for (const [key, place] of parts.members()) {
    checkJson(document.get(key));
    const isLong = longLists.includes(key) && parts.isList(place);
    document.set(key, isLong ? new List(parts, place) : parts.value(place));
  }
  return document;
}

function readDocument(document: ReadonlyMap<string, unknown>, source: string): TableReading {
  if (!document.has("rows") || !document.has("columns")) {
    throw new UserError(
      `${source} is JSON but no BIOM 1.0 table (it lacks "rows" and "columns"); give a BIOM file.`,
    );
  }
  const asvIds = readIds(document.get("rows"), "rows", "ASV", source);
  const sampleIds = readIds(document.get("columns"), "columns", "sample", source);
  const [shape, data] = [document.get("shape"), document.get("data")];
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
  if (!(data instanceof List)) {
    throw new UserError(`${source} has no list "data", so it is no BIOM 1.0 table; give a BIOM file.`);
  }
  const notes: string[] = [];
  const builder = new SparseBuilder(asvIds, sampleIds, source);
  if (isSparse(document.get("matrix_type"), data, asvIds.length, sampleIds.length, notes, source)) {
    addTriples(builder, data, asvIds.length, sampleIds.length, source);
  } else addRows(builder, data, asvIds.length, sampleIds.length, source);
  return { table: builder.table(), format: "BIOM 1.0 (JSON)", notes };
}

function readIds(entries: unknown, name: string, kind: "sample" | "ASV", source: string): string[] {
  if (!(entries instanceof List)) throw new UserError(`${source}: "${name}" is no list; make the file anew.`);
  const ids: string[] = [];
  for (const entry of entries) {
    const id = typeof entry === "object" && entry !== null ? (entry as { id?: unknown }).id : undefined;
    if (typeof id !== "string") {
      throw new UserError(`${source}: ${name}[${ids.length}] has no text "id"; make the file anew.`);
    }
    ids.push(id);
  }
  checkIds(ids, kind, `${source}: ${name}`);
  return ids;
}

/** Some writers leave "matrix_type" out; then the shape of "data" decides, if it can. */
function isSparse(
  type: unknown,
  data: Iterable<unknown>,
  rows: number,
  columns: number,
  notes: string[],
  source: string,
): boolean {
  if (type === "sparse" || type === "dense") return type === "sparse";
  if (type !== undefined) {
    throw new UserError(`${source}: "matrix_type" is ${quote(type)}, expected "sparse" or "dense".`);
  }
  let length = 0;
  let [maybeDense, maybeSparse] = [true, true];
  for (const entry of data) {
    length++;
    const width = Array.isArray(entry) ? entry.length : undefined;
    maybeDense &&= width === columns;
    maybeSparse &&= width === 3;
  }
  maybeDense &&= length === rows;
  if (maybeDense === maybeSparse && length > 0) {
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
  data: Iterable<unknown>,
  rows: number,
  columns: number,
  source: string,
): void {
  let i = 0;
  for (const entry of data) {
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
    i++;
  }
}

function addRows(
  builder: SparseBuilder,
  data: Iterable<unknown>,
  rows: number,
  columns: number,
  source: string,
): void {
  let length = 0;
  for (const counts of data) {
    const row = length++;
    // How many there are is told at the end.
    if (row >= rows) continue;
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
  if (length !== rows)
    throw new UserError(`${source}: "data" has ${length} rows instead of ${rows}; make the file anew.`);
}

function isIndex(value: unknown, size: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < size;
}
