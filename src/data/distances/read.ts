import { quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { idsIn, type NamedArray, type NamedArrays, numbersOf } from "../../formats/namedArrays.ts";
import { type CondenseOptions, Condenser, type Distances } from "./distances.ts";
import { onlyName, openNumbers } from "./openNumbers.ts";
import { parseDistanceText } from "./text.ts";

export interface ReadDistancesOptions extends CondenseOptions {
  /**
   * The sample of each row, or what names them given their number, for files that hold no ids. Files that
   * hold ids are never reordered by it.
   */
  readonly sampleOrder?: readonly string[] | ((rows: number) => readonly string[]);
}

const artifact = { type: "DistanceMatrix", file: "distance-matrix.tsv", meaning: "distances" };

/** Names under which files keep a square matrix, the usual ones first. */
const matrixNames = ["matrix", "matrix:0", "distances", "stripe_distances"];

/**
 * Reads a matrix of distances between samples: `.npy`, `.npz`, HDF5 (unifrac-binaries' `matrix` and
 * `order`, or `distances` or `stripe_distances`), Arrow (as `writeSquareArrow` has it), a square text
 * matrix (tabs, commas or blanks; gzipped or not), or a QIIME 2 artifact of type `DistanceMatrix`. The
 * content decides, not the name.
 * @throws UserError for a file that is missing, damaged or no matrix of distances (finite, at least 0,
 * symmetric, 0 on the diagonal), and for one without ids if `sampleOrder` is not given or does not fit.
 */
export function readDistances(path: string, options: ReadDistancesOptions = {}): Distances {
  const held = openNumbers(path, artifact);
  if ("array" in held) return fromArray(held.array, undefined, path, options);
  if ("arrays" in held) return fromArrays(held.arrays, path, options);
  return parseDistanceText(held.text, held.source, options);
}

function fromArrays(arrays: NamedArrays, path: string, options: ReadDistancesOptions): Distances {
  const name = matrixNames.find((candidate) => arrays.has(candidate)) ?? onlyName(arrays);
  if (name === undefined) {
    const held = arrays.names === undefined ? "" : ` (it holds ${quoteSome(arrays.names)})`;
    throw new UserError(
      `${path} holds no array named ${matrixNames.join(", ")}${held}; name the matrix "matrix" or "distances".`,
    );
  }
  return fromArray(arrays.get(name), idsIn(arrays), path, options);
}

function fromArray(
  array: NamedArray,
  idsInFile: readonly string[] | undefined,
  path: string,
  options: ReadDistancesOptions,
): Distances {
  const { shape, source } = array;
  if (shape.length !== 2 || shape[0] !== shape[1]) {
    throw new UserError(
      `${source} has the shape (${shape.join(", ")}), not that of a square matrix of distances; give a square matrix.`,
    );
  }
  const size = shape[0];
  const { sampleOrder } = options;
  const ids = idsInFile ?? (typeof sampleOrder === "function" ? sampleOrder(size) : sampleOrder);
  if (ids === undefined) {
    throw new UserError(
      `${path} holds ${size} x ${size} distances but no sample ids; give the samples' order in a file of ids, one on each line.`,
    );
  }
  if (ids.length !== size) {
    const whose = idsInFile === undefined ? "the samples' order names" : "it names";
    throw new UserError(
      `${path} holds ${size} x ${size} distances, but ${whose} ${ids.length} samples; both must be the same samples in the same order.`,
    );
  }
  const values = numbersOf(array);
  const condenser = new Condenser(ids, values instanceof Float32Array ? "float32" : "float64", path, options);
  const typed = ArrayBuffer.isView(values) ? (values as Float32Array) : Float64Array.from(values);
  for (let row = 0; row < size; row++) condenser.addRow(typed.subarray(row * size, (row + 1) * size));
  return condenser.finish();
}
