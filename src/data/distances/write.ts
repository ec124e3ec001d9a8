import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { streamHdf5 } from "../../formats/hdf5/write.ts";
import { npyHeader } from "../../formats/npy/npy.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import { refuseTornIds } from "../checkIds.ts";
import { type Distances, squareRows } from "./distances.ts";

/** A square matrix of distances that need not be in memory. */
export interface SquareMatrix {
  /** Of rows and columns. */
  readonly ids: readonly string[];
  readonly precision: "float32" | "float64";
  /** The rows in their order; each may be in the memory of the one before. */
  readonly rows: () => Iterable<Float32Array | Float64Array>;
}

/** Lines of text that are gathered before they are written. */
const linesPerPiece = 64;

/** Distances in memory as a square matrix. */
export function squareOf(distances: Distances): SquareMatrix {
  return {
    ids: distances.ids,
    precision: distances.values instanceof Float32Array ? "float32" : "float64",
    rows: () => squareRows(distances),
  };
}

/**
 * Writes the square matrix as a `.npy` file, rows and columns in the order of the ids (which
 * the format cannot hold).
 * @throws UserError if the file cannot be written.
 */
export function writeSquareNpy(path: string, matrix: SquareMatrix): void {
  writeFileAtomic(path, npyPieces(matrix));
}

function* npyPieces(matrix: SquareMatrix): Generator<Uint8Array> {
  const size = matrix.ids.length;
  const example = matrix.precision === "float32" ? new Float32Array(0) : new Float64Array(0);
  yield npyHeader(example, [size, size]);
  yield* rowBytes(matrix);
}

function* rowBytes({ rows }: SquareMatrix): Generator<Uint8Array> {
  for (const row of rows()) yield new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
}

/**
 * Writes the square matrix as QIIME 2 and scikit-bio do (`lsmat`): a row of ids behind an empty cell, then a
 * row for each sample; tabs; each number in a short form that reads back as the same (float32 as float32).
 * @throws UserError if the file cannot be written or an id contains a tab or a line break.
 */
export function writeSquareTsv(path: string, matrix: SquareMatrix): void {
  refuseTornIds(path, matrix.ids);
  writeFileAtomic(path, tsvPieces(matrix));
}

/**
 * Writes the square matrix as a QIIME 2 artifact of type `DistanceMatrix`. @throws UserError as
 * `writeSquareTsv` does.
 */
export function writeSquareArtifact(path: string, matrix: SquareMatrix): void {
  refuseTornIds(path, matrix.ids);
  writeArtifact(path, "DistanceMatrix", () => tsvPieces(matrix));
}

function* tsvPieces({ ids, precision, rows }: SquareMatrix): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let lines = [`\t${ids.join("\t")}\n`];
  let row = 0;
  for (const values of rows()) {
    const numbers = precision === "float32" ? Float64Array.from(values, shortSingle) : values;
    lines.push(`${ids[row++]}\t${numbers.join("\t")}\n`);
    if (lines.length < linesPerPiece) continue;
    yield encoder.encode(lines.join(""));
    lines = [];
  }
  yield encoder.encode(lines.join(""));
}

/** A number of 8 or 9 digits that rounds to the same float32. */
export function shortSingle(value: number): number {
  const rounded = Number(value.toPrecision(8));
  return Math.fround(rounded) === value ? rounded : Number(value.toPrecision(9));
}

/**
 * Writes HDF5 in the layout of unifrac-binaries (`format` BDSM, `version` 2020.12): `order` holds the ids,
 * `matrix` the square matrix in the precision of the distances.
 * @throws UserError if the file cannot be written.
 */
export function writeSquareHdf5(path: string, matrix: SquareMatrix): void {
  const { ids, precision } = matrix;
  const size = ids.length;
  const values = { type: precision, length: size * size, pieces: () => rowBytes(matrix) };
  const pieces = streamHdf5({
    datasets: {
      format: { values: ["BDSM"] },
      version: { values: ["2020.12"] },
      order: { values: ids },
      matrix: { values, shape: [size, size] },
    },
  });
  writeFileAtomic(path, pieces);
}
