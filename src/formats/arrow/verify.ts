import { unpackedLimit } from "../../common/files/inputFile.ts";

/**
 * Looks whether the metadata of Arrow IPC files keep within their bytes, before they are handed to the Arrow
 * library: that trusts every length and offset, and with damaged ones takes gigabytes or never ends. Field
 * numbers are those of Arrow's Footer.fbs, Message.fbs and Schema.fbs; the encoding is that of FlatBuffers.
 */

/** Says that bytes are no sound Arrow metadata. */
export class ArrowDamage extends Error {}

function damaged(what: string): never {
  throw new ArrowDamage(what);
}

const deepestNesting = 32;
const blockBytes = 24;
const nodeBytes = 16;
const bufferBytes = 16;
const timestampType = 10;
const unionType = 14;
const fixedSizeTypes = [15, 16];
const schemaHeader = 1;
const dictionaryHeader = 2;
const batchHeader = 3;

/** The place of a field's value in a table, or 0 where the table leaves it out. */
type Field = (number: number, width: number) => number;

class FlatBuffer {
  readonly #view: DataView;
  /** Tables may be shared, so that few bytes could stand for endlessly many. */
  #tablesLeft: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tablesLeft = bytes.byteLength;
  }

  #need(at: number, count: number): void {
    if (!(at >= 0 && at + count <= this.#view.byteLength)) damaged("it points beyond its end");
  }

  uint8(at: number): number {
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  /** A 32-bit number, which must be 0 or more. */
  count(at: number): number {
    const value = at === 0 ? 0 : this.#view.getInt32(at, true);
    if (value < 0) damaged("a size is impossible");
    return value;
  }

  /** A 64-bit number, which must be from 0 to 2^53 - 1. */
  size(at: number): number {
    this.#need(at, 8);
    const value = Number(this.#view.getBigInt64(at, true));
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) damaged("a size is impossible");
    return value;
  }

  root(): Field {
    this.#need(0, 4);
    return this.table(this.#view.getUint32(0, true));
  }

  table(at: number): Field {
    if (--this.#tablesLeft < 0) damaged("it has too many tables");
    this.#need(at, 4);
    const entries = at - this.#view.getInt32(at, true);
    this.#need(entries, 4);
    const entryBytes = this.#view.getUint16(entries, true);
    const tableBytes = this.#view.getUint16(entries + 2, true);
    if (entryBytes < 4 || entryBytes % 2 !== 0 || tableBytes < 4) damaged("a table is malformed");
    this.#need(entries, entryBytes);
    this.#need(at, tableBytes);
    return (number, width) => {
      const entry = 4 + 2 * number;
      const offset = entry + 2 <= entryBytes ? this.#view.getUint16(entries + entry, true) : 0;
      if (offset === 0) return 0;
      if (offset < 4 || offset + width > tableBytes) damaged("a field lies outside its table");
      return at + offset;
    };
  }

  /** Where an offset at `at` points to; 0 for a field that is left out. */
  target(at: number): number {
    if (at === 0) return 0;
    this.#need(at, 4);
    const target = at + this.#view.getUint32(at, true);
    this.#need(target, 4);
    return target;
  }

  subtable(at: number): Field | undefined {
    const target = this.target(at);
    return target === 0 ? undefined : this.table(target);
  }

  /** The elements of a vector (or the bytes of a text). */
  vector(at: number, width: number): { start: number; length: number } {
    const target = this.target(at);
    if (target === 0) return { start: 0, length: 0 };
    const length = this.#view.getUint32(target, true);
    this.#need(target + 4, length * width);
    return { start: target + 4, length };
  }

  *tables(at: number): Generator<Field> {
    const { start, length } = this.vector(at, 4);
    for (let i = 0; i < length; i++) {
      const table = this.subtable(start + 4 * i);
      if (table) yield table;
    }
  }
}

/** Key and value texts. */
function verifyPairs(buffer: FlatBuffer, at: number): void {
  for (const pair of buffer.tables(at)) {
    buffer.vector(pair(0, 4), 1);
    buffer.vector(pair(1, 4), 1);
  }
}

function verifySchema(buffer: FlatBuffer, schema: Field): void {
  for (const field of buffer.tables(schema(1, 4))) verifyField(buffer, field, 0);
  verifyPairs(buffer, schema(2, 4));
}

function verifyField(buffer: FlatBuffer, field: Field, depth: number): void {
  if (depth > deepestNesting) damaged("its types are nested too deeply");
  buffer.vector(field(0, 4), 1);
  const type = buffer.subtable(field(3, 4));
  if (type === undefined) damaged("a field has no type");
  const kind = buffer.uint8(field(2, 1));
  if (kind === timestampType) buffer.vector(type(1, 4), 1);
  if (kind === unionType) buffer.vector(type(1, 4), 4);
  if (fixedSizeTypes.includes(kind)) buffer.count(type(0, 4));
  const dictionary = buffer.subtable(field(4, 4));
  if (dictionary) buffer.subtable(dictionary(1, 4));
  for (const child of buffer.tables(field(5, 4))) verifyField(buffer, child, depth + 1);
  verifyPairs(buffer, field(6, 4));
}

function verifyBatch(buffer: FlatBuffer, batch: Field, bodyBytes: number): void {
  const rows = batch(0, 8);
  const unpackedBytes = batch(3, 4) === 0 ? bodyBytes : unpackedLimit(bodyBytes);
  if (rows !== 0 && buffer.size(rows) > 8 * unpackedBytes)
    damaged("it claims more rows than it has bytes for");
  const nodes = buffer.vector(batch(1, 4), nodeBytes);
  for (let i = 0; i < nodes.length; i++) {
    const length = buffer.size(nodes.start + nodeBytes * i);
    // Not even truth values take less than a bit each.
    if (length > 8 * unpackedBytes) damaged("it claims more values than it has bytes for");
    if (buffer.size(nodes.start + nodeBytes * i + 8) > length) damaged("it claims more nulls than values");
  }
  const buffers = buffer.vector(batch(2, 4), bufferBytes);
  for (let i = 0; i < buffers.length; i++) {
    const start = buffer.size(buffers.start + bufferBytes * i);
    if (start + buffer.size(buffers.start + bufferBytes * i + 8) > bodyBytes)
      damaged("values lie outside its body");
  }
  buffer.subtable(batch(3, 4));
  buffer.vector(batch(4, 4), 8);
}

/** Where a message with a record batch or dictionary stands in its file. */
export interface ArrowBlock {
  readonly offset: number;
  readonly metaDataLength: number;
  readonly bodyLength: number;
}

/** Checks the footer of a file of `fileBytes` bytes and returns where its batches and dictionaries are. */
export function verifyFooter(
  footer: Uint8Array,
  fileBytes: number,
): { batches: ArrowBlock[]; dictionaries: ArrowBlock[] } {
  const buffer = new FlatBuffer(footer);
  const root = buffer.root();
  const schema = buffer.subtable(root(1, 4));
  if (schema === undefined) damaged("it has no schema");
  verifySchema(buffer, schema);
  verifyPairs(buffer, root(4, 4));
  const view = new DataView(footer.buffer, footer.byteOffset, footer.byteLength);
  const blocksOf = (field: number): ArrowBlock[] => {
    const { start, length } = buffer.vector(root(field, 4), blockBytes);
    return Array.from({ length }, (_, i) => {
      const at = start + blockBytes * i;
      const block = {
        offset: buffer.size(at),
        metaDataLength: view.getInt32(at + 8, true),
        bodyLength: buffer.size(at + 16),
      };
      const { offset, metaDataLength, bodyLength } = block;
      if (metaDataLength < 8 || offset + metaDataLength + bodyLength > fileBytes)
        damaged("a batch lies outside the file");
      return block;
    });
  };
  return { batches: blocksOf(3), dictionaries: blocksOf(2) };
}

/**
 * Checks the metadata of a message (without the eight bytes before them) whose body has `bodyBytes` bytes.
 */
export function verifyMessage(metadata: Uint8Array, bodyBytes: number): void {
  const buffer = new FlatBuffer(metadata);
  const message = buffer.root();
  const bodyLength = message(3, 8);
  if (bodyLength !== 0 && buffer.size(bodyLength) > bodyBytes) damaged("its body lies outside the file");
  const kind = buffer.uint8(message(1, 1));
  const header = buffer.subtable(message(2, 4));
  if (header === undefined) damaged("a message has no header");
  if (kind === schemaHeader) verifySchema(buffer, header);
  else if (kind === batchHeader) verifyBatch(buffer, header, bodyBytes);
  else if (kind === dictionaryHeader) {
    const batch = buffer.subtable(header(1, 4));
    if (batch) verifyBatch(buffer, batch, bodyBytes);
  } else damaged("a message is of an unknown kind");
  verifyPairs(buffer, message(4, 4));
}

/** The magic word at both ends, and before the second one the length of the footer. */
const magicBytes = 6;

/** Checks a whole Arrow IPC file in memory. @throws ArrowDamage */
export function verifyArrowFile(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const footerEnd = bytes.length - magicBytes - 4;
  if (footerEnd < 8) damaged("it is too short");
  const end = bytes.subarray(bytes.length - magicBytes);
  if (new TextDecoder("latin1").decode(end) !== "ARROW1") damaged("its end is missing");
  const footerBytes = view.getInt32(footerEnd, true);
  if (footerBytes < 0 || footerBytes > footerEnd - 8) damaged("its footer is damaged");
  const { batches, dictionaries } = verifyFooter(
    bytes.subarray(footerEnd - footerBytes, footerEnd),
    bytes.length,
  );
  for (const { offset } of [...dictionaries, ...batches]) {
    // The continuation mark and the length of the metadata: the library goes by these, not by the footer.
    const length = view.getInt32(offset + 4, true);
    const body = offset + 8 + length;
    if (view.getInt32(offset, true) !== -1 || length < 0 || body > bytes.length)
      damaged("a message does not begin where it should");
    verifyMessage(bytes.subarray(offset + 8, body), bytes.length - body);
  }
}
