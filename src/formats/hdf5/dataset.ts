import { plausibleSize, unpackedLimit } from "../../common/files/inputFile.ts";
import type { Cursor, Hdf5Bytes } from "./byteReader.ts";
import { type ChunkGrid, type ChunkIndex, readChunkIndex } from "./chunkIndex.ts";
import { type Filter, readFilters, refuseUnknownFilters, unfilter } from "./filters.ts";
import type { GlobalHeap } from "./globalHeap.ts";
import { findMessage, type Message, messageTypes } from "./objectHeader.ts";
import type { StoredChunk } from "./storedChunk.ts";
import { type Datatype, readDataspace, readDatatype } from "./types.ts";
import { decodeNumbers, decodeTexts, type Numbers } from "./values.ts";

type Layout =
  | { readonly kind: "compact"; readonly data: Uint8Array }
  | { readonly kind: "contiguous"; readonly address: number; readonly size: number }
  | { readonly kind: "chunked"; readonly index: ChunkIndex; readonly chunkShape: readonly number[] };

/** A dataset of an opened file. Reading its values is the only thing that costs time. */
export class Hdf5Dataset {
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly length: number;
  readonly type: Datatype;
  readonly filters: readonly Filter[];
  readonly #layout: Layout;
  #chunks: { readonly grid: ChunkGrid; readonly stored: readonly StoredChunk[] } | undefined;
  #unpacked: { readonly number: number; readonly bytes: Uint8Array } | undefined;

  readonly #file: Hdf5Bytes;
  readonly #heap: GlobalHeap;

  constructor(
    file: Hdf5Bytes,
    heap: GlobalHeap,
    readonly path: string,
    messages: readonly Message[],
  ) {
    this.#file = file;
    this.#heap = heap;
    const part = (type: number, name: string): Cursor => {
      const body = findMessage(file, messages, type);
      if (!body) throw file.damaged(`the dataset ${path} has no ${name}`);
      return body;
    };
    this.shape = readDataspace(file, part(messageTypes.dataspace, "size"));
    this.length = this.shape.reduce((product, n) => product * n, 1);
    this.type = readDatatype(part(messageTypes.datatype, "type"));
    const filters = findMessage(file, messages, messageTypes.filters);
    this.filters = filters ? readFilters(file, filters) : [];
    this.#layout = readLayout(file, part(messageTypes.layout, "layout"), this.shape.length, path);
  }

  /** All values in row-major order. @throws UserError if they are no numbers, or damaged. */
  numbers(): Numbers {
    return decodeNumbers(this.#file, this.#read(), this.type, this.path);
  }

  /** All values in row-major order. @throws UserError if they are no text, or damaged. */
  texts(): string[] {
    return decodeTexts(this.#file, this.#heap, this.#read(), this.type, this.path);
  }

  /**
   * The values `start..end` of a dataset of one dimension, of any size. Where one stretch follows the other,
   * each chunk is unpacked once.
   * @throws UserError if they are no numbers, or damaged.
   */
  stretch(start: number, end: number): Numbers {
    const { type, path } = this;
    const file = this.#file;
    if (this.shape.length !== 1)
      throw file.damaged(`the dataset ${path} has ${this.shape.length} dimensions instead of 1`);
    this.#checkSize(plausibleSize(file.length));
    const size = (end - start) * type.size;
    return decodeNumbers(file, this.#bytesAt(start * type.size, size), type, path, start);
  }

  /** The raw bytes of all elements, unfiltered, in memory of their own. */
  #read(): Uint8Array {
    const { shape, type } = this;
    const layout = this.#layout;
    this.#checkSize(unpackedLimit(this.#file.length));
    const size = this.length * type.size;
    if (size === 0 || layout.kind !== "chunked" || shape.length === 1) return this.#bytesAt(0, size);
    const out = new Uint8Array(size);
    this.#chunks ??= this.#findChunks(layout.index, layout.chunkShape);
    const { grid, stored } = this.#chunks;
    for (let number = 0; number < stored.length; number++)
      placeChunk(out, this.#unpack(number), number, grid, shape, type.size);
    return out;
  }

  /** @throws UserError if the dataset is larger than the file can account for. */
  #checkSize(limit: number): void {
    if (this.length * this.type.size <= limit) return;
    throw this.#file.damaged(
      `the dataset ${this.path} claims ${this.shape.join(" x ")} elements of ${this.type.size} bytes`,
    );
  }

  /** Raw bytes in memory of their own; of a chunked dataset only where it has one dimension. */
  #bytesAt(at: number, size: number): Uint8Array {
    const [file, layout] = [this.#file, this.#layout];
    if (size === 0) return new Uint8Array(0);
    if (layout.kind !== "chunked") {
      const stored = layout.kind === "compact" ? layout.data.length : layout.size;
      const all = this.length * this.type.size;
      if (stored < all) throw file.damaged(`the dataset ${this.path} has ${stored} bytes instead of ${all}`);
      if (layout.kind === "compact") return layout.data.slice(at, at + size);
      return file.slice(layout.address + at, size).slice();
    }
    this.#chunks ??= this.#findChunks(layout.index, layout.chunkShape);
    const { chunkBytes } = this.#chunks.grid;
    const out = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const number = Math.floor((at + done) / chunkBytes);
      const from = at + done - number * chunkBytes;
      const part = this.#unpack(number).subarray(from, Math.min(chunkBytes, from + size - done));
      out.set(part, done);
      done += part.length;
    }
    return out;
  }

  #findChunks(index: ChunkIndex, chunkShape: readonly number[]) {
    const { path, shape, type, filters } = this;
    const file = this.#file;
    refuseUnknownFilters(file, filters, path);
    const counts = shape.map((n, d) => Math.ceil(n / chunkShape[d]));
    const total = counts.reduce((product, n) => product * n, 1);
    const chunkBytes = chunkShape.reduce((product, n) => product * n, type.size);
    if (!(chunkBytes <= unpackedLimit(file.length) && total <= file.length)) {
      throw file.damaged(`the dataset ${path} has ${total} chunks of ${chunkBytes} bytes`);
    }
    const grid: ChunkGrid = { chunkShape, counts, total, chunkBytes, filtered: filters.length > 0 };
    return { grid, stored: readChunkIndex(file, index, grid, path) };
  }

  /** The bytes of a chunk without filters; the last one is kept. */
  #unpack(number: number): Uint8Array {
    if (this.#unpacked?.number === number) return this.#unpacked.bytes;
    const { path, type, filters } = this;
    const { grid, stored } = this.#chunks!;
    const where = `chunk ${number + 1} of ${grid.total} of the dataset ${path}`;
    const { address, size, mask } = stored[number];
    const packed = this.#file.slice(address, size);
    const bytes = unfilter(this.#file, packed, filters, mask, grid.chunkBytes, type.size, where);
    this.#unpacked = { number, bytes };
    return bytes;
  }
}

/** Copies the part of a chunk that lies inside the dataset, run by run along the last dimension. */
function placeChunk(
  out: Uint8Array,
  chunk: Uint8Array,
  number: number,
  grid: ChunkGrid,
  shape: readonly number[],
  elementSize: number,
): void {
  const rank = shape.length;
  const start = new Array<number>(rank);
  for (let d = rank - 1, rest = number; d >= 0; d--) {
    start[d] = (rest % grid.counts[d]) * grid.chunkShape[d];
    rest = Math.floor(rest / grid.counts[d]);
  }
  const extent = start.map((from, d) => Math.min(grid.chunkShape[d], shape[d] - from));
  const run = extent[rank - 1] * elementSize;
  const runs = extent.slice(0, -1).reduce((product, n) => product * n, 1);
  for (let r = 0; r < runs; r++) {
    let from = 0;
    let to = 0;
    for (
      let d = rank - 2, rest = r, fromStride = grid.chunkShape[rank - 1], toStride = shape[rank - 1];
      d >= 0;
      d--
    ) {
      const position = rest % extent[d];
      rest = Math.floor(rest / extent[d]);
      from += position * fromStride;
      to += (start[d] + position) * toStride;
      fromStride *= grid.chunkShape[d];
      toStride *= shape[d];
    }
    const at = (to + start[rank - 1]) * elementSize;
    out.set(chunk.subarray(from * elementSize, from * elementSize + run), at);
  }
}

function readLayout(file: Hdf5Bytes, body: Cursor, rank: number, path: string): Layout {
  const version = body.u8();
  if (version !== 3 && version !== 4 && version !== 5) {
    throw file.unsupported(`the dataset ${path} has a layout of version ${version}`);
  }
  const kind = body.u8();
  if (kind === 0) return { kind: "compact", data: body.take(body.u16()) };
  if (kind === 1) return { kind: "contiguous", address: body.offset(), size: body.length() };
  if (kind !== 2) throw file.unsupported(`the dataset ${path} has a virtual layout`);
  const { index, chunkShape } =
    version === 3 ? readTreeLayout(body) : readIndexedLayout(file, body, version, path);
  if (chunkShape.length !== rank || rank === 0 || chunkShape.some((n) => n < 1)) {
    throw file.damaged(`the dataset ${path} has chunks of ${chunkShape.join(" x ")}`);
  }
  return { kind: "chunked", index, chunkShape };
}

function readTreeLayout(body: Cursor): { index: ChunkIndex; chunkShape: number[] } {
  const dimensions = body.u8();
  const address = body.offset();
  const sizes = Array.from({ length: dimensions }, () => body.u32());
  return { index: { kind: "tree", address }, chunkShape: sizes.slice(0, -1) };
}

function readIndexedLayout(
  file: Hdf5Bytes,
  body: Cursor,
  version: number,
  path: string,
): { index: ChunkIndex; chunkShape: number[] } {
  const flags = body.u8();
  const dimensions = body.u8();
  const bytesPerSize = body.u8();
  const sizes = Array.from({ length: dimensions }, () => body.uint(bytesPerSize));
  const chunkShape = sizes.slice(0, -1);
  const type = body.u8();
  if (type === 1) {
    const filtered = (flags & 2) !== 0;
    const size = filtered ? body.length() : 0;
    const mask = filtered ? body.u32() : 0;
    return { index: { kind: "single", address: body.offset(), size, mask }, chunkShape };
  }
  if (type === 2) return { index: { kind: "implicit", address: body.offset() }, chunkShape };
  if (type === 3) return { index: { kind: "fixedArray", address: body.skip(1).offset() }, chunkShape };
  if (type === 4) return { index: { kind: "extensibleArray", address: body.skip(5).offset() }, chunkShape };
  throw file.unsupported(`the dataset ${path} has a chunk index of type ${type} (layout version ${version})`);
}
