import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describeInput } from "../../../src/data/describe/describe.ts";
import { writeSquareArrow } from "../../../src/data/distances/arrow.ts";
import { type Distances, pairCount } from "../../../src/data/distances/distances.ts";
import { readDistances } from "../../../src/data/distances/read.ts";
import { readSampleVector, type SampleVector } from "../../../src/data/distances/sampleVector.ts";
import { type Metadata, readMetadata } from "../../../src/data/metadata/read.ts";
import { readIdFile } from "../../../src/data/split/files.ts";
import { readTree } from "../../../src/data/tree/read.ts";
import type { Tree } from "../../../src/data/tree/tree.ts";
import { type NpyArray, readNpy } from "../../../src/formats/npy/npy.ts";
import { makeQza } from "../../material/makeQza.ts";
import { makeZip } from "../../material/makeZip.ts";
import type { FuzzedReader } from "./fuzzReader.ts";
import { inputFolder, pathReader } from "./pathReader.ts";
import { tableReaders } from "./tableReaders.ts";

const fixtures = join(import.meta.dir, "../../../tests/fixtures");
const fixture = (path: string) => new Uint8Array(readFileSync(join(fixtures, path)));
const distanceFixtures = (pattern: RegExp) =>
  readdirSync(join(fixtures, "distances"))
    .filter((name) => pattern.test(name))
    .map((name) => fixture(`distances/${name}`));
const text = (content: string) => new TextEncoder().encode(content);

const trees = [
  "((A:0.1,B:2e-1)'a node':0.3,(C,D:1)0.98:1,E:.5);",
  "[&R] (('it''s':1[a [nested] comment],b_c:0):1.25,d:0.0001)root:0;\n",
  `${"(".repeat(60)}x:1${",y:1)".repeat(60)};`,
].map(text);
const metadata = [
  "sample-id\tage\tsite\n#q2:types\tnumeric\tcategorical\nS1\t12.5\tgut\nS2\t\tskin\nS3\tnan\t\n",
  "#SampleID\tBarcode\tx y\r\n# a comment\r\nS1\tACGT\t1\r\n\r\nS2\tAC\t-2e3\r\n",
].map(text);
const commaMetadata = [text('id,age,"a, b"\nS1,1,"x ""y"""\nS2,,"two\nlines"\n')];
const idLists = [text("S1\nS2\n\n S3 \r\nS4"), new Uint8Array(gzipSync("S1\nS2\n"))];

function checkDistances({ ids, values }: Distances): void {
  if (new Set(ids).size !== ids.length || values.length !== pairCount(ids.length))
    throw new Error("inconsistent distances");
  if (!values.every((value) => value >= 0 && value < Infinity)) throw new Error("impossible distances");
}

function checkVector({ ids, values }: SampleVector): void {
  if (new Set(ids).size !== ids.length || values.length !== ids.length)
    throw new Error("inconsistent vector");
  if (!values.every(Number.isFinite)) throw new Error("impossible values");
}

function checkTree({ parent, length, names }: Tree): void {
  if (parent[0] !== -1 || length.length !== parent.length || names.length !== parent.length)
    throw new Error("inconsistent tree");
  for (let i = 1; i < parent.length; i++)
    if (!(parent[i] >= 0 && parent[i] < i)) throw new Error("a parent stands behind its child");
  if (!length.every(Number.isFinite)) throw new Error("impossible lengths");
}

function checkMetadata({ ids, columns, lines }: Metadata): void {
  if (new Set(ids).size !== ids.length || lines.length !== ids.length) throw new Error("inconsistent rows");
  for (const { values } of columns.values())
    if (values.length !== ids.length) throw new Error("inconsistent column");
}

function checkArray({ shape, values, dtype }: NpyArray): void {
  const parts = dtype.startsWith("complex") ? 2 : 1;
  if (shape.reduce((product, size) => product * size, parts) !== values.length)
    throw new Error("inconsistent array");
}

function arrowMatrix(): Uint8Array {
  const path = join(inputFolder(), "seed.arrow");
  const rows = [Float32Array.of(0, 1, 2), Float32Array.of(1, 0, 3), Float32Array.of(2, 3, 0)];
  writeSquareArrow(path, { ids: ["a", "b", "c"], precision: "float32", rows: () => rows });
  return new Uint8Array(readFileSync(path));
}

/** Every reader of a study's files: tables, trees, metadata, distances, arrays, lists. */
export function fileReaders(): FuzzedReader[] {
  const arrays = Object.values(
    JSON.parse(readFileSync(join(fixtures, "npy/arrays.json"), "utf8")) as Record<string, { npy: string }>,
  );
  const npyFiles = arrays.map(({ npy }) => new Uint8Array(Buffer.from(npy, "base64")));
  const sampleOrder = (rows: number) => Array.from({ length: rows }, (_, i) => `S${i}`);
  const distances = (name: string, files: Uint8Array[]): FuzzedReader =>
    pathReader({
      name: `distances, ${name}`,
      files,
      file: "input.dist",
      readPath: (path) => readDistances(path, { sampleOrder }),
      check: (result) => checkDistances(result as Distances),
    }) as FuzzedReader;
  const vectors = [
    fixture("distances/faithpd.tsv"),
    text("id,age\nS1,1\nS2,2.5\n"),
    fixture("distances/vector.npy"),
  ];
  const matrix = fixture("distances/lsmat.tsv");
  const named = ["matrix", "ids"].map((name, i) => ({
    name: `${name}.npy`,
    content: npyFiles[i],
    stored: true,
  }));
  const others = [
    pathReader({ name: "Newick", files: trees, file: "input.nwk", readPath: readTree, check: checkTree }),
    pathReader({
      name: "Newick in artifacts",
      files: trees.map((tree) => makeQza("Phylogeny[Rooted]", { "tree.nwk": tree })),
      file: "input.qza",
      readPath: readTree,
      check: checkTree,
    }),
    pathReader({
      name: "metadata, tabs",
      files: metadata,
      file: "input.tsv",
      readPath: readMetadata,
      check: checkMetadata,
    }),
    pathReader({
      name: "metadata, commas",
      files: commaMetadata,
      file: "input.csv",
      readPath: readMetadata,
      check: checkMetadata,
    }),
    pathReader({
      name: "lists of ids",
      files: idLists,
      file: "input.txt",
      readPath: readIdFile,
      check: () => {},
    }),
    pathReader({ name: "npy", files: npyFiles, file: "input.npy", readPath: readNpy, check: checkArray }),
    pathReader({
      name: "values per sample",
      files: vectors,
      file: "input.vec",
      readPath: (path) => readSampleVector(path, { sampleOrder: ["a", "b", "c"] }),
      check: checkVector,
    }),
  ];
  return [
    ...tableReaders(),
    ...(others as unknown as FuzzedReader[]),
    distances("text", [matrix, fixture("distances/ssu.tsv"), text("a b\n0 1\n1 0\n")]),
    distances("npy", distanceFixtures(/^float32\.npy$/)),
    distances("npz", [...distanceFixtures(/\.npz$/), makeZip(named)]),
    distances("HDF5", distanceFixtures(/\.h5$/)),
    distances("Arrow", [arrowMatrix()]),
    distances("artifacts", [makeQza("DistanceMatrix", { "distance-matrix.tsv": matrix })]),
    pathReader({
      name: "any file, described",
      files: [
        ...trees,
        ...metadata,
        ...idLists,
        ...npyFiles.slice(0, 3),
        ...distanceFixtures(/\./),
        ...tableReaders().flatMap(({ files }) => files),
      ],
      file: "input",
      readPath: describeInput,
      check: (description) => JSON.stringify(description),
    }) as FuzzedReader,
  ];
}
