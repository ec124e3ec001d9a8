import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { encodeHdf5, type Hdf5GroupToWrite } from "../../formats/hdf5/write.ts";
import { writeArtifact } from "../../formats/qiime2/write.ts";
import { type Csr, transposeCsr } from "./csr.ts";
import type { Table } from "./table.ts";

/** What the numbers of a table are, as QIIME 2 names it. */
export const tableKinds = ["Frequency", "RelativeFrequency", "PresenceAbsence"] as const;
export type TableKind = (typeof tableKinds)[number];

export interface WriteBiomOptions {
  /** Defaults to "No Table ID", as biom-format writes it. */
  readonly tableId?: string;
  /** A type of the BIOM format's vocabulary; defaults to "OTU table", which is also what ASV tables carry. */
  readonly type?: string;
  readonly generatedBy?: string;
  /** Defaults to now; give one for files that must be equal byte for byte. */
  readonly creationDate?: Date;
  /** gzip level of the matrices, 0 (stored) to 9; defaults to 4. */
  readonly gzip?: number;
}

/**
 * Writes a BIOM 2.1 file (HDF5) with both orientations of the matrix, atomically.
 * Format: https://biom-format.org/documentation/format_versions/biom-2.1.html
 * @throws UserError if the file cannot be written or an id contains a NUL, which the format cannot hold.
 */
export function writeBiom(path: string, table: Table, options: WriteBiomOptions = {}): void {
  writeFileAtomic(path, biomPieces(path, table, options));
}

/**
 * Writes it as a QIIME 2 artifact of type `FeatureTable[Frequency]` or another kind. @throws UserError
 * as `writeBiom` does.
 */
export function writeTableArtifact(path: string, table: Table, kind: TableKind = "Frequency"): void {
  const pieces = biomPieces(path, table, {});
  writeArtifact(path, `FeatureTable[${kind}]`, () => pieces);
}

function biomPieces(path: string, table: Table, options: WriteBiomOptions): Iterable<Uint8Array> {
  for (const id of [...table.sampleIds, ...table.asvIds]) {
    if (id.includes("\0")) throw new UserError(`Cannot write ${path}: the id ${quote(id)} contains a NUL.`);
  }
  const byAsv = transposeCsr(table, table.asvIds.length);
  const gzip = options.gzip === 0 ? undefined : (options.gzip ?? 4);
  const axis = (ids: readonly string[], matrix: Csr): Hdf5GroupToWrite => ({
    groups: {
      matrix: {
        datasets: {
          data: { values: matrix.data, gzip },
          indices: { values: matrix.indices, gzip },
          indptr: { values: matrix.indptr, gzip },
        },
      },
      metadata: {},
      "group-metadata": {},
    },
    datasets: { ids: { values: ids } },
  });
  return encodeHdf5({
    attributes: {
      id: options.tableId ?? "No Table ID",
      type: options.type ?? "OTU table",
      "format-url": "http://biom-format.org",
      "format-version": [2, 1],
      "generated-by": options.generatedBy ?? "aam-bun",
      "creation-date": (options.creationDate ?? new Date()).toISOString(),
      shape: [table.asvIds.length, table.sampleIds.length],
      nnz: table.data.length,
    },
    groups: { observation: axis(table.asvIds, byAsv), sample: axis(table.sampleIds, table) },
  });
}
