import type { Data, DataType } from "apache-arrow";
import { Dictionary, Field, Float64, Int32, List, makeData, Utf8, Vector } from "apache-arrow";
import type { Column } from "./column.ts";
import { missingValues } from "./column.ts";

/** A field without missing values. */
export function field(name: string, type: DataType): Field {
  return new Field(name, type, false);
}

/** Lists of any length, without missing values. */
export function listOf(type: DataType): List {
  return new List(new Field("item", type, false));
}

/** A column of numbers whose memory is `data`. */
export function numbers(type: DataType, data: ArrayBufferView & { length: number }): Data {
  return makeData({ type, length: data.length, nullCount: 0, data } as never);
}

/** A column of lists: row `i` is `valueOffsets[i] .. valueOffsets[i + 1]` of `child`. */
export function lists(valueOffsets: Int32Array, child: Data): Data {
  return makeData({
    type: listOf(child.type),
    length: valueOffsets.length - 1,
    nullCount: 0,
    valueOffsets,
    child,
  });
}

/** A column of texts. */
export function texts(values: readonly string[]): Data<Utf8> {
  const valueOffsets = new Int32Array(values.length + 1);
  for (let i = 0; i < values.length; i++)
    valueOffsets[i + 1] = valueOffsets[i] + Buffer.byteLength(values[i]);
  const data = Buffer.from(values.join(""));
  return makeData({ type: new Utf8(), length: values.length, nullCount: 0, valueOffsets, data });
}

/**
 * A metadata column; texts become a dictionary, numbered `index` among the file's,
 * whose missing codes stay -1.
 */
export function columnData(column: Column, index: number): Data {
  if (column.kind === "numeric") return numbers(new Float64(), column.values);
  const { codes, categories } = column;
  const nullBitmap = new Uint8Array(Math.ceil(codes.length / 8));
  for (let i = 0; i < codes.length; i++) if (codes[i] >= 0) nullBitmap[i >> 3] |= 1 << (i & 7);
  return makeData({
    type: new Dictionary(new Utf8(), new Int32(), index),
    length: codes.length,
    nullCount: missingValues(column),
    nullBitmap,
    data: codes,
    dictionary: new Vector([texts(categories)]),
  });
}
