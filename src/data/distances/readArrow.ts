import type { Table, Vector } from "apache-arrow";
import { DataType, tableFromIPC } from "apache-arrow";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { registerCodecs } from "../../formats/arrow/codecs.ts";
import { verifyArrowFile } from "../../formats/arrow/verify.ts";
import type { NamedArray, NamedArrays } from "../../formats/namedArrays.ts";

const magic = new TextEncoder().encode("ARROW1");

/** Whether some bytes are an Arrow IPC file. */
export function isArrow(bytes: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/**
 * The matrix in an Arrow file (Feather 2), as the arrays `distances` and `ids`: a column of texts `id` and
 * one of lists `distances`, as `writeSquareArrow` has it, whatever kinds of texts and lists; or a data frame
 * with a column of ids and a column of numbers for each of them, as pandas and polars write a square matrix.
 * Packed with LZ4, zstd or not.
 * @throws UserError for a damaged file and for another layout.
 */
export function openArrowArrays(bytes: Uint8Array, source: string): NamedArrays {
  let columns: Columns;
  try {
    verifyArrowFile(bytes);
    registerCodecs();
    columns = readColumns(tableFromIPC(bytes), source);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${source} is a damaged Arrow file; copy or make it again.`);
  }
  const { ids, width, values } = columns;
  const arrays: Record<string, NamedArray> = {
    ids: { source: `${source} (ids)`, shape: [ids.length], values: ids },
    distances: { source: `${source} (distances)`, shape: [ids.length, width], values },
  };
  return { names: Object.keys(arrays), has: (name) => name in arrays, get: (name) => arrays[name] };
}

interface Columns {
  readonly ids: readonly string[];
  /** Distances in each row. */
  readonly width: number;
  readonly values: Float32Array | Float64Array;
}

function readColumns(table: Table, source: string): Columns {
  const names = table.schema.fields.map(({ name }) => name);
  const lists = table.getChild("distances");
  const idName = ["id", "ids", "sample_id", ""].find(
    (name) => names.includes(name) && isText(table.getChild(name)),
  );
  const ids = table.getChild(idName ?? names.find((name) => isText(table.getChild(name))) ?? "");
  if (!isText(ids)) throw otherLayout(source);
  refuseNulls(ids, source);
  const texts = Array.from(ids, String);
  if (isList(lists)) return { ids: texts, ...fromLists(lists, texts.length, source) };
  return { ids: texts, ...fromFrame(table, texts, source) };
}

function otherLayout(source: string): UserError {
  return new UserError(
    `${source} is an Arrow file, but not one of distances: it needs the columns "id" (text) and "distances" (lists of numbers, one for each sample), ` +
      "or a column of ids and one of numbers for each id.",
  );
}

function isText(vector: Vector | null): vector is Vector {
  if (vector === null) return false;
  const { type } = vector;
  const values: unknown = DataType.isDictionary(type) ? type.dictionary : type;
  return [DataType.isUtf8, DataType.isLargeUtf8, DataType.isUtf8View].some((is) => is(values));
}

function isList(vector: Vector | null): vector is Vector {
  const type: unknown = vector?.type;
  if (!DataType.isFixedSizeList(type) && !DataType.isList(type) && !DataType.isLargeList(type)) return false;
  return DataType.isFloat(type.children[0].type);
}

function refuseNulls(vector: Vector, source: string): void {
  const hasNulls = vector.data.some(
    (data) => data.nullCount > 0 || data.children.some((child) => child.nullCount > 0),
  );
  if (hasNulls) {
    throw new UserError(
      `${source} has rows or distances that are null; fill them in, or leave these samples out.`,
    );
  }
}

function fromLists(lists: Vector, rows: number, source: string): Omit<Columns, "ids"> {
  refuseNulls(lists, source);
  let values: Float32Array | Float64Array | undefined;
  let width = 0;
  for (let row = 0; row < rows; row++) {
    const list = (lists.get(row) as Vector).toArray() as Float32Array | Float64Array;
    if (values === undefined) {
      width = list.length;
      values = list instanceof Float32Array ? new Float32Array(width * rows) : new Float64Array(width * rows);
    }
    if (list.length !== width) {
      throw new UserError(
        `${source}: row ${row + 1} has ${list.length} distances where row 1 has ${width}; the matrix is damaged or not square.`,
      );
    }
    values.set(list, width * row);
  }
  return { width, values: values ?? new Float64Array() };
}

/** A column of numbers for each id; other columns, such as an index, do not count. */
function fromFrame(table: Table, ids: readonly string[], source: string): Omit<Columns, "ids"> {
  const columns = ids.map((id) => table.getChild(id));
  const lacking = columns.findIndex((column) => column === null || !DataType.isFloat(column.type));
  if (lacking === 0 || ids.length === 0) throw otherLayout(source);
  if (lacking > 0) {
    throw new UserError(
      `${source} has a row of ${quote(ids[lacking])} but no column of numbers of that name; rows and columns must be the same samples.`,
    );
  }
  const size = ids.length;
  const values = new Float64Array(size * size);
  for (const [j, column] of columns.entries()) {
    refuseNulls(column!, source);
    const numbers = column!.toArray() as ArrayLike<number>;
    for (let i = 0; i < size; i++) values[i * size + j] = numbers[i];
  }
  return { width: size, values };
}
