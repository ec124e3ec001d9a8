import type { ByteSource } from "../../common/files/byteSource.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type Hdf5File, openHdf5Bytes } from "../../formats/hdf5/read.ts";
import { checkIds } from "../checkIds.ts";
import { type Csr, checkedIndptr, checkedRows, transposeCsr } from "./csr.ts";
import { RowFingerprints } from "./rowFingerprints.ts";
import type { TableSlices } from "./slices.ts";
import type { Table } from "./table.ts";

/** A BIOM file of which nothing but the ids is in memory. */
export interface BiomHdf5 extends TableSlices {
  readonly format: string;
  readonly notes: readonly string[];
  /**
   * The slices once, then what only the whole shows is checked: whether both orientations of the matrix hold
   * the same numbers, and how many.
   */
  checkedSlices(): Iterable<Table>;
}

/**
 * Opens a BIOM 2.0 or 2.1 file. Where both orientations of the matrix are stored they must hold the same
 * numbers; where one is missing the other is enough, though one by ASVs is turned round in memory.
 * `cellsPerSlice` are read at a time, or one sample that has more.
 */
export function openBiomHdf5(bytes: ByteSource, source: string, cellsPerSlice = 2 ** 20): BiomHdf5 {
  const file = openHdf5Bytes(bytes, source);
  const asvIds = readIds(file, "observation", "ASV", source);
  const sampleIds = readIds(file, "sample", "sample", source);
  const notes = checkAttributes(file, asvIds.length, sampleIds.length, source);
  const bySample = openMatrix(file, "sample", sampleIds, asvIds, source);
  const byAsv = openMatrix(file, "observation", asvIds, sampleIds, source);
  if (bySample && !byAsv) notes.push("read from sample/matrix, observation/matrix is absent");
  if (byAsv && !bySample) notes.push("read from observation/matrix, sample/matrix is absent");
  let turned: Table | undefined;
  function* slices(): Generator<Table> {
    if (bySample) {
      for (const { from, to, ...rows } of bySample.parts(cellsPerSlice))
        yield { sampleIds: sampleIds.slice(from, to), asvIds, ...rows };
    } else if (byAsv) {
      turned ??= { sampleIds, asvIds, ...transposeCsr(byAsv.whole(), sampleIds.length) };
      yield turned;
    } else {
      throw new UserError(
        `${source} is HDF5 but no BIOM table (it has neither sample/matrix nor observation/matrix); give a BIOM file.`,
      );
    }
  }
  function* checkedSlices(): Generator<Table> {
    const expected = new RowFingerprints(sampleIds.length);
    let [first, cells] = [0, 0];
    for (const slice of slices()) {
      if (byAsv) expected.add(slice, first);
      first += slice.sampleIds.length;
      cells += slice.data.length;
      yield slice;
    }
    if (bySample && byAsv) {
      const found = new RowFingerprints(sampleIds.length);
      let others = 0;
      for (const { from, ...rows } of byAsv.parts(cellsPerSlice)) {
        found.add(rows, from, true);
        others += rows.data.length;
      }
      const sample = expected.firstDifference(found);
      if (sample >= 0) {
        const asv = firstDifference(bySample.row(sample, cellsPerSlice), byAsv.column(sample, cellsPerSlice));
        throw new UserError(
          `${source}: sample/matrix (${cells} counts) and observation/matrix (${others}) ` +
            `disagree at sample ${quote(sampleIds[sample])} and ASV ` +
            `${quote(asvIds[asv])}; the file was written wrongly, make it anew.`,
        );
      }
    }
    checkNnz(file, cells, source);
  }
  const cells = (bySample ?? byAsv)?.cells ?? 0;
  return { sampleIds, asvIds, cells, format: "BIOM 2 (HDF5)", notes, slices, checkedSlices };
}

function readIds(file: Hdf5File, axis: string, kind: "sample" | "ASV", source: string): string[] {
  const path = `${axis}/ids`;
  if (!file.has(path)) {
    throw new UserError(`${source} is HDF5 but no BIOM table (it lacks ${path}); give a BIOM file.`);
  }
  const dataset = file.dataset(path);
  if (dataset.shape.length !== 1) {
    throw new UserError(
      `${source}: ${path} has ${dataset.shape.length} dimensions instead of 1; make the file anew.`,
    );
  }
  // Empty tables carry a dataset of any type here.
  const ids = dataset.length === 0 ? [] : dataset.texts();
  checkIds(ids, kind, `${source}: ${path}`);
  return ids;
}

/** Cells after which memory of earlier slices is given back. */
const sweptCells = 2 ** 19;

/** One orientation of the matrix; nothing of it is read yet. */
function openMatrix(
  file: Hdf5File,
  axis: "sample" | "observation",
  rowIds: readonly string[],
  columnIds: readonly string[],
  source: string,
) {
  const group = `${axis}/matrix`;
  if (!file.has(group)) return undefined;
  const dataset = (name: string) => file.dataset(`${group}/${name}`);
  const names = {
    where: `${source}: ${group}`,
    rowKind: axis === "sample" ? "sample" : "ASV",
    columnIds,
  } as const;
  /** Rows `from..to`, as many at a time as have `most` entries, at least one. */
  function* parts(most: number): Generator<Csr & { readonly from: number; readonly to: number }> {
    const [data, indices] = [dataset("data"), dataset("indices")];
    const entries = { data: data.length, indices: indices.length };
    const indptr = checkedIndptr(dataset("indptr").numbers(), entries, { ...names, rowIds });
    // Arrays fill memory faster than the collector notices.
    let unswept = 0;
    for (let [from, to] = [0, 0]; ; from = to) {
      const first = indptr[from];
      to = Math.min(from + 1, rowIds.length);
      while (to < rowIds.length && indptr[to + 1] - first <= most) to++;
      const rows = {
        indptr: indptr.slice(from, to + 1).map((offset) => offset - first),
        indices: indices.stretch(first, indptr[to]),
        data: data.stretch(first, indptr[to]),
      };
      yield { from, to, ...checkedRows(rows, { ...names, rowIds: rowIds.slice(from, to) }, first) };
      if (to === rowIds.length) return;
      unswept += indptr[to] - first;
      if (unswept < sweptCells) continue;
      Bun.gc(true);
      unswept = 0;
    }
  }
  return {
    cells: dataset("data").length,
    parts,
    whole: (): Csr => [...parts(Number.POSITIVE_INFINITY)][0],
    /** The cells of a row, by column. */
    row(row: number, most: number): Map<number, number> {
      for (const { from, to, indptr, indices, data } of parts(most)) {
        if (row >= to) continue;
        const cells = Array.from(data.subarray(indptr[row - from], indptr[row - from + 1]));
        return new Map(cells.map((count, i) => [indices[indptr[row - from] + i], count]));
      }
      return new Map();
    },
    /** The cells of a column, by row. */
    column(column: number, most: number): Map<number, number> {
      const cells = new Map<number, number>();
      for (const { from, to, indptr, indices, data } of parts(most))
        for (let row = from; row < to; row++)
          for (let k = indptr[row - from]; k < indptr[row - from + 1]; k++)
            if (indices[k] === column) cells.set(row, data[k]);
      return cells;
    },
  };
}

/** The smallest key whose value is not the same in both. */
function firstDifference(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): number {
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  return keys.find((key) => a.get(key) !== b.get(key))!;
}

/** Compares the file's attributes with what its ids say; returns what is odd but harmless. */
function checkAttributes(file: Hdf5File, asvs: number, samples: number, source: string): string[] {
  const shape = file.attribute("", "shape");
  if (shape && (shape.length !== 2 || Number(shape[0]) !== asvs || Number(shape[1]) !== samples)) {
    throw new UserError(
      `${source}: its attribute shape says ${quote([...shape])}, but it has ${asvs} observation ` +
        `ids and ${samples} sample ids; the file was written wrongly, make it anew.`,
    );
  }
  const version = file.attribute("", "format-version");
  const isKnown = version !== undefined && Number(version[0]) === 2 && [0, 1].includes(Number(version[1]));
  if (isKnown) return [];
  const stated = version ? quote([...version]) : "not stated";
  return [`its format-version is ${stated}; read as 2.1`];
}

function checkNnz(file: Hdf5File, cells: number, source: string): void {
  const stated = file.attribute("", "nnz");
  if (stated === undefined || stated.length !== 1) return;
  if (Number(stated[0]) !== cells && Number(stated[0]) !== storedCounts(file)) {
    throw new UserError(
      `${source}: its attribute nnz says ${quote(stated[0])} counts, but it has ${cells}; ` +
        `the file is damaged or was written wrongly, make it anew.`,
    );
  }
}

/** Counts in the file, explicit zeros included: some programs state those. */
function storedCounts(file: Hdf5File): number {
  const axis = file.has("sample/matrix") ? "sample" : "observation";
  return file.dataset(`${axis}/matrix/data`).length;
}
