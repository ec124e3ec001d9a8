import { type Cursor, type Hdf5Bytes, nowhere } from "./byteReader.ts";

/** What follows a fixed-length text that is shorter: a NUL and then anything, only NULs, or only blanks. */
export type TextPadding = "terminated" | "nulls" | "blanks";
const paddings: readonly TextPadding[] = ["terminated", "nulls", "blanks"];

/** A dataset's or attribute's element type, as far as it is read here. */
export type Datatype =
  | { readonly kind: "integer"; readonly size: number; readonly signed: boolean; readonly bigEndian: boolean }
  | { readonly kind: "float"; readonly size: number; readonly bigEndian: boolean }
  | { readonly kind: "fixedText"; readonly size: number; readonly padding: TextPadding }
  | { readonly kind: "variableText"; readonly size: number }
  | { readonly kind: "other"; readonly size: number; readonly name: string };

const classNames = [
  "integer",
  "floating point",
  "time",
  "text",
  "bit field",
  "opaque",
  "compound",
  "reference",
  "enumeration",
  "variable-length",
  "array",
  "complex",
];

/**
 * Reads a datatype message (versions 1 to 5). Types of no use here become `other`, with a name for the error.
 */
export function readDatatype(body: Cursor): Datatype {
  const classAndVersion = body.u8();
  const bits = body.u8() | (body.u8() << 8) | (body.u8() << 16);
  const size = body.u32();
  if (size === 0) throw body.file.damaged("a type of 0 bytes");
  const typeClass = classAndVersion & 15;
  if (typeClass === 0) {
    const bitOffset = body.u16();
    const precision = body.u16();
    if ([1, 2, 4, 8].includes(size) && bitOffset === 0 && precision === 8 * size) {
      return { kind: "integer", size, signed: (bits & 8) !== 0, bigEndian: (bits & 1) !== 0 };
    }
    return { kind: "other", size, name: `integer of ${precision} bits in ${size} bytes` };
  }
  if (typeClass === 1) return readFloat(body, bits, size);
  const padding = paddings[bits & 15];
  if (typeClass === 3 && padding) return { kind: "fixedText", size, padding };
  if (typeClass === 9 && (bits & 15) === 1 && size === 8 + body.file.offsetSize)
    return { kind: "variableText", size };
  return { kind: "other", size, name: classNames[typeClass] ?? `class ${typeClass}` };
}

/** Only the IEEE formats of 4 and 8 bytes are read. */
function readFloat(body: Cursor, bits: number, size: number): Datatype {
  const layout = [
    body.u16(),
    body.u16(),
    body.u8(),
    body.u8(),
    body.u8(),
    body.u8(),
    body.u32(),
    (bits >> 8) & 255,
    bits & 0x70,
  ].join();
  const bigEndian = (bits & 1) !== 0;
  if (size === 4 && layout === "0,32,23,8,0,23,127,31,32") return { kind: "float", size, bigEndian };
  if (size === 8 && layout === "0,64,52,11,0,52,1023,63,32") return { kind: "float", size, bigEndian };
  return { kind: "other", size, name: `floating point of ${size} bytes` };
}

/**
 * Reads a dataspace message: the sizes of all dimensions, none for a scalar, `[0]` for the null dataspace.
 */
export function readDataspace(file: Hdf5Bytes, body: Cursor): number[] {
  const version = body.u8();
  const rank = body.u8();
  body.u8();
  if (version === 1) body.skip(5);
  else if (version === 2) {
    if (body.u8() === 2) return [0];
  } else throw file.damaged(`dataspace version ${version}`);
  if (rank > 32) throw file.damaged(`${rank} dimensions`);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) shape.push(body.length());
  if (shape.some((n) => n === nowhere || n > Number.MAX_SAFE_INTEGER))
    throw file.damaged("a dimension without end");
  return shape;
}
