import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { readFastaBytes } from "../../../src/data/sequences/readFasta.ts";
import { readTableBytes } from "../../../src/data/table/read.ts";
import { openQzaBytes } from "../../../src/formats/qza.ts";
import { makeQza } from "../../material/makeQza.ts";
import { checkTable } from "./checkTable.ts";
import type { FuzzedReader } from "./fuzzReader.ts";

const folder = join(import.meta.dir, "../../../tests/fixtures/tables");
const hdf5 = (name: string) => new Uint8Array(gunzipSync(readFileSync(join(folder, `${name}.biom.gz`))));
const text = (content: string) => new TextEncoder().encode(content);

const json = (matrix: object) =>
  text(
    JSON.stringify({
      format: "Biological Observation Matrix 1.0.0",
      rows: [{ id: "ACGT" }, { id: "CCGT" }, { id: "GGGT" }],
      columns: [{ id: "S1" }, { id: "S2" }],
      shape: [3, 2],
      ...matrix,
    }),
  );
const jsonFiles = [
  json({
    matrix_type: "sparse",
    data: [
      [0, 0, 5],
      [1, 1, 2.5],
      [2, 0, 1],
    ],
  }),
  json({
    matrix_type: "dense",
    data: [
      [5, 0],
      [0, 2.5],
      [1, 0],
    ],
  }),
];
const classicFiles = [
  text(
    "# Constructed from biom file\n#OTU ID\tS1\tS2\ttaxonomy\nACGT\t5.0\t0.0\tk__Bacteria; p__x\nCCGT\t0\t1e2\tk__B\n",
  ),
  text("\tACGTACGTACGTACGTACGTACGT\tCCGTACGTACGTACGTACGTACGTAA\r\ns1\t1\t2\r\ns2\t3\t0.25\r\n"),
];
const fastaFiles = [text(">a first\nACGT\nACGTN\n>b\nCCCC\n\n>c\nTTTT\n"), text(">x\r\nacgtu\r\n")];

const tableReader = (name: string, files: readonly Uint8Array[]): FuzzedReader => ({
  name,
  files,
  read: (bytes, source) => readTableBytes(bytes, source).table,
  check: (table) => checkTable(table as Parameters<typeof checkTable>[0]),
});

/** Every reader of tables, artifacts and sequences with valid files to start from. */
export function tableReaders(): FuzzedReader[] {
  const oldFormat = ["contiguous", "gzip", "fixed-ids", "data-i4-big-endian", "fletcher", "libver-v108"].map(
    hdf5,
  );
  const chunked = ["gzip-shuffle", "lzf-shuffle-fletcher", "many-chunks-tree"].map(hdf5);
  const newFormat = ["single-chunk-gzip", "fixed-array-gzip", "extensible-array-lzf", "implicit-index"].map(
    hdf5,
  );
  const qza = makeQza("FeatureTable[Frequency]", { "feature-table.biom": jsonFiles[0] });
  return [
    tableReader("BIOM 2, old HDF5 structures", oldFormat),
    tableReader("BIOM 2, many chunks", chunked),
    tableReader("BIOM 2, new HDF5 structures", newFormat),
    tableReader("BIOM 1", jsonFiles),
    tableReader("classic tables", classicFiles),
    tableReader("gzip and QIIME 2 artifacts", [
      ...classicFiles.map((file) => new Uint8Array(gzipSync(file))),
      qza,
    ]),
    {
      name: "QIIME 2 artifacts",
      files: [qza],
      read: (bytes, source) => {
        const artifact = openQzaBytes(bytes, source);
        return artifact.names.map((name) => artifact.file(name));
      },
      check: () => {},
    },
    {
      name: "FASTA",
      files: fastaFiles,
      read: readFastaBytes,
      check: (sequences) => {
        for (const [id, sequence] of sequences as Map<string, string>) {
          if (id === "" || !/^[A-Z]+$/.test(sequence))
            throw new Error(`inconsistent sequence ${id}: ${sequence}`);
        }
      },
    },
  ];
}
