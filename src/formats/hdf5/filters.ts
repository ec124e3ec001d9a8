import { inflateSync } from "node:zlib";
import { quote } from "../../common/quote.ts";
import type { Cursor, Hdf5Bytes } from "./byteReader.ts";
import { fletcher32 } from "./checksum.ts";

/** One step of the way a chunk was written; reading undoes the steps from the last to the first. */
export interface Filter {
  readonly id: number;
  readonly name: string;
}

const deflate = 1;
const shuffle = 2;
const fletcher = 3;
const lzf = 32000;
const readable = [deflate, shuffle, fletcher, lzf];

/** Names of The HDF Group's register of filters. */
const filterNames: Record<number, string> = {
  1: "gzip",
  2: "shuffle",
  3: "fletcher32",
  4: "szip",
  5: "nbit",
  6: "scaleoffset",
  307: "bzip2",
  32000: "lzf",
  32001: "blosc",
  32004: "lz4",
  32008: "bitshuffle",
  32013: "zfp",
  32015: "zstd",
  32026: "blosc2",
};

/** Reads a filter pipeline message, versions 1 and 2. */
export function readFilters(file: Hdf5Bytes, body: Cursor): Filter[] {
  const version = body.u8();
  const count = body.u8();
  if (version !== 1 && version !== 2) throw file.damaged(`filter pipeline version ${version}`);
  if (version === 1) body.skip(6);
  const filters: Filter[] = [];
  for (let i = 0; i < count; i++) {
    const id = body.u16();
    const nameLength = version === 1 || id >= 256 ? body.u16() : 0;
    body.skip(2);
    const values = body.u16();
    const ownName = body.sub(version === 1 ? (nameLength + 7) & ~7 : nameLength).text();
    body.skip(4 * (version === 1 && values % 2 === 1 ? values + 1 : values));
    filters.push({ id, name: filterNames[id] ?? (ownName ? quote(ownName) : "unknown") });
  }
  return filters;
}

/** Refuses a dataset with a filter that is not read here, naming it. */
export function refuseUnknownFilters(file: Hdf5Bytes, filters: readonly Filter[], dataset: string): void {
  const unknown = filters.find((filter) => !readable.includes(filter.id));
  if (unknown) {
    throw file.unsupported(
      `the dataset ${dataset} is stored with the filter ${unknown.name} (number ${unknown.id})`,
      "repack the file with: h5repack -f GZIP=4 OLD NEW",
    );
  }
}

/**
 * Undoes the filters of one chunk. `mask` has a bit for each filter that was left out
 * when the chunk was written.
 * @returns exactly `size` bytes.
 */
export function unfilter(
  file: Hdf5Bytes,
  stored: Uint8Array,
  filters: readonly Filter[],
  mask: number,
  size: number,
  elementSize: number,
  where: string,
): Uint8Array {
  let bytes = stored;
  for (let i = filters.length - 1; i >= 0; i--) {
    if ((mask >>> i) & 1) continue;
    const { id } = filters[i];
    if (id === fletcher) bytes = verified(file, bytes, where);
    else if (id === deflate) bytes = inflated(file, bytes, size + 4 * filters.length, where);
    else if (id === lzf) bytes = lzfUnpacked(file, bytes, size + 4 * filters.length, where);
    else bytes = unshuffled(bytes, elementSize);
  }
  if (bytes.length !== size)
    throw file.damaged(`${where} unpacks to ${bytes.length} bytes instead of ${size}`);
  return bytes;
}

function verified(file: Hdf5Bytes, bytes: Uint8Array, where: string): Uint8Array {
  const end = bytes.length - 4;
  if (end < 0) throw file.damaged(`${where} has no checksum`);
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  const sum = fletcher32(bytes, 0, end);
  // Big-endian hosts once stored each half with its bytes exchanged; the HDF5 library accepts that too.
  const exchanged = (((sum & 0xff00ff) << 8) | ((sum >>> 8) & 0xff00ff)) >>> 0;
  if (stored !== sum && stored !== exchanged) throw file.damaged(`the checksum of ${where} does not match`);
  return bytes.subarray(0, end);
}

function inflated(file: Hdf5Bytes, bytes: Uint8Array, limit: number, where: string): Uint8Array {
  try {
    // One buffer of the expected size spares zlib the many small ones it would join.
    return inflateSync(bytes, { maxOutputLength: limit, chunkSize: Math.max(64, limit) });
  } catch (cause) {
    throw file.damaged(
      `the gzip data of ${where}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

function unshuffled(bytes: Uint8Array, elementSize: number): Uint8Array {
  if (elementSize <= 1) return bytes;
  const n = Math.floor(bytes.length / elementSize);
  const out = new Uint8Array(bytes.length);
  if (elementSize % 4 === 0 && bytes.length % 4 === 0)
    unshuffleWords(bytes, new Uint32Array(out.buffer), elementSize / 4, n);
  else {
    for (let k = 0; k < elementSize; k++) {
      for (let i = 0, from = k * n, to = k; i < n; i++, to += elementSize) out[to] = bytes[from + i];
    }
  }
  // Bytes that make no whole element were not shuffled.
  out.set(bytes.subarray(n * elementSize), n * elementSize);
  return out;
}

/** Puts four bytes together at a time: the numbers of large tables pass through here. */
function unshuffleWords(bytes: Uint8Array, out: Uint32Array, words: number, n: number): void {
  for (let word = 0; word < words; word++) {
    const a = 4 * word * n;
    const [b, c, d] = [a + n, a + 2 * n, a + 3 * n];
    for (let i = 0, to = word; i < n; i++, to += words) {
      out[to] = bytes[a + i] | (bytes[b + i] << 8) | (bytes[c + i] << 16) | (bytes[d + i] << 24);
    }
  }
}

/** LibLZF's format: literal runs, and copies from up to 8 KiB back. */
function lzfUnpacked(file: Hdf5Bytes, bytes: Uint8Array, limit: number, where: string): Uint8Array {
  const out = new Uint8Array(limit);
  let to = 0;
  let i = 0;
  while (i < bytes.length) {
    const control = bytes[i++];
    if (control < 32) {
      const run = control + 1;
      if (i + run > bytes.length || to + run > limit) throw file.damaged(`the lzf data of ${where}`);
      out.set(bytes.subarray(i, i + run), to);
      i += run;
      to += run;
      continue;
    }
    let length = (control >> 5) + 2;
    if (length === 9) length += bytes[i++] ?? 0;
    let from = to - ((control & 31) << 8) - (bytes[i++] ?? 0) - 1;
    if (i > bytes.length || from < 0 || to + length > limit) throw file.damaged(`the lzf data of ${where}`);
    for (const end = to + length; to < end; ) out[to++] = out[from++];
  }
  return out.subarray(0, to);
}
