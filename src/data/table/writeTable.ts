import { extname } from "node:path";
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { refuseTornIds } from "../checkIds.ts";
import { transposeCsr } from "./csr.ts";
import type { Table } from "./table.ts";
import { type TableKind, writeBiom, writeTableArtifact } from "./writeBiom.ts";

const writers: Readonly<Record<string, (path: string, table: Table, kind: TableKind) => void>> = {
  ".biom": (path, table) => writeBiom(path, table),
  ".qza": writeTableArtifact,
  ".tsv": (path, table) => {
    refuseTornIds(path, [...table.sampleIds, ...table.asvIds]);
    writeFileAtomic(path, classicPieces(table));
  },
};

/** Endings of the formats in which a table is written. */
export const tableFormats = Object.keys(writers);

/**
 * Refuses an output that cannot be written, before the work is done. @throws UserError as
 * `checkOutput` does
 */
export function checkTableOutput(path: string): void {
  checkOutput(path, tableFormats, "a table");
}

/**
 * Writes a table as its ending says: `.biom` (BIOM 2.1), `.qza` (QIIME 2's artifact of it) or `.tsv`
 * (classic, as `biom convert
 * --to-tsv`, one row for each ASV). @throws UserError if the file cannot be written
 */
export function writeTable(path: string, table: Table, kind: TableKind = "Frequency"): void {
  writers[extname(path)](path, table, kind);
}

/** Rows of ASVs, one at a time: zeros take memory for one row only. */
function* classicPieces({ sampleIds, asvIds, ...matrix }: Table): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(`# Constructed from biom file\n#OTU ID\t${sampleIds.join("\t")}\n`);
  const { indptr, indices, data } = transposeCsr(matrix, asvIds.length);
  for (let asv = 0; asv < asvIds.length; asv++) {
    const cells = new Array<number>(sampleIds.length).fill(0);
    for (let i = indptr[asv]; i < indptr[asv + 1]; i++) cells[indices[i]] = data[i];
    yield encoder.encode(`${asvIds[asv]}\t${cells.join("\t")}\n`);
  }
}
