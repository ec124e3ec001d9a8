import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { type Hdf5File, openHdf5Bytes } from "../../formats/hdf5/read.ts";
import { checkIds } from "../checkIds.ts";
import { type Csr, checkedCsr, firstDifference, transposeCsr } from "./csr.ts";
import type { TableReading } from "./reading.ts";

/**
 * Reads a BIOM 2.0 or 2.1 file. Where both orientations of the matrix are stored they must hold the same
 * numbers; where one is missing the other is enough.
 */
export function readBiomHdf5(bytes: Uint8Array, source: string): TableReading {
  const file = openHdf5Bytes(bytes, source);
  const asvIds = readIds(file, "observation", "ASV", source);
  const sampleIds = readIds(file, "sample", "sample", source);
  const notes = checkAttributes(file, asvIds.length, sampleIds.length, source);
  const bySample = readMatrix(file, "sample", sampleIds, asvIds, source);
  const byAsv = readMatrix(file, "observation", asvIds, sampleIds, source);
  if (bySample && byAsv) {
    const difference = firstDifference(bySample, byAsv);
    if (difference) {
      throw new UserError(
        `${source}: sample/matrix (${bySample.data.length} counts) and observation/matrix (${byAsv.data.length}) ` +
          `disagree at sample ${quote(sampleIds[difference.row])} and ASV ` +
          `${quote(asvIds[difference.column])}; the file was written wrongly, make it anew.`,
      );
    }
  } else if (bySample) notes.push("read from sample/matrix, observation/matrix is absent");
  else if (byAsv) notes.push("read from observation/matrix, sample/matrix is absent");
  const matrix = bySample ?? (byAsv && transposeCsr(byAsv, sampleIds.length));
  if (!matrix) {
    throw new UserError(
      `${source} is HDF5 but no BIOM table (it has neither sample/matrix nor observation/matrix); give a BIOM file.`,
    );
  }
  checkNnz(file, matrix, source);
  return { table: { sampleIds, asvIds, ...matrix }, format: "BIOM 2 (HDF5)", notes };
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

function readMatrix(
  file: Hdf5File,
  axis: "sample" | "observation",
  rowIds: readonly string[],
  columnIds: readonly string[],
  source: string,
): Csr | undefined {
  const group = `${axis}/matrix`;
  if (!file.has(group)) return undefined;
  const [data, indices, indptr] = ["data", "indices", "indptr"].map((name) =>
    file.dataset(`${group}/${name}`).numbers(),
  );
  return checkedCsr(
    { data: data, indices: indices, indptr: indptr },
    { where: `${source}: ${group}`, rowKind: axis === "sample" ? "sample" : "ASV", rowIds, columnIds },
  );
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

function checkNnz(file: Hdf5File, matrix: Csr, source: string): void {
  const stated = file.attribute("", "nnz");
  if (stated === undefined || stated.length !== 1) return;
  if (Number(stated[0]) !== matrix.data.length && Number(stated[0]) !== storedCounts(file)) {
    throw new UserError(
      `${source}: its attribute nnz says ${quote(stated[0])} counts, but it has ${matrix.data.length}; ` +
        `the file is damaged or was written wrongly, make it anew.`,
    );
  }
}

/** Counts in the file, explicit zeros included: some programs state those. */
function storedCounts(file: Hdf5File): number {
  const axis = file.has("sample/matrix") ? "sample" : "observation";
  return file.dataset(`${axis}/matrix/data`).length;
}
