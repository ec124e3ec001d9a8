import { type ByteSource, partBytes } from "../../common/files/byteSource.ts";
import { FileBytes } from "../../common/files/fileBytes.ts";
import { gunzipped } from "../../common/files/inflate.ts";
import { gunzipIfNeeded, isGzip, readFileBytes } from "../../common/files/inputFile.ts";
import { spool } from "../../common/files/spool.ts";
import { UserError } from "../../common/userError.ts";
import { findHdf5Signature } from "../../formats/hdf5/read.ts";
import { openQzaBytes, type Qza } from "../../formats/qza.ts";
import { isZip } from "../../formats/zip/read.ts";
import { type BiomHdf5, openBiomHdf5 } from "./biomHdf5.ts";
import { readBiomJson } from "./biomJson.ts";
import { readClassicTable } from "./classic.ts";
import { gather, inOneSlice, type TableSlices } from "./slices.ts";
import type { Table, TableReading } from "./table.ts";

export type { TableReading };

/**
 * Reads a feature table: BIOM 2.0 or 2.1 (HDF5), BIOM 1.0 (JSON), a classic tab-separated table, any of them
 * gzipped, or a QIIME 2 artifact with one of them inside. The content decides, not the name.
 * @throws UserError if the file cannot be read, is none of these, or its numbers are not consistent.
 */
export async function readTable(path: string): Promise<Table> {
  return (await readTableWithNotes(path)).table;
}

/** Like `readTable`, and says which format was read and what is odd about the file. */
export async function readTableWithNotes(path: string): Promise<TableReading> {
  return readTableBytes(readFileBytes(path), path);
}

/** A table that is read in slices, until it is closed with `Symbol.dispose`. */
export interface OpenedTable extends TableSlices, Disposable {
  /** `slices` with all the checks of the whole, for the first pass. */
  firstSlices(): Iterable<Table>;
}

/**
 * Opens a feature table to be read in slices. A BIOM 2 file stays on the disk, whatever its size, and so does
 * one in a QIIME 2 artifact or gzipped, which is unpacked there unless it has few bytes (see `spool`). Tables
 * in other formats are in memory.
 * @throws UserError as `readTable` does, for what the whole shows at the end of the first pass.
 */
export async function openTable(path: string, bytesInMemory?: number): Promise<OpenedTable> {
  const file = new FileBytes(path);
  using stack = new DisposableStack();
  let [bytes, source]: [ByteSource, string] = [file, path];
  if (isZip(file)) {
    const { parts, size } = tableArtifact(file, path).parts(payload);
    source = `${payload} in ${path}`;
    ({ bytes } = stack.use(await spool(parts, path, size, bytesInMemory)));
  } else if (isGzip(file)) {
    ({ bytes } = stack.use(await spool(gunzipped(file, path), path, 0, bytesInMemory)));
    refuseGzip(bytes, path);
  }
  const opened = openPlain(bytes, source);
  const open = stack.move();
  return { ...opened, [Symbol.dispose]: () => open.dispose() };
}

function openPlain(bytes: ByteSource, source: string): Omit<OpenedTable, typeof Symbol.dispose> {
  if (findHdf5Signature(bytes) >= 0) {
    const biom = openBiomHdf5(bytes, source);
    return { ...biom, firstSlices: biom.checkedSlices };
  }
  const table = inOneSlice(readPlainTable(bytes, source).table);
  return { ...table, firstSlices: table.slices };
}

/** Like `readTableWithNotes`, for a file in memory; `source` names it in errors. */
export function readTableBytes(bytes: Uint8Array, source: string): TableReading {
  if (isZip(bytes)) return readTableArtifact(bytes, source);
  const unpacked = gunzipIfNeeded(bytes, source);
  refuseGzip(unpacked, source);
  const reading = readPlainTable(unpacked, source);
  return unpacked === bytes ? reading : { ...reading, format: `${reading.format}, gzipped` };
}

function refuseGzip(unpacked: ByteSource, source: string): void {
  if (isGzip(unpacked)) throw new UserError(`${source} is gzipped twice; unpack it once with gunzip.`);
}

/** What QIIME 2 calls the file of a table. */
const payload = "feature-table.biom";

function tableArtifact(bytes: ByteSource, source: string): Qza {
  const artifact = openQzaBytes(bytes, source);
  if (artifact.type.startsWith("FeatureTable[")) return artifact;
  throw new UserError(
    `${source} is a QIIME 2 artifact of type ${artifact.type}; give one of type FeatureTable[...].`,
  );
}

function readTableArtifact(bytes: Uint8Array, source: string): TableReading {
  const artifact = tableArtifact(bytes, source);
  const reading = readPlainTable(artifact.file(payload), `${payload} in ${source}`);
  return { ...reading, format: `${reading.format} in a QIIME 2 artifact`, artifactType: artifact.type };
}

function readPlainTable(bytes: ByteSource, source: string): TableReading {
  if (bytes.length === 0) throw new UserError(`${source} is empty; give a feature table.`);
  if (findHdf5Signature(bytes) >= 0) return wholeBiom(openBiomHdf5(bytes, source));
  const head = bytes.subarray(0, Math.min(partBytes, bytes.length));
  const first = firstCharacter(head);
  if (first === "{") return readBiomJson(bytes, source);
  const other = otherFormats[first];
  if (other && !head.subarray(0, head.indexOf(newline)).includes(tab))
    throw new UserError(
      `${source} is no feature table (it looks like ${other}); give a BIOM file or a TSV table.`,
    );
  return readClassicTable(bytes, source);
}

function wholeBiom(biom: BiomHdf5): TableReading {
  return { table: gather(biom, biom.checkedSlices()), format: biom.format, notes: biom.notes };
}

const newline = 0x0a;
const tab = 0x09;
const otherFormats: Record<string, string> = {
  ">": "FASTA sequences",
  "@": "FASTQ sequences",
  "(": "a Newick tree",
  "[": "a JSON list",
  "<": "XML or HTML",
};

/** The first character behind a byte order mark and white space. */
function firstCharacter(bytes: Uint8Array): string {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && [0x20, 0x09, 0x0a, 0x0d].includes(bytes[at])) at++;
  return String.fromCharCode(bytes[at] ?? 0);
}
