import type { TypeMap } from "apache-arrow";
import {
  DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  tableFromIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import { verifyArrowFile } from "../../formats/arrow/verify.ts";
import type { NamedArray, NamedArrays } from "../../formats/namedArrays.ts";
import type { SquareMatrix } from "./write.ts";

/** Bytes of the distances in one record batch. */
const batchBytes = 2 ** 24;
const magic = new TextEncoder().encode("ARROW1");

/** Keeps what the Arrow writer produces until it is taken. */
class PieceWriter extends RecordBatchFileWriter<TypeMap> {
  #pieces: Uint8Array[] = [];

  take(): Uint8Array[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  protected override _write(chunk: ArrayBufferView | ArrayBuffer): this {
    if (!this._started) return this;
    const bytes = ArrayBuffer.isView(chunk)
      ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : new Uint8Array(chunk);
    this.#pieces.push(bytes);
    this._position += bytes.length;
    return this;
  }
}

/**
 * Writes an Arrow IPC file with a row for each sample: its `id`, and its `distances` to all samples as a list of fixed
 * length, in the order of the rows.
 * @throws UserError if the file cannot be written.
 */
export function writeSquareArrow(path: string, matrix: SquareMatrix): void {
  writeFileAtomic(path, arrowPieces(matrix));
}

function* arrowPieces({ ids, precision, rows }: SquareMatrix): Generator<Uint8Array> {
  const size = ids.length;
  const number = precision === "float32" ? new Float32() : new Float64();
  const list = new FixedSizeList(size, new Field("distance", number));
  const schema = new Schema([new Field("id", new Utf8()), new Field("distances", list)]);
  const type = new Struct(schema.fields);
  const writer = new PieceWriter();
  writer.reset(undefined, schema);
  const rowsPerBatch = Math.max(1, Math.floor(batchBytes / (8 * Math.max(size, 1))));
  const source = rows()[Symbol.iterator]();
  for (let start = 0; start < size; start += rowsPerBatch) {
    const length = Math.min(rowsPerBatch, size - start);
    const values =
      precision === "float32" ? new Float32Array(length * size) : new Float64Array(length * size);
    for (let row = 0; row < length; row++) {
      const next = source.next();
      if (next.done) throw new RangeError(`There are ${start + row} rows for ${size} samples.`);
      values.set(next.value, row * size);
    }
    const child = makeData({ type: number, length: values.length, nullCount: 0, data: values });
    const children = [
      vectorFromArray(ids.slice(start, start + length), new Utf8()).data[0],
      makeData({ type: list, length, nullCount: 0, child }),
    ];
    writer.write(new RecordBatch(schema, makeData({ type, length, nullCount: 0, children })));
    yield* writer.take();
  }
  writer.finish();
  yield* writer.take();
}

/** Whether some bytes are an Arrow IPC file. */
export function isArrow(bytes: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/**
 * The matrix in an Arrow file of the layout of `writeSquareArrow`, as the arrays `distances` and `ids`.
 * @throws UserError for a damaged file and for another layout.
 */
export function openArrowArrays(bytes: Uint8Array, source: string): NamedArrays {
  const { ids, distances } = readColumns(bytes, source);
  const arrays: Record<string, NamedArray> = {
    ids: { source: `${source} (id)`, shape: [ids.length], values: ids },
    distances: {
      source: `${source} (distances)`,
      shape: [ids.length, distances.width],
      values: distances.values,
    },
  };
  return { names: Object.keys(arrays), has: (name) => name in arrays, get: (name) => arrays[name] };
}

interface Columns {
  readonly ids: readonly string[];
  readonly distances: { readonly width: number; readonly values: Float32Array | Float64Array };
}

function readColumns(bytes: Uint8Array, source: string): Columns {
  let table: ReturnType<typeof tableFromIPC>;
  try {
    verifyArrowFile(bytes);
    table = tableFromIPC(bytes);
  } catch {
    throw new UserError(`${source} is a damaged Arrow file; copy or make it again.`);
  }
  const [id, distances] = [table.getChild("id"), table.getChild("distances")];
  const type: unknown = distances?.type;
  const isList = type instanceof FixedSizeList && DataType.isFloat(type.children[0].type);
  if (!DataType.isUtf8(id?.type) || !isList) {
    throw new UserError(
      `${source} is an Arrow file, but not one of distances: it needs the columns "id" (text) and "distances" (lists of numbers, one for each sample).`,
    );
  }
  if (
    id.nullCount > 0 ||
    distances?.data.some(({ nullCount, children }) => nullCount > 0 || children[0].nullCount > 0)
  ) {
    throw new UserError(
      `${source} has rows or distances that are null; fill them in, or leave these samples out.`,
    );
  }
  const width = type.listSize;
  const isWhole = distances?.data.every(
    ({ children, length, offset }) => children[0].values.length >= width * (offset + length),
  );
  if (!isWhole) throw new UserError(`${source} is a damaged Arrow file; copy or make it again.`);
  const isSingle = type.children[0].type.precision === 1;
  const values = isSingle ? new Float32Array(width * table.numRows) : new Float64Array(width * table.numRows);
  let at = 0;
  for (const { children, length, offset } of distances?.data ?? []) {
    values.set(children[0].values.subarray(width * offset, width * (offset + length)), at);
    at += width * length;
  }
  return { ids: id?.toArray() as string[], distances: { width, values } };
}
