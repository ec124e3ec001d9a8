import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";

/** A compressed-sparse-rows matrix as a file states it: nothing about it is known to hold. */
export interface StatedMatrix {
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly data: ArrayLike<number>;
}

/** A compressed-sparse-rows matrix with ascending indices in each row and no zeros. */
export interface Csr {
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly data: Float64Array;
}

/** How errors name the matrix's parts. */
export interface MatrixNames {
  /** The file, and where in it the matrix stands: `table.biom: sample/matrix`. */
  readonly where: string;
  readonly rowKind: "sample" | "ASV";
  readonly rowIds: readonly string[];
  readonly columnIds: readonly string[];
}

const maxEntries = 2 ** 31 - 2;

/**
 * Checks a matrix, sorts each row by index and drops zeros.
 * @throws UserError naming the entry if offsets are inconsistent, an index is out of range or stands twice in
 * a row, or a count is negative, NaN or infinite.
 */
export function checkedCsr(matrix: StatedMatrix, names: MatrixNames): Csr {
  const { indices, data } = matrix;
  const indptr = checkedIndptr(matrix.indptr, { indices: indices.length, data: data.length }, names);
  return checkedRows({ indptr, indices, data }, names);
}

/**
 * As `checkedCsr`, for rows whose offsets are checked and start at 0. `first` is the number of their first
 * entry in the matrix.
 */
export function checkedRows(
  { indptr, indices, data }: Omit<StatedMatrix, "indptr"> & Pick<Csr, "indptr">,
  names: MatrixNames,
  first = 0,
): Csr {
  const rows = names.rowIds.length;
  const columns = names.columnIds.length;
  let zeros = 0;
  let isSorted = true;
  for (let row = 0; row < rows; row++) {
    let previous = -1;
    for (let k = indptr[row]; k < indptr[row + 1]; k++) {
      const column = indices[k];
      const count = data[k];
      if (!(column >= 0 && column < columns && Number.isInteger(column)))
        throw badIndex(names, row, first + k, column);
      if (!(count >= 0 && count < Infinity)) throw badCount(names, row, column, count);
      if (column <= previous) isSorted = false;
      if (count === 0) zeros++;
      previous = column;
    }
  }
  if (isSorted && zeros === 0 && indices instanceof Int32Array && data instanceof Float64Array) {
    return { indptr, indices, data };
  }
  const result: Csr = { indptr, indices: Int32Array.from(indices), data: Float64Array.from(data) };
  if (!isSorted) sortRows(result, names);
  return zeros > 0 ? withoutZeros(result, zeros) : result;
}

/** The offsets of a matrix with so many indices and counts. @throws UserError as `checkedCsr` does. */
export function checkedIndptr(
  indptr: ArrayLike<number>,
  entries: { readonly indices: number; readonly data: number },
  names: MatrixNames,
): Int32Array {
  const rows = names.rowIds.length;
  const wrong = (what: string) =>
    new UserError(`${names.where}/indptr ${what}; the file is damaged or was written wrongly, make it anew.`);
  if (entries.indices !== entries.data) {
    throw new UserError(
      `${names.where} has ${entries.indices} indices for ${entries.data} counts; the file is damaged, make it anew.`,
    );
  }
  if (entries.data > maxEntries) throw wrong(`has ${entries.data} entries, more than ${maxEntries}`);
  // Empty tables are written without any offset by some programs.
  if (rows === 0 && indptr.length === 0 && entries.data === 0) return new Int32Array(1);
  if (indptr.length !== rows + 1) {
    throw wrong(`has ${indptr.length} entries instead of ${rows + 1} for ${rows} ${names.rowKind}s`);
  }
  if (indptr[0] !== 0) throw wrong(`starts at ${indptr[0]} instead of 0`);
  for (let row = 0; row < rows; row++) {
    const end = indptr[row + 1];
    if (!(end >= indptr[row])) throw wrong(`goes from ${indptr[row]} to ${end} at ${rowName(names, row)}`);
    if (!Number.isInteger(end)) throw wrong(`is ${end} after ${rowName(names, row)}`);
  }
  if (indptr[rows] !== entries.data)
    throw wrong(`ends at ${indptr[rows]}, but there are ${entries.data} counts`);
  return indptr instanceof Int32Array ? indptr : Int32Array.from(indptr);
}

function rowName(names: MatrixNames, row: number): string {
  return `${names.rowKind} ${quote(names.rowIds[row])}`;
}

function badIndex(names: MatrixNames, row: number, k: number, column: number): UserError {
  return new UserError(
    `${names.where}/indices has ${column} at entry ${k + 1} (${rowName(names, row)}), expected 0 to ` +
      `${names.columnIds.length - 1}; the file is damaged or was written wrongly, make it anew.`,
  );
}

function cellName(names: MatrixNames, row: number, column: number): string {
  const columnKind = names.rowKind === "sample" ? "ASV" : "sample";
  return `${rowName(names, row)} and ${columnKind} ${quote(names.columnIds[column])}`;
}

function badCount(names: MatrixNames, row: number, column: number, count: number): UserError {
  return new UserError(
    `${names.where} has the count ${count} for ${cellName(names, row, column)}, expected a finite number of at ` +
      `least 0; correct it where the table was made.`,
  );
}

function sortRows({ indptr, indices, data }: Csr, names: MatrixNames): void {
  for (let row = 0; row + 1 < indptr.length; row++) {
    const start = indptr[row];
    const end = indptr[row + 1];
    let isSorted = true;
    for (let k = start + 1; k < end && isSorted; k++) isSorted = indices[k] > indices[k - 1];
    if (isSorted) continue;
    const order = Int32Array.from({ length: end - start }, (_, i) => start + i).sort(
      (a, b) => indices[a] - indices[b],
    );
    indices.set(
      Int32Array.from(order, (k) => indices[k]),
      start,
    );
    data.set(
      Float64Array.from(order, (k) => data[k]),
      start,
    );
    for (let k = start + 1; k < end; k++) {
      if (indices[k] === indices[k - 1]) {
        throw new UserError(
          `${names.where} lists ${cellName(names, row, indices[k])} twice; the file was written wrongly, make it anew.`,
        );
      }
    }
  }
}

function withoutZeros({ indptr, indices, data }: Csr, zeros: number): Csr {
  const kept = {
    indptr: indptr.slice(),
    indices: new Int32Array(data.length - zeros),
    data: new Float64Array(data.length - zeros),
  };
  let to = 0;
  for (let row = 0; row + 1 < indptr.length; row++) {
    for (let k = indptr[row]; k < indptr[row + 1]; k++) {
      if (data[k] === 0) continue;
      kept.indices[to] = indices[k];
      kept.data[to++] = data[k];
    }
    kept.indptr[row + 1] = to;
  }
  return kept;
}

/** The transposed matrix; `columns` is the number of its rows. Indices ascend in each of them. */
export function transposeCsr({ indptr, indices, data }: Csr, columns: number): Csr {
  const start = new Int32Array(columns + 1);
  for (let k = 0; k < indices.length; k++) start[indices[k] + 1]++;
  for (let column = 0; column < columns; column++) start[column + 1] += start[column];
  const next = start.slice();
  const transposed = {
    indptr: start,
    indices: new Int32Array(indices.length),
    data: new Float64Array(data.length),
  };
  for (let row = 0; row + 1 < indptr.length; row++) {
    for (let k = indptr[row]; k < indptr[row + 1]; k++) {
      const at = next[indices[k]]++;
      transposed.indices[at] = row;
      transposed.data[at] = data[k];
    }
  }
  return transposed;
}
