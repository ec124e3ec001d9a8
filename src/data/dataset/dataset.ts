import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Data } from "apache-arrow";
import { UserError } from "../../common/userError.ts";
import { ChosenPairs, type SampleCounts } from "../unifrac/chosenPairs.ts";
import type { UniFracMetric } from "../unifrac/metrics.ts";
import type { ShearedTree } from "../unifrac/shearTree.ts";
import type { Column } from "./column.ts";
import { DatasetFile, replaced } from "./datasetFile.ts";
import type { Manifest } from "./manifest.ts";
import { readManifest } from "./manifest.ts";
import { ComputedDistances, type PairDistances, StoredDistances } from "./pairDistances.ts";

/** The ASVs of a sample in ascending order, and how often each was counted. Views into the mapped file. */
export interface Sample {
  readonly asvs: Int32Array;
  readonly counts: Float32Array;
}

export interface OpenOptions {
  /**
   * Check every byte now. Otherwise files up to 32 MiB are checked now and parts of larger ones when they are
   * first used; either way no damaged part is ever used.
   */
  readonly verify?: boolean;
}

/**
 * An open data set (see `writeDataset`). Its arrays are views into private memory mappings:
 * reading costs no copy, and they must not be written to. They stay valid after `close` and when
 * the folder is replaced or deleted.
 */
export interface Dataset {
  /** Absolute path of the folder. */
  readonly path: string;
  readonly manifest: Manifest;
  readonly sampleCount: number;
  readonly asvCount: number;
  /** Decoded at the first use. */
  readonly sampleIds: readonly string[];
  /** The index of a sample, -1 if there is none of that id. */
  sampleIndex(id: string): number;
  sample(index: number): Sample;
  /** How many ASVs a sample has. */
  richness(index: number): number;
  asvId(row: number): string;
  /** Of all ASVs. */
  asvIds(): string[];
  asvSequence(row: number): string;
  /** START and the bases of an ASV (see `tokenizer.ts`), untrimmed. */
  asvTokens(row: number): Uint8Array;
  /** Pairwise distances by name. A `UserError` if the data set has none of that name. */
  distance(metric: string): PairDistances;
  /** Metrics, `faith_pd` too, that its tree gives for any sets of its ASVs. */
  readonly fromTree: readonly string[];
  /** Computes distances between any samples of its ASVs. A `UserError` where its tree does not give them. */
  chosenPairs(metric: string, sampleOf: (sample: number) => SampleCounts): ChosenPairs;
  /** The tree of its ASVs. A `UserError` if it has none. */
  tree(): ShearedTree;
  /** Values per sample by name, such as `faith_pd`. A `UserError` if the data set has none of that name. */
  vector(name: string): Float32Array;
  /** A metadata column. A `UserError` if the data set has none of that name. */
  column(name: string): Column;
  /** Gives the mappings free as soon as none of their arrays is in use. */
  close(): void;
  [Symbol.dispose](): void;
}

/** How long a folder may be away while another one takes its place, and more. */
const replacedWithinMs = 50;

/**
 * Opens a data set, in milliseconds whatever its size. A folder that is none, a missing, truncated or damaged
 * file and another format version are a `UserError` that says which file and what to do; the same holds later
 * for those parts of a large data set that are checked when they are first used.
 */
export function openDataset(folder: string, { verify = false }: OpenOptions = {}): Dataset {
  const path = resolve(folder);
  for (;;) {
    const before = identityOf(path);
    try {
      return new ArrowDataset(path, verify);
    } catch (cause) {
      // Who writes another one there moves the old one away first.
      if (before === undefined) Bun.sleepSync(replacedWithinMs);
      if (identityOf(path) === before) throw cause;
    }
  }
}

function identityOf(folder: string): string | undefined {
  try {
    const { ino, ctimeMs } = statSync(folder);
    return `${ino} ${ctimeMs}`;
  } catch {
    return undefined;
  }
}

/**
 * Opens a data set that another thread or process has open. @throws UserError also if there is another now.
 */
export function reopenDataset({ path, manifest }: Pick<Dataset, "path" | "manifest">): Dataset {
  const dataset = openDataset(path);
  if (!Bun.deepEquals(dataset.manifest, manifest)) throw replaced(path);
  return dataset;
}

/**
 * Checks every byte of a data set.
 * @throws UserError that names the first file that is not as it was written.
 */
export function verifyDataset(folder: string): void {
  openDataset(folder, { verify: true }).close();
}

/** Columns of `asvs.arrow` counted from its end, because the ids that precede them may be absent. */
const sequenceFromEnd = 2;
const tokensFromEnd = 1;

class ArrowDataset implements Dataset {
  readonly path: string;
  readonly manifest: Manifest;
  readonly #files = new Map<string, DatasetFile>();
  readonly #asvs: DatasetFile;
  readonly #samples: DatasetFile;
  #sampleIds: readonly string[] | undefined;
  #indexOfId: Map<string, number> | undefined;

  constructor(path: string, verify: boolean) {
    this.path = path;
    this.manifest = readManifest(path);
    for (const name of Object.keys(this.manifest.files)) {
      this.#files.set(name, new DatasetFile(path, name, this.manifest.files[name], verify));
    }
    this.#asvs = this.#file("asvs.arrow");
    this.#samples = this.#file("samples.arrow");
    const tips = this.#files.get("tips.arrow")?.rows ?? this.asvCount;
    if (
      this.#asvs.rows !== this.asvCount ||
      tips !== this.asvCount ||
      this.#samples.rows !== this.sampleCount
    )
      throw new UserError(
        `${path} is damaged: its parts do not belong together; prepare the data set again.`,
      );
  }

  get sampleCount(): number {
    return this.manifest.counts.samples;
  }

  get asvCount(): number {
    return this.manifest.counts.asvs;
  }

  get sampleIds(): readonly string[] {
    this.#sampleIds ??= this.#samples.batches().flatMap((columns) => decodeTexts(columns[0]));
    return this.#sampleIds;
  }

  sampleIndex(id: string): number {
    this.#indexOfId ??= new Map(this.sampleIds.map((sampleId, index) => [sampleId, index]));
    return this.#indexOfId.get(id) ?? -1;
  }

  sample(index: number): Sample {
    const { columns, row } = this.#samples.locate(index);
    const start = columns[1].valueOffsets[row];
    const end = columns[1].valueOffsets[row + 1];
    return {
      asvs: columns[1].children[0].values.subarray(start, end),
      counts: columns[2].children[0].values.subarray(start, end),
    };
  }

  richness(index: number): number {
    const { columns, row } = this.#samples.locate(index);
    return columns[1].valueOffsets[row + 1] - columns[1].valueOffsets[row];
  }

  asvId(row: number): string {
    const { columns, row: local } = this.#asvs.locate(row);
    return decodeText(columns[0], local);
  }

  asvIds(): string[] {
    return Array.from({ length: this.asvCount }, (_, row) => this.asvId(row));
  }

  asvSequence(row: number): string {
    const { columns, row: local } = this.#asvs.locate(row);
    return decodeText(columns[columns.length - sequenceFromEnd], local);
  }

  asvTokens(row: number): Uint8Array {
    const { columns, row: local } = this.#asvs.locate(row);
    const { valueOffsets, children } = columns[columns.length - tokensFromEnd];
    return children[0].values.subarray(valueOffsets[local], valueOffsets[local + 1]);
  }

  distance(metric: string): PairDistances {
    const { distances } = this.manifest;
    if (!distances.includes(metric)) throw this.#missing("distances", metric, distances);
    const { perBatch = [] } = this.manifest;
    if (perBatch.includes(metric)) {
      const pairs = this.chosenPairs(metric, (sample) => this.sample(sample));
      return new ComputedDistances(metric, this.sampleCount, pairs);
    }
    const position = distances.filter((name) => !perBatch.includes(name)).indexOf(metric);
    const file = this.#file("distances.arrow");
    const parts: Float32Array[] = [];
    const part = (index: number) => (parts[index] ??= valuesOf<Float32Array>(file.batch(index)[position]));
    return new StoredDistances(metric, this.sampleCount, {
      partLength: Math.max(1, file.firstBatchRows),
      part,
    });
  }

  get fromTree(): readonly string[] {
    const { perBatch = [], fromTree = perBatch } = this.manifest;
    return fromTree;
  }

  chosenPairs(metric: string, sampleOf: (sample: number) => SampleCounts): ChosenPairs {
    const { fromTree } = this;
    if (!fromTree.includes(metric)) throw this.#missing("tree for distances", metric, fromTree);
    const { alpha = 1, varianceAdjusted = false, precision } = this.manifest.parameters;
    return new ChosenPairs(this.tree(), sampleOf, {
      metric: metric as UniFracMetric,
      alpha: Number(alpha),
      varianceAdjusted: varianceAdjusted === true,
      precision: precision === "float64" ? "float64" : "float32",
    });
  }

  tree(): ShearedTree {
    const [parent, length] = this.#file("tree.arrow").batch(0);
    const [tipOfAsv] = this.#file("tips.arrow").batch(0);
    return { parent: valuesOf(parent), length: valuesOf(length), tipOfAsv: valuesOf(tipOfAsv) };
  }

  vector(name: string): Float32Array {
    const { vectors } = this.manifest;
    const position = vectors.indexOf(name);
    if (position < 0) throw this.#missing("values per sample", name, vectors);
    return valuesOf(this.#file("vectors.arrow").batch(0)[position]);
  }

  column(name: string): Column {
    const names = this.manifest.metadata.map((column) => column.name);
    const position = names.indexOf(name);
    if (position < 0) throw this.#missing("metadata column", name, names);
    const data = this.#file("metadata.arrow").batch(0)[position];
    if (this.manifest.metadata[position].kind === "numeric")
      return { kind: "numeric", name, values: valuesOf(data) };
    return { kind: "text", name, codes: valuesOf(data), categories: decodeTexts(data.dictionary!.data[0]) };
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #file(name: string): DatasetFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new UserError(`${this.path} has no ${name}; prepare the data set again.`);
    return file;
  }

  #missing(what: string, name: string, known: readonly string[]): UserError {
    const has = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
    return new UserError(`The data set ${this.path} has no ${what} "${name}": ${has}.`);
  }
}

/** The numbers of a column, without a copy. The stored buffer may be longer: Arrow pads it to eight bytes. */
function valuesOf<T extends Float32Array | Float64Array | Int32Array>(column: Data): T {
  return column.values.subarray(0, column.length) as T;
}

const utf8 = new TextDecoder();

function decodeText(column: Data, row: number): string {
  return utf8.decode(column.values.subarray(column.valueOffsets[row], column.valueOffsets[row + 1]));
}

/** All texts of a column; a single decode where every character is one byte. */
function decodeTexts(column: Data): string[] {
  const { valueOffsets, length } = column;
  const all = utf8.decode(column.values.subarray(valueOffsets[0], valueOffsets[length]));
  const texts = new Array<string>(length);
  const singleBytes = all.length === valueOffsets[length] - valueOffsets[0];
  for (let i = 0; i < length; i++) {
    texts[i] = singleBytes
      ? all.slice(valueOffsets[i] - valueOffsets[0], valueOffsets[i + 1] - valueOffsets[0])
      : decodeText(column, i);
  }
  return texts;
}
