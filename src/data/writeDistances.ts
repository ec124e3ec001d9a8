import { writeFileAtomic } from "../common/atomicFile.ts";
import { UserError } from "../common/userError.ts";
import { type Distances, squareRows } from "./distances.ts";
import { encodeHdf5 } from "./hdf5/write.ts";
import { npyHeader } from "./npy.ts";

/** Lines of text that are gathered before they are written. */
const linesPerPiece = 64;

/**
 * Writes the square matrix as a `.npy` file, rows and columns in the order of `distances.ids` (which the format cannot
 * hold). Rows are made one by one, so that no second copy of the matrix is in memory.
 * @throws UserError if the file cannot be written.
 */
export function writeDistancesNpy(path: string, distances: Distances): void {
  writeFileAtomic(path, npyPieces(distances));
}

function* npyPieces(distances: Distances): Generator<Uint8Array> {
  const size = distances.ids.length;
  yield npyHeader(distances.values, [size, size]);
  for (const row of squareRows(distances)) yield new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
}

/**
 * Writes the square matrix as QIIME 2 and scikit-bio do (`lsmat`): a row of ids behind an empty cell, then a row for
 * each sample; tabs; each number in a short form that reads back as the same (float32 as float32).
 * @throws UserError if the file cannot be written or an id contains a tab or a line break.
 */
export function writeDistancesTsv(path: string, distances: Distances): void {
  const bad = distances.ids.find((id) => /[\t\r\n]/.test(id));
  if (bad !== undefined) {
    throw new UserError(`Cannot write ${path}: the id ${JSON.stringify(bad)} contains a tab or line break.`);
  }
  writeFileAtomic(path, tsvPieces(distances));
}

function* tsvPieces({ ids, values }: Distances): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const decimals = values instanceof Float32Array ? Float64Array.from(values, shortSingle) : values;
  let lines = [`\t${ids.join("\t")}\n`];
  let row = 0;
  for (const numbers of squareRows({ ids, values: decimals })) {
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
 * Writes HDF5 in the layout of unifrac-binaries (`format` BDSM, `version` 2020.12): `order` holds the ids, `matrix` the
 * square matrix in the precision of the distances.
 * @throws UserError if the file cannot be written.
 */
export function writeDistancesHdf5(path: string, distances: Distances): void {
  const { ids, values } = distances;
  const size = ids.length;
  const square =
    values instanceof Float32Array ? new Float32Array(size * size) : new Float64Array(size * size);
  let at = 0;
  for (const row of squareRows(distances)) {
    square.set(row, at);
    at += size;
  }
  const pieces = encodeHdf5({
    datasets: {
      format: { values: ["BDSM"] },
      version: { values: ["2020.12"] },
      order: { values: ids },
      matrix: { values: square, shape: [size, size] },
    },
  });
  writeFileAtomic(path, pieces);
}
