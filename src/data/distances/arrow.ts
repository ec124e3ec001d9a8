import type { TypeMap } from "apache-arrow";
import {
  Field,
  FixedSizeList,
  Float32,
  Float64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import type { SquareMatrix } from "./write.ts";

/** Bytes of the distances in one record batch. */
const batchBytes = 2 ** 24;

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
 * Writes an Arrow IPC file with a row for each sample: its `id`, and its `distances` to all samples as a list
 * of fixed length, in the order of the rows.
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
