import { UserError } from "../common/userError.ts";
import { openHdf5Bytes } from "./hdf5/read.ts";
import { decodeNpy } from "./npy/npy.ts";
import { openZip } from "./zip/read.ts";

/** An array of numbers or texts in a file of arrays. */
export interface NamedArray {
  /** Names file and array in errors. */
  readonly source: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number> | readonly string[];
}

/** The arrays of a file by name, decoded when asked for. */
export interface NamedArrays {
  has(name: string): boolean;
  get(name: string): NamedArray;
  /** All names, where the format lists them. */
  readonly names: readonly string[] | undefined;
}

/** Whether a zip archive is a QIIME 2 artifact (or means to be one) rather than an `.npz`. */
export function isArtifact(bytes: Uint8Array, source: string): boolean {
  return openZip(bytes, source).names.some((name) => name.endsWith("/metadata.yaml"));
}

/** The arrays of an `.npz` archive. @throws UserError for damage, when an array is asked for. */
export function openNpz(bytes: Uint8Array, source: string): NamedArrays {
  const zip = openZip(bytes, source);
  const names = zip.names.filter((name) => name.endsWith(".npy")).map((name) => name.slice(0, -4));
  if (names.length === 0) {
    throw new UserError(
      `${source} is a zip archive without arrays; give an .npz file, or a .qza of QIIME 2.`,
    );
  }
  return {
    names,
    has: (name) => names.includes(name),
    get: (name) => npyArray(zip.read(`${name}.npy`), `${source} (${name})`),
  };
}

/** One `.npy` file as an array. */
export function npyArray(bytes: Uint8Array, source: string): NamedArray {
  const { dtype, shape, values } = decodeNpy(bytes, source);
  if (dtype.startsWith("complex")) throw new UserError(`${source} holds complex numbers; save real ones.`);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return { source, shape, values: Float64Array.from(values as Iterable<unknown>, Number) };
  }
  return { source, shape, values };
}

/** The datasets at the top of an HDF5 file. */
export function openHdf5Arrays(bytes: Uint8Array, source: string): NamedArrays {
  const file = openHdf5Bytes(bytes, source);
  return {
    names: undefined,
    has: (name) => file.has(name),
    get(name) {
      const dataset = file.dataset(name);
      const isText = dataset.type.kind === "fixedText" || dataset.type.kind === "variableText";
      const values = isText ? dataset.texts() : dataset.numbers();
      return { source: `${source} (${name})`, shape: dataset.shape, values };
    },
  };
}

/** Sample ids among a file's arrays, if it has any: `order` in unifrac-binaries' layout, `ids` in others. */
export function idsIn(arrays: NamedArrays): string[] | undefined {
  for (const name of ["order", "ids", "sample_ids"]) {
    if (!arrays.has(name)) continue;
    const { values, source } = arrays.get(name);
    if (ArrayBuffer.isView(values) || !Array.isArray(values)) {
      throw new UserError(`${source} holds numbers instead of sample ids; write the ids as text.`);
    }
    const texts = values as string[];
    // What Python makes of bytes that were turned into text by mistake.
    return texts.every((id) => /^b'.*'$/.test(id)) ? texts.map((id) => id.slice(2, -1)) : texts;
  }
  return undefined;
}

/** Numbers of an array. @throws UserError if it holds text. */
export function numbersOf({ values, source }: NamedArray): ArrayLike<number> {
  if (Array.isArray(values)) throw new UserError(`${source} holds text instead of numbers; give numbers.`);
  return values as ArrayLike<number>;
}
