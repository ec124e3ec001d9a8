import { FileBytes } from "../../common/files/fileBytes.ts";
import { gunzipIfNeeded, isGzip, readFileBytes, refuseNoText } from "../../common/files/inputFile.ts";
import { UserError } from "../../common/userError.ts";
import { findHdf5Signature } from "../../formats/hdf5/read.ts";
import { openQzaBytes } from "../../formats/qza.ts";
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

/**
 * Opens a feature table to be read in slices. A BIOM 2 file stays on the disk, whatever its size; other
 * files, also packed ones with a BIOM 2 file inside, are read as a whole. `firstSlices` are
 * `slices` with all the checks of the whole, for the first pass.
 * @throws UserError as `readTable` does, for what the whole shows at the end of the first pass.
 */
export function openTable(path: string): TableSlices & { firstSlices(): Iterable<Table> } {
  const file = new FileBytes(path);
  if (findHdf5Signature(file) >= 0) {
    const biom = openBiomHdf5(file, path);
    return { ...biom, firstSlices: biom.checkedSlices };
  }
  const table = inOneSlice(readTableBytes(readFileBytes(path), path).table);
  return { ...table, firstSlices: table.slices };
}

/** Like `readTableWithNotes`, for a file in memory; `source` names it in errors. */
export function readTableBytes(bytes: Uint8Array, source: string): TableReading {
  if (isZip(bytes)) return readTableArtifact(bytes, source);
  const unpacked = gunzipIfNeeded(bytes, source);
  if (isGzip(unpacked)) throw new UserError(`${source} is gzipped twice; unpack it once with gunzip.`);
  const reading = readPlainTable(unpacked, source);
  return unpacked === bytes ? reading : { ...reading, format: `${reading.format}, gzipped` };
}

function readTableArtifact(bytes: Uint8Array, source: string): TableReading {
  const artifact = openQzaBytes(bytes, source);
  if (!artifact.type.startsWith("FeatureTable[")) {
    throw new UserError(
      `${source} is a QIIME 2 artifact of type ${artifact.type}; give one of type FeatureTable[...].`,
    );
  }
  const reading = readPlainTable(artifact.file("feature-table.biom"), `feature-table.biom in ${source}`);
  return { ...reading, format: `${reading.format} in a QIIME 2 artifact`, artifactType: artifact.type };
}

function readPlainTable(bytes: Uint8Array, source: string): TableReading {
  if (bytes.length === 0) throw new UserError(`${source} is empty; give a feature table.`);
  if (findHdf5Signature(bytes) >= 0) return wholeBiom(openBiomHdf5(bytes, source));
  const first = firstCharacter(bytes);
  if (first === "{") return readBiomJson(bytes, source);
  const other = otherFormats[first];
  if (other && !bytes.subarray(0, bytes.indexOf(newline)).includes(tab))
    throw new UserError(
      `${source} is no feature table (it looks like ${other}); give a BIOM file or a TSV table.`,
    );
  refuseNoText(bytes, source);
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
