import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";

/** What the header of a `.npy` file says. */
export interface NpyHeader {
  readonly dtype: string;
  readonly bigEndian: boolean;
  /** Bytes of one element, and of one number in it (half an element for complex numbers, 4 for `str`). */
  readonly itemSize: number;
  readonly partSize: number;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  readonly dataOffset: number;
}

/** `\x93NUMPY` */
export const magic: readonly number[] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Parses the header; the format is NumPy Enhancement Proposal 1 and its versions 2 and 3.
 * @throws UserError for another format, a damaged header or a type that cannot be read.
 */
export function parseNpyHeader(bytes: Uint8Array, source: string): NpyHeader {
  if (!magic.every((byte, i) => bytes[i] === byte)) {
    throw new UserError(
      `${source} is not a .npy file (it does not begin with \\x93NUMPY); save it with numpy.save.`,
    );
  }
  const damaged = (what: string): UserError =>
    new UserError(`${source} is a damaged .npy file: ${what}; copy or make it again.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (version === undefined || bytes.length < 12) throw damaged("its header is truncated");
  if (version < 1 || version > 3) {
    throw new UserError(
      `${source} is a .npy file of version ${version}, but only 1 to 3 are known; save it anew.`,
    );
  }
  const start = version === 1 ? 10 : 12;
  const size = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataOffset = start + size;
  if (dataOffset > bytes.length) throw damaged("its header is truncated");

  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(start, dataOffset));
  const description = /['"]descr['"]\s*:\s*(?:['"]([^'"]*)['"]|\[)/.exec(text);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  const shapeText = /['"]shape['"]\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (description === null || order === undefined || shapeText === undefined) {
    throw damaged("its header does not state descr, fortran_order and shape");
  }
  if (description[1] === undefined) {
    throw new UserError(`${source} is a structured array; save one plain array of numbers.`);
  }
  const shape = shapeText
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => Number.parseInt(part, 10));
  const type = parseType(description[1], source);
  return { ...type, fortranOrder: order === "True", shape, dataOffset };
}

type ElementType = Pick<NpyHeader, "dtype" | "bigEndian" | "itemSize" | "partSize">;

const families: Readonly<Record<string, { name: string; sizes: readonly number[] }>> = {
  b: { name: "bool", sizes: [1] },
  i: { name: "int", sizes: [1, 2, 4, 8] },
  u: { name: "uint", sizes: [1, 2, 4, 8] },
  f: { name: "float", sizes: [2, 4, 8] },
  c: { name: "complex", sizes: [8, 16] },
};

function parseType(description: string, source: string): ElementType {
  const [, order, kind, sizeText] = /^([<>|=]?)([?a-zA-Z])(\d*)$/.exec(description) ?? [];
  const bigEndian = order === ">";
  const size = Number(sizeText);
  if (size === 0 && kind !== undefined && "SaU".includes(kind) && sizeText !== "")
    throw new UserError(`${source} holds texts of no letters; save texts that have some.`);
  if (kind === "S" || kind === "a") return { dtype: "bytes", bigEndian: false, itemSize: size, partSize: 1 };
  if (kind === "U") return { dtype: "str", bigEndian, itemSize: 4 * size, partSize: 4 };
  if (kind === "?") return { dtype: "bool", bigEndian: false, itemSize: 1, partSize: 1 };
  const family = families[kind ?? ""];
  if (!family?.sizes.includes(size)) {
    const what =
      kind === "O"
        ? "Python objects, which may run code when they are read"
        : `the type ${quote(description)}`;
    throw new UserError(
      `${source} holds ${what}; save an array of plain numbers (numpy.asarray(x, dtype=float)).`,
    );
  }
  const dtype = family.name === "bool" ? "bool" : `${family.name}${8 * size}`;
  return { dtype, bigEndian, itemSize: size, partSize: kind === "c" ? size / 2 : size };
}
