import { join } from "node:path";
import type { Data } from "apache-arrow";
import { Field, Float32, Float64, Int32, Schema, Uint8, Utf8 } from "apache-arrow";
import packageJson from "../../../package.json" with { type: "json" };
import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { writeFolderAtomic } from "../../common/files/folderSwap.ts";
import { writeArrowFile } from "../../formats/arrow/file.ts";
import type { UnknownBases } from "../sequences/tokenizer.ts";
import { tokenCount, tokenizeAll } from "../sequences/tokenizer.ts";
import type { Table } from "../table/table.ts";
import type { ShearedTree } from "../unifrac/shearTree.ts";
import { columnData, field, listOf, lists, numbers, texts } from "./arrowColumns.ts";
import type { Column } from "./column.ts";
import { missingValues } from "./column.ts";
import type { Manifest, Provenance } from "./manifest.ts";
import { formatVersion, manifestName, manifestText } from "./manifest.ts";
import type { Numbers } from "./numberTaker.ts";
import { NumberTaker } from "./numberTaker.ts";

/** All that goes into a data set. Everything per sample is in the table's order. */
export interface DatasetContent {
  /** As it shall be trained on: rarefied, without empty samples. */
  readonly table: Table;
  /** The sequence of each ASV where the table's ids are not the sequences themselves. */
  readonly sequences?: readonly string[];
  readonly metadata?: readonly Column[];
  /** By name: all pairs of samples, condensed: (0,1), (0,2), ... (1,2), ...; NaN is an unknown distance. */
  readonly distances?: Readonly<Record<string, Numbers>>;
  /** The tree, whose ASVs are the table's, and the metrics (`faith_pd` too) that it gives for any of them. */
  readonly fromTree?: { readonly metrics: readonly string[]; readonly tree: ShearedTree };
  /** Of these metrics those that are not stored, but computed when they are asked for. */
  readonly perBatch?: readonly string[];
  /** By name: one value for each sample, such as `faith_pd`; NaN is an unknown value. */
  readonly vectors?: Readonly<Record<string, Float32Array | Float64Array>>;
  readonly provenance: Provenance;
}

/** Record batches hold about this many bytes: the unit in which a large data set is mapped and checked. */
const batchBytes = 64 * 2 ** 20;

/**
 * Writes a data set: a folder with `asvs.arrow`, `samples.arrow`, if there are any `distances.arrow`,
 * `tree.arrow` with `tips.arrow` (the node of each ASV), `vectors.arrow` and `metadata.arrow`, and
 * `manifest.json`. It appears as a whole or not at all, and replaces an older data set of the same name.
 * Counts and distances are stored as float32.
 * @throws UserError where the folder cannot be written and a `RangeError` where the content does not fit
 * together. Returns the manifest.
 */
export function writeDataset(folder: string, content: DatasetContent): Manifest {
  checkSizes(content);
  let manifest: Manifest | undefined;
  writeFolderAtomic(folder, manifestName, (temporary) => {
    manifest = writeFiles(temporary, content);
    writeFileAtomic(join(temporary, manifestName), manifestText(manifest));
  });
  return manifest!;
}

function writeFiles(folder: string, content: DatasetContent): Manifest {
  const { table, metadata = [], distances = {}, vectors = {}, fromTree, perBatch = [], provenance } = content;
  const sequences = content.sequences ?? table.asvIds;
  const files: Record<string, Manifest["files"][string]> = {};
  const write = (name: string, fields: Field[], batches: Iterable<readonly Data[]>): void => {
    const segments = writeArrowFile(join(folder, name), new Schema(fields), batches);
    files[name] = { bytes: segments.reduce((sum, segment) => sum + segment.bytes, 0), segments };
  };

  const unknown: UnknownBases[] = [];
  const asvFields = [field("sequence", new Utf8()), field("tokens", listOf(new Uint8()))];
  if (content.sequences !== undefined) asvFields.unshift(field("id", new Utf8()));
  write("asvs.arrow", asvFields, asvBatches(content, sequences, unknown));

  const sampleFields = [
    field("id", new Utf8()),
    field("asvs", listOf(new Int32())),
    field("counts", listOf(new Float32())),
  ];
  write("samples.arrow", sampleFields, sampleBatches(table));

  const metrics = Object.keys(distances);
  if (metrics.length > 0) {
    const fields = metrics.map((name) => field(name, new Float32()));
    write("distances.arrow", fields, distanceBatches(Object.values(distances), table.sampleIds.length));
  }
  if (fromTree !== undefined) {
    const { parent, length, tipOfAsv } = fromTree.tree;
    const nodes = [numbers(new Int32(), parent), numbers(new Float64(), length)];
    write("tree.arrow", [field("parent", new Int32()), field("length", new Float64())], [nodes]);
    write("tips.arrow", [field("node", new Int32())], [[numbers(new Int32(), tipOfAsv)]]);
  }
  const vectorNames = Object.keys(vectors);
  if (vectorNames.length > 0) {
    const fields = vectorNames.map((name) => field(name, new Float32()));
    const columns = Object.values(vectors).map((values) => numbers(new Float32(), Float32Array.from(values)));
    write("vectors.arrow", fields, [columns]);
  }
  if (metadata.length > 0) {
    const columns = metadata.map((column, index) => columnData(column, index));
    const fields = metadata.map(
      (column, index) => new Field(column.name, columns[index].type, column.kind === "text"),
    );
    write("metadata.arrow", fields, [columns]);
  }

  return {
    format: "aam-dataset",
    formatVersion,
    createdBy: `${packageJson.name} ${packageJson.version}`,
    counts: {
      samples: table.sampleIds.length,
      asvs: table.asvIds.length,
      nonzero: table.indptr[table.sampleIds.length],
      longestAsv: sequences.reduce((longest, sequence) => Math.max(longest, tokenCount(sequence.length)), 0),
    },
    distances: [...metrics, ...perBatch],
    ...(perBatch.length > 0 && { perBatch }),
    ...(fromTree && { fromTree: fromTree.metrics }),
    vectors: vectorNames,
    metadata: metadata.map((column) => ({
      name: column.name,
      kind: column.kind,
      missing: missingValues(column),
    })),
    sources: provenance.sources,
    parameters: provenance.parameters,
    dropped: provenance.dropped,
    warnings: [...provenance.warnings, ...unknownBasesWarning(unknown, table.asvIds.length)],
    depths: provenance.depths,
    files,
  };
}

function checkSizes({ table, sequences, metadata = [], vectors = {}, fromTree }: DatasetContent): void {
  const samples = table.sampleIds.length;
  const check = (what: string, length: number, expected: number): void => {
    if (length !== expected) throw new RangeError(`${what}: ${length} values, ${expected} expected.`);
  };
  check("Sequences", sequences?.length ?? table.asvIds.length, table.asvIds.length);
  if (fromTree !== undefined) check("Tips", fromTree.tree.tipOfAsv.length, table.asvIds.length);
  check("Offsets of the table", table.indptr.length, samples + 1);
  for (const [name, values] of Object.entries(vectors)) check(`Vector ${name}`, values.length, samples);
  for (const column of metadata) {
    const values = column.kind === "numeric" ? column.values : column.codes;
    check(`Metadata column ${column.name}`, values.length, samples);
  }
}

function* asvBatches(
  content: DatasetContent,
  sequences: readonly string[],
  unknown: UnknownBases[],
): Generator<Data[]> {
  const ids = content.sequences === undefined ? undefined : content.table.asvIds;
  const bytesOf = (row: number) => 2 * tokenCount(sequences[row].length) + (ids?.[row].length ?? 0);
  for (const [start, end] of stretches(sequences.length, bytesOf)) {
    const part = sequences.slice(start, end);
    const tokens = tokenizeAll(part);
    const { firstSequence } = tokens.unknown;
    unknown.push({ ...tokens.unknown, firstSequence: firstSequence < 0 ? -1 : start + firstSequence });
    const columns: Data[] = [texts(part), lists(tokens.offsets, numbers(new Uint8(), tokens.values))];
    if (ids !== undefined) columns.unshift(texts(ids.slice(start, end)));
    yield columns;
  }
}

function* sampleBatches({ sampleIds, indptr, indices, data }: Table): Generator<Data[]> {
  const bytesOf = (row: number) => 8 * (indptr[row + 1] - indptr[row]) + sampleIds[row].length + 12;
  for (const [start, end] of stretches(sampleIds.length, bytesOf)) {
    const offsets = indptr.slice(start, end + 1).map((offset) => offset - indptr[start]);
    const asvs = indices.subarray(indptr[start], indptr[end]);
    const counts = Float32Array.from(data.subarray(indptr[start], indptr[end]));
    yield [
      texts(sampleIds.slice(start, end)),
      lists(offsets, numbers(new Int32(), asvs)),
      lists(offsets, numbers(new Float32(), counts)),
    ];
  }
}

/** Batches of equal length (the last may be shorter), which is what `dataset.ts` finds a pair's batch by. */
function* distanceBatches(columns: readonly Numbers[], samples: number): Generator<Data[]> {
  const pairs = (samples * (samples - 1)) / 2;
  const rows = Math.floor(batchBytes / 4 / columns.length);
  const takers = columns.map((column) => new NumberTaker(column));
  for (let start = 0; start === 0 || start < pairs; start += rows) {
    const length = Math.min(rows, pairs - start);
    yield takers.map((taker) => numbers(new Float32(), taker.take(length)));
  }
  if (takers.some((taker) => !taker.atEnd())) {
    throw new RangeError(`There are more distances than the ${pairs} pairs of ${samples} samples.`);
  }
}

/** Ranges of consecutive rows that hold about `batchBytes` each, at least one range. */
function* stretches(rows: number, bytesOf: (row: number) => number): Generator<[start: number, end: number]> {
  let start = 0;
  let bytes = 0;
  for (let row = 0; row < rows; row++) {
    bytes += bytesOf(row);
    if (bytes < batchBytes || row === rows - 1) continue;
    yield [start, row + 1];
    start = row + 1;
    bytes = 0;
  }
  yield [start, rows];
}

function unknownBasesWarning(parts: readonly UnknownBases[], asvs: number): string[] {
  const affected = parts.reduce((sum, part) => sum + part.sequences, 0);
  if (affected === 0) return [];
  const positions = parts.reduce((sum, part) => sum + part.positions, 0);
  const first = parts.find((part) => part.firstSequence >= 0)!.firstSequence;
  const characters = [...new Set(parts.flatMap((part) => Object.keys(part.characters)))].slice(0, 10);
  const cure = characters.some((one) => one === "-" || one === ".")
    ? " Gaps come of an alignment, and shift what follows them: give the sequences without."
    : "";
  return [
    `${affected} of ${asvs} ASVs have ${positions} positions that are not A, C, G, T or U ` +
      `(${characters.join(" ")}; first in ASV ${first + 1}): they are left out of attention.${cure}`,
  ];
}
