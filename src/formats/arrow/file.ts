import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import type { Data, DataType, Field, Schema, TypeMap } from "apache-arrow";
import { makeData, RecordBatch, RecordBatchFileWriter, Struct, Vector } from "apache-arrow";
import type { FileBlock } from "apache-arrow/ipc/metadata/file";
import { Footer } from "apache-arrow/ipc/metadata/file";
import type { RecordBatch as BatchHeader, DictionaryBatch } from "apache-arrow/ipc/metadata/message";
import { Message } from "apache-arrow/ipc/metadata/message";
import { VectorLoader } from "apache-arrow/visitor/vectorloader";
import { ArrowDamage, verifyFooter, verifyMessage } from "./verify.ts";

/**
 * A stretch of an Arrow file that is mapped and checked as one: a record batch (the first together
 * with the file's head and dictionaries) or, with no rows, the footer. A file's segments follow
 * each other without a gap.
 */
export interface Segment {
  readonly rows: number;
  readonly bytes: number;
  /** Finds damage, not forgery. */
  readonly checksum: string;
}

/** Mapped windows start at a multiple of this, which is a multiple of every page size in use. */
const windowAlignment = 65_536;
/** The length of the footer and the closing magic. */
const fileSuffixBytes = 10;

/** The 64-bit wyhash of some bytes (about 19 GB/s), in hexadecimal. */
export function checksumOf(bytes: Uint8Array | string): string {
  return Bun.hash.wyhash(bytes).toString(16).padStart(16, "0");
}

/** Thrown where the bytes of a file are not those that were written. */
export class ChecksumError extends Error {
  override name = "ChecksumError";

  constructor() {
    super("The bytes are not those that were written.");
  }
}

/**
 * An Arrow IPC file, memory-mapped one record batch at a time when that is first used, so that opening costs
 * the same at any size and files beyond 4 GiB (the largest ArrayBuffer) work. Every segment is checked before
 * it is used. The mappings are private: a write to an array does not reach the file.
 */
export class ArrowFile {
  readonly schema: Schema;
  /** The first row of each batch, and at the end the number of rows. */
  readonly rowStarts: readonly number[];
  readonly #path: string;
  readonly #segments: readonly Segment[];
  readonly #blocks: readonly FileBlock[];
  readonly #dictionaryBlocks: readonly FileBlock[];
  readonly #batches: (readonly Data[] | undefined)[];
  readonly #dictionaries = new Map<number, Vector>();

  /** `segments` as `writeArrowFile` returned them. @throws ChecksumError if the footer is damaged. */
  constructor(path: string, segments: readonly Segment[]) {
    this.#path = path;
    this.#segments = segments;
    const footer = readFooter(path, segments);
    this.schema = footer.schema;
    if (footer.numRecordBatches !== segments.length - 1) throw new ArrowDamage("batches are missing");
    this.#blocks = [...footer.recordBatches()];
    this.#dictionaryBlocks = [...footer.dictionaryBatches()];
    this.#batches = new Array(this.#blocks.length);
    const starts = [0];
    for (let i = 0; i < this.#blocks.length; i++) starts.push(starts[i] + segments[i].rows);
    this.rowStarts = starts;
  }

  get batchCount(): number {
    return this.#blocks.length;
  }

  get rows(): number {
    return this.rowStarts[this.batchCount];
  }

  /** The batch that holds a row. */
  batchOf(row: number): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.rowStarts[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The columns of one batch, in the schema's order. @throws ChecksumError if it is damaged. */
  batch(index: number): readonly Data[] {
    return (this.#batches[index] ??= this.#loadBatch(index));
  }

  isLoaded(index: number): boolean {
    return this.#batches[index] !== undefined;
  }

  /** Maps and checks all that was not used so far. @throws ChecksumError at the first damaged segment. */
  verify(): void {
    for (let i = 0; i < this.#blocks.length; i++) this.batch(i);
  }

  #loadBatch(index: number): readonly Data[] {
    // The dictionaries lie before the first batch, in its segment.
    if (index > 0 && this.#dictionaryBlocks.length > 0) this.batch(0);
    let start = 0;
    for (let i = 0; i < index; i++) start += this.#segments[i].bytes;
    const bytes = mapWindow(this.#path, start, this.#segments[index].bytes);
    if (checksumOf(bytes) !== this.#segments[index].checksum) throw new ChecksumError();
    if (index === 0) {
      for (const block of this.#dictionaryBlocks) this.#loadDictionary(bytes, block);
    }
    const { header, body } = readMessage(bytes, this.#blocks[index], start);
    const columns = this.#loadColumns(header as unknown as BatchHeader, body, this.schema.fields);
    const { rows } = this.#segments[index];
    if (columns.some(({ length }) => length !== rows)) throw new ArrowDamage("rows are missing");
    return columns;
  }

  #loadDictionary(bytes: Uint8Array, block: FileBlock): void {
    const message = readMessage(bytes, block, 0);
    const header = message.header as unknown as DictionaryBatch;
    const type = this.schema.dictionaries.get(header.id);
    if (type === undefined) throw new ChecksumError();
    this.#dictionaries.set(header.id, new Vector(this.#loadColumns(header.data, message.body, [type])));
  }

  #loadColumns(header: BatchHeader, body: Uint8Array, types: (Field | DataType)[]): Data[] {
    const { metadataVersion } = this.schema;
    const loader = new VectorLoader(body, header.nodes, header.buffers, this.#dictionaries, metadataVersion);
    return loader.visitMany(types);
  }
}

function readFooter(path: string, segments: readonly Segment[]): Footer {
  const last = segments[segments.length - 1];
  let start = 0;
  for (let i = 0; i < segments.length - 1; i++) start += segments[i].bytes;
  const bytes = readWindow(path, start, last.bytes);
  if (checksumOf(bytes) !== last.checksum) throw new ChecksumError();
  const suffix = bytes.length - fileSuffixBytes;
  const length = suffix < 0 ? -1 : new DataView(bytes.buffer).getInt32(suffix, true);
  if (length < 0 || length > suffix) throw new ArrowDamage("the footer is damaged");
  const footer = bytes.subarray(suffix - length, suffix);
  verifyFooter(footer, start + last.bytes);
  return Footer.decode(footer);
}

/**
 * What `Bun.mmap` fails with on a file that may only be read: it opens files for writing too,
 * whatever it maps them for.
 */
const readOnlyCodes = new Set(["EACCES", "EPERM", "EROFS"]);

/**
 * The part of a file from `start` on, without a copy; a copy where the file or its file system is read-only.
 */
function mapWindow(path: string, start: number, size: number): Uint8Array {
  const before = start % windowAlignment;
  try {
    return Bun.mmap(path, { offset: start - before, size: before + size, shared: false }).subarray(before);
  } catch (cause) {
    if (readOnlyCodes.has((cause as { code?: string }).code ?? "")) return readWindow(path, start, size);
    throw cause;
  }
}

/** A copy of a part of a file; zeros where the file ends before. */
function readWindow(path: string, start: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const descriptor = openSync(path, "r");
  try {
    let filled = 0;
    for (let read = 1; read > 0 && filled < size; filled += read)
      read = readSync(descriptor, bytes, filled, size - filled, start + filled);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/**
 * The header and the body of the message that `block` points to, in `bytes`, which
 * begin at `start` of the file.
 */
function readMessage(
  bytes: Uint8Array,
  block: FileBlock,
  start: number,
): { header: object; body: Uint8Array } {
  const head = block.offset - start;
  const bodyStart = head + block.metaDataLength;
  if (head < 0 || bodyStart + block.bodyLength > bytes.length)
    throw new ArrowDamage("a batch lies elsewhere");
  // Eight bytes come first: the continuation marker and the length of the metadata.
  const metadata = bytes.subarray(head + 8, bodyStart);
  verifyMessage(metadata, block.bodyLength);
  const message = Message.decode(metadata);
  return { header: message.header(), body: bytes.subarray(bodyStart, bodyStart + block.bodyLength) };
}

/** Hands what the Arrow writer produces straight to a file, so that nothing is gathered in memory. */
class DescriptorWriter extends RecordBatchFileWriter<TypeMap> {
  /** Bytes written so far, the footer included. */
  written = 0;
  readonly #descriptor: number;

  constructor(descriptor: number, schema: Schema) {
    super();
    this.#descriptor = descriptor;
    this.reset(undefined, schema);
  }

  protected override _write(chunk: ArrayBufferView | ArrayBuffer): this {
    if (!this._started) return this;
    const bytes = ArrayBuffer.isView(chunk)
      ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : new Uint8Array(chunk);
    for (let offset = 0; offset < bytes.length; ) {
      // Linux writes at most 2 GiB - 4 KiB at once.
      offset += writeSync(this.#descriptor, bytes, offset, Math.min(bytes.length - offset, 2 ** 30));
    }
    this._position += bytes.length;
    this.written += bytes.length;
    return this;
  }
}

/**
 * Writes batches of columns (in the schema's order) as an Arrow IPC file, syncs it to the disk and returns
 * its segments. Not atomic: the folder it lies in is renamed as a whole by its writer.
 */
export function writeArrowFile(path: string, schema: Schema, batches: Iterable<readonly Data[]>): Segment[] {
  const lengths: { rows: number; bytes: number }[] = [];
  const descriptor = openSync(path, "wx");
  try {
    const writer = new DescriptorWriter(descriptor, schema);
    let start = 0;
    const type = new Struct(schema.fields);
    for (const columns of batches) {
      const rows = columns[0]?.length ?? 0;
      const children = [...columns];
      writer.write(new RecordBatch(schema, makeData({ type, length: rows, nullCount: 0, children })));
      lengths.push({ rows, bytes: writer.written - start });
      start = writer.written;
    }
    writer.finish();
    lengths.push({ rows: 0, bytes: writer.written - start });
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  let start = 0;
  return lengths.map(({ rows, bytes }) => {
    const segment = { rows, bytes, checksum: checksumOf(mapWindow(path, start, bytes)) };
    start += bytes;
    return segment;
  });
}
