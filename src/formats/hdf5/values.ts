import { isUtf8 } from "node:buffer";
import type { Hdf5Bytes } from "./byteReader.ts";
import type { GlobalHeap } from "./globalHeap.ts";
import type { Datatype, TextPadding } from "./types.ts";

/** Numbers as the file stores them; 64-bit integers become doubles, which they must fit exactly. */
export type Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

const integerArrays = {
  1: [Uint8Array, Int8Array],
  2: [Uint16Array, Int16Array],
  4: [Uint32Array, Int32Array],
} as const;

/**
 * `bytes` must be memory of its own: it becomes the result where it can. `first` is the number of its first
 * value.
 */
export function decodeNumbers(
  file: Hdf5Bytes,
  bytes: Uint8Array,
  type: Datatype,
  where: string,
  first = 0,
): Numbers {
  if (type.kind !== "integer" && type.kind !== "float") {
    throw file.unsupported(`${where} holds ${describeType(type)} instead of numbers`, "write it as numbers");
  }
  if (type.bigEndian) {
    for (let i = 0; i < bytes.length; i += type.size) bytes.subarray(i, i + type.size).reverse();
  }
  const { buffer, byteOffset } = bytes;
  const length = bytes.length / type.size;
  if (type.kind === "float") {
    return type.size === 4
      ? new Float32Array(buffer as ArrayBuffer, byteOffset, length)
      : new Float64Array(buffer as ArrayBuffer, byteOffset, length);
  }
  if (type.size === 8) return decodeInteger64(file, bytes, type.signed, where, first);
  const arrayType = integerArrays[type.size as 1 | 2 | 4][type.signed ? 1 : 0];
  return new arrayType(buffer as ArrayBuffer, byteOffset, length);
}

function decodeInteger64(
  file: Hdf5Bytes,
  bytes: Uint8Array,
  signed: boolean,
  where: string,
  first: number,
): Float64Array {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const out = new Float64Array(bytes.length / 8);
  for (let i = 0; i < out.length; i++) {
    const high = words[2 * i + 1];
    const value = (signed ? high | 0 : high) * 2 ** 32 + words[2 * i];
    if (!Number.isSafeInteger(value)) {
      throw file.unsupported(
        `${where} holds a 64-bit integer beyond 2^53 (value ${first + i + 1})`,
        "check the value",
      );
    }
    out[i] = value;
  }
  return out;
}

/** Decodes fixed-length or variable-length text, whose bytes must be UTF-8. */
export function decodeTexts(
  file: Hdf5Bytes,
  heap: GlobalHeap,
  bytes: Uint8Array,
  type: Datatype,
  where: string,
): string[] {
  if (type.kind === "fixedText") return decodeFixedTexts(file, bytes, type.size, type.padding, where);
  if (type.kind === "variableText") return decodeVariableTexts(file, heap, bytes, type.size, where);
  throw file.unsupported(`${where} holds ${describeType(type)} instead of text`, "write it as text");
}

function decodeFixedTexts(
  file: Hdf5Bytes,
  bytes: Uint8Array,
  size: number,
  padding: TextPadding,
  where: string,
): string[] {
  const decode = textDecoder(file, where);
  const texts = new Array<string>(bytes.length / size);
  for (let i = 0; i < texts.length; i++) {
    const start = i * size;
    let end = start;
    while (end < start + size && bytes[end] !== 0) end++;
    // Behind a terminator anything may stand; everywhere else a NUL within the text is refused.
    if (padding === "blanks") while (end > start && bytes[end - 1] === 0x20) end--;
    texts[i] = decode(bytes.subarray(start, padding === "nulls" ? start + size : end), i);
  }
  return texts;
}

function decodeVariableTexts(
  file: Hdf5Bytes,
  heap: GlobalHeap,
  references: Uint8Array,
  size: number,
  where: string,
): string[] {
  const decode = textDecoder(file, where);
  const cursor = { address: -1, places: [] as readonly number[] };
  const view = new DataView(references.buffer, references.byteOffset, references.length);
  const texts = new Array<string>(references.length / size);
  let budget = file.length;
  for (let i = 0; i < texts.length; i++) {
    const at = i * size;
    const length = view.getUint32(at, true);
    if (length === 0) {
      texts[i] = "";
      continue;
    }
    const address =
      size === 16
        ? view.getUint32(at + 4, true) + view.getUint32(at + 8, true) * 2 ** 32
        : view.getUint32(at + 4, true);
    if (address !== cursor.address) {
      cursor.address = address;
      cursor.places = heap.collection(address);
    }
    const index = view.getUint32(at + size - 4, true);
    const start = cursor.places[2 * index];
    const end = cursor.places[2 * index + 1];
    if (start === undefined || end === undefined || start + length > end) {
      throw file.damaged(`text ${i + 1} of ${where} lies outside its heap`);
    }
    // No two texts share their bytes, so that together they are no longer than the file.
    budget -= length;
    if (budget < 0) throw file.damaged(`the texts of ${where} are longer than the file`);
    texts[i] = decode(file.slice(start, length), i);
  }
  return texts;
}

/** A function that decodes bytes without the NULs at their end, quick for the usual case of short ASCII. */
function textDecoder(file: Hdf5Bytes, where: string) {
  return (bytes: Uint8Array, number: number): string => {
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    if (text.includes("\0")) {
      text = text.replace(/\0+$/, "");
      if (text.includes("\0")) throw file.damaged(`text ${number + 1} of ${where} contains a NUL`);
    }
    if (text.includes("\ufffd") && !isUtf8(bytes)) {
      throw file.damaged(`text ${number + 1} of ${where} is not UTF-8`);
    }
    return text;
  };
}

function describeType(type: Datatype): string {
  switch (type.kind) {
    case "integer":
    case "float":
      return "numbers";
    case "fixedText":
    case "variableText":
      return "text";
    default:
      return `values of type ${type.name}`;
  }
}
