import { deflateSync } from "node:zlib";
import { ByteWriter } from "./byteWriter.ts";

export type NumericArray = Int32Array | Float32Array | Float64Array | BigInt64Array;

/** Numbers that are made while the file is written, for what does not fit into memory. */
export interface StreamedNumbers {
  readonly type: "float32" | "float64";
  readonly length: number;
  /** Their bytes, in little-endian order. */
  readonly pieces: () => Iterable<Uint8Array>;
}

export interface Hdf5DatasetToWrite {
  /** Numbers, or strings, which become variable-length UTF-8. */
  readonly values: NumericArray | readonly string[] | StreamedNumbers;
  /** Defaults to one dimension; the product must be `values.length`. An empty shape is a scalar. */
  readonly shape?: readonly number[];
  /** gzip level 1 to 9 for one-dimensional numbers; everything else is stored as it is. */
  readonly gzip?: number;
}

export interface Hdf5GroupToWrite {
  readonly attributes?: Readonly<Record<string, string | readonly number[] | number>>;
  readonly groups?: Readonly<Record<string, Hdf5GroupToWrite>>;
  readonly datasets?: Readonly<Record<string, Hdf5DatasetToWrite>>;
}

const undefinedAddress = 0xffffffffffffffffn;
const superblockSize = 48;
/**
 * Fixed by the format for files whose superblock does not say otherwise: a B-tree node holds up to 64 chunks.
 */
const chunksPerNode = 64;
const smallestChunk = 1 << 16;

/**
 * Encodes an HDF5 file in the layout of HDF5 1.8 (superblock 2, version 2 object headers, compact groups,
 * chunks in a version 1 B-tree of one node), which every HDF5 library since 2008 reads.
 * Source: "HDF5 File Format Specification Version 3.0", The HDF Group.
 * @returns the file's bytes in pieces, in order.
 */
export function encodeHdf5(root: Hdf5GroupToWrite): Uint8Array[] {
  return [...streamHdf5(root)];
}

/** Like `encodeHdf5`, making streamed numbers when their turn comes. */
export function* streamHdf5(root: Hdf5GroupToWrite): Generator<Uint8Array> {
  const file = new FileSpace();
  const rootAddress = writeGroup(file, root);
  const superblock = new ByteWriter()
    .ascii("\x89HDF\r\n\x1a\n")
    .u8(2, 8, 8, 0)
    .u64(0)
    .u64(undefinedAddress)
    .u64(file.end)
    .u64(rootAddress);
  file.pieces[0] = superblock.checksummed();
  for (const piece of file.pieces) {
    if (ArrayBuffer.isView(piece)) yield piece;
    else yield* piece.pieces();
  }
}

/** The file under construction: pieces are appended, each at the address it will have in the file. */
class FileSpace {
  readonly pieces: (Uint8Array | StreamedNumbers)[] = [new Uint8Array(superblockSize)];
  end = superblockSize;

  append(bytes: Uint8Array): number {
    return this.#place(bytes, bytes.length);
  }

  appendStream(numbers: StreamedNumbers): number {
    return this.#place(numbers, numbers.length * (numbers.type === "float64" ? 8 : 4));
  }

  #place(piece: Uint8Array | StreamedNumbers, bytes: number): number {
    const address = this.end;
    this.pieces.push(piece);
    this.end += bytes;
    const padding = (8 - (this.end % 8)) % 8;
    if (padding > 0) {
      this.pieces.push(new Uint8Array(padding));
      this.end += padding;
    }
    return address;
  }
}

const messageType = {
  dataspace: 1,
  linkInfo: 2,
  datatype: 3,
  fill: 5,
  link: 6,
  layout: 8,
  group: 10,
  filters: 11,
  attribute: 12,
};

function objectHeader(messages: readonly (readonly [type: number, body: Uint8Array])[]): Uint8Array {
  const body = new ByteWriter();
  for (const [type, bytes] of messages) body.u8(type).u16(bytes.length).u8(0).bytes(bytes);
  return new ByteWriter().ascii("OHDR").u8(2, 2).u32(body.length).bytes(body.done()).checksummed();
}

function writeGroup(file: FileSpace, group: Hdf5GroupToWrite): number {
  const messages: [number, Uint8Array][] = [
    [messageType.linkInfo, new ByteWriter().u8(0, 0).u64(undefinedAddress, undefinedAddress).done()],
    [messageType.group, new ByteWriter().u8(0, 0).done()],
  ];
  const link = (name: string, address: number) => {
    const encoded = new TextEncoder().encode(name);
    messages.push([
      messageType.link,
      new ByteWriter().u8(1, 0, encoded.length).bytes(encoded).u64(address).done(),
    ]);
  };
  for (const [name, child] of Object.entries(group.groups ?? {})) link(name, writeGroup(file, child));
  for (const [name, child] of Object.entries(group.datasets ?? {})) link(name, writeDataset(file, child));
  for (const [name, value] of Object.entries(group.attributes ?? {})) {
    messages.push([messageType.attribute, attribute(file, name, value)]);
  }
  return file.append(objectHeader(messages));
}

function attribute(file: FileSpace, name: string, value: string | readonly number[] | number): Uint8Array {
  const isText = typeof value === "string";
  const numbers = typeof value === "number" ? [value] : value;
  const data = isText
    ? writeStrings(file, [value])
    : new Uint8Array(BigInt64Array.from(numbers as readonly number[], BigInt).buffer);
  const type = isText ? stringType() : numericType(new BigInt64Array(0));
  const space = dataspace(Array.isArray(value) ? [value.length] : []);
  const encodedName = new TextEncoder().encode(`${name}\0`);
  return new ByteWriter()
    .u8(3, 0)
    .u16(encodedName.length, type.length, space.length)
    .u8(0)
    .bytes(encodedName)
    .bytes(type)
    .bytes(space)
    .bytes(data)
    .done();
}

function writeDataset(file: FileSpace, dataset: Hdf5DatasetToWrite): number {
  const { values } = dataset;
  const shape = dataset.shape ?? [values.length];
  if (shape.reduce((product, n) => product * n, 1) !== values.length) {
    throw new RangeError(`Shape ${shape.join(" x ")} does not hold ${values.length} values.`);
  }
  if ("pieces" in values) return writeStream(file, values, shape);
  const isText = !ArrayBuffer.isView(values);
  const data = isText
    ? writeStrings(file, values)
    : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const messages: [number, Uint8Array][] = [
    [messageType.dataspace, dataspace(shape)],
    [messageType.datatype, isText ? stringType() : numericType(values)],
  ];
  if (dataset.gzip !== undefined && !isText && shape.length === 1 && values.length > 0) {
    const elementSize = values.BYTES_PER_ELEMENT;
    const chunk = Math.min(values.length, Math.max(smallestChunk, Math.ceil(values.length / chunksPerNode)));
    const tree = writeChunks(file, data, elementSize, chunk, dataset.gzip);
    messages.push(
      [messageType.fill, new ByteWriter().u8(3, 0x0b).done()],
      [messageType.layout, new ByteWriter().u8(3, 2, 2).u64(tree).u32(chunk, elementSize).done()],
      [
        messageType.filters,
        new ByteWriter().u8(2, 2).u16(2, 0, 1).u32(elementSize).u16(1, 0, 1).u32(dataset.gzip).done(),
      ],
    );
  } else {
    const address = data.length > 0 ? file.append(data) : undefinedAddress;
    messages.push(
      [messageType.fill, new ByteWriter().u8(3, 0x0a).done()],
      [messageType.layout, new ByteWriter().u8(3, 1).u64(address, data.length).done()],
    );
  }
  return file.append(objectHeader(messages));
}

function writeStream(file: FileSpace, values: StreamedNumbers, shape: readonly number[]): number {
  const bytes = values.length * (values.type === "float64" ? 8 : 4);
  const address = bytes > 0 ? file.appendStream(values) : undefinedAddress;
  const example = values.type === "float64" ? new Float64Array(0) : new Float32Array(0);
  return file.append(
    objectHeader([
      [messageType.dataspace, dataspace(shape)],
      [messageType.datatype, numericType(example)],
      [messageType.fill, new ByteWriter().u8(3, 0x0a).done()],
      [messageType.layout, new ByteWriter().u8(3, 1).u64(address, bytes).done()],
    ]),
  );
}

function dataspace(shape: readonly number[]): Uint8Array {
  return new ByteWriter()
    .u8(2, shape.length, 0, shape.length > 0 ? 1 : 0)
    .u64(...shape)
    .done();
}

function numericType(values: NumericArray): Uint8Array {
  if (values instanceof Float64Array) {
    return new ByteWriter().u8(0x11, 0x20, 63, 0).u32(8).u16(0, 64).u8(52, 11, 0, 52).u32(1023).done();
  }
  if (values instanceof Float32Array) {
    return new ByteWriter().u8(0x11, 0x20, 31, 0).u32(4).u16(0, 32).u8(23, 8, 0, 23).u32(127).done();
  }
  const size = values.BYTES_PER_ELEMENT;
  return new ByteWriter()
    .u8(0x10, 8, 0, 0)
    .u32(size)
    .u16(0, 8 * size)
    .done();
}

/** Variable-length, null-terminated, UTF-8, over bytes. */
function stringType(): Uint8Array {
  return new ByteWriter().u8(0x19, 1, 1, 0).u32(16).u8(0x10, 0, 0, 0).u32(1).u16(0, 8).done();
}

/** Puts strings into global heap collections and returns the references to them, 16 bytes each. */
function writeStrings(file: FileSpace, strings: readonly string[]): Uint8Array {
  const references = new Uint8Array(16 * strings.length);
  const view = new DataView(references.buffer);
  const collectionSize = 1 << 16;
  const headerSize = 16;
  let objects = new ByteWriter();
  let firstOfCollection = 0;
  let index = 0;
  const flush = (end: number) => {
    if (index === 0) return;
    // Free space, which ends every collection, is the object 0; its size includes its own header.
    const used = headerSize + objects.length;
    const size = Math.max(4096, used + headerSize);
    const header = new ByteWriter().ascii("GCOL").u8(1, 0, 0, 0).u64(size).bytes(objects.done());
    const address = file.append(
      header
        .u16(0, 0)
        .u32(0)
        .u64(size - used)
        .padTo(size)
        .done(),
    );
    for (let i = firstOfCollection; i < end; i++) view.setBigUint64(16 * i + 4, BigInt(address), true);
    objects = new ByteWriter();
    firstOfCollection = end;
    index = 0;
  };
  strings.forEach((text, i) => {
    const encoded = new TextEncoder().encode(text);
    if (objects.length > 0 && objects.length + encoded.length > collectionSize) flush(i);
    index++;
    objects.u16(index, 1).u32(0).u64(encoded.length).bytes(encoded);
    objects.padTo((objects.length + 7) & ~7);
    view.setUint32(16 * i, encoded.length, true);
    view.setUint32(16 * i + 12, index, true);
  });
  flush(strings.length);
  return references;
}

/**
 * Writes chunks (shuffled, then deflated) and the one B-tree node that finds them;
 * returns the node's address.
 */
function writeChunks(
  file: FileSpace,
  data: Uint8Array,
  elementSize: number,
  chunk: number,
  level: number,
): number {
  const count = Math.ceil(data.length / (chunk * elementSize));
  const node = new ByteWriter().ascii("TREE").u8(1, 0).u16(count).u64(undefinedAddress, undefinedAddress);
  for (let i = 0; i < count; i++) {
    const whole = new Uint8Array(chunk * elementSize);
    whole.set(data.subarray(i * whole.length, (i + 1) * whole.length));
    const packed = deflateSync(shuffle(whole, elementSize), { level });
    const address = file.append(packed);
    node.u32(packed.length, 0).u64(i * chunk, 0, address);
  }
  node.u32(0, 0).u64(count * chunk, 0);
  const keySize = 24;
  return file.append(node.padTo(24 + chunksPerNode * (keySize + 8) + keySize).done());
}

/**
 * All first bytes of the elements, then all second bytes, and so on: it makes small numbers compress better.
 */
function shuffle(bytes: Uint8Array, elementSize: number): Uint8Array {
  const n = bytes.length / elementSize;
  const out = new Uint8Array(bytes.length);
  for (let k = 0; k < elementSize; k++) {
    for (let i = 0, from = k, to = k * n; i < n; i++, from += elementSize) out[to + i] = bytes[from];
  }
  return out;
}
