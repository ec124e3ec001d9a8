import type { ByteSource } from "../../common/files/byteSource.ts";
import { UserError } from "../../common/userError.ts";
import { lookup3 } from "./checksum.ts";

/** The address that means "nowhere" (all bits set). */
export const nowhere = -1;

/**
 * The bytes of an HDF5 file, with every access checked against their end: whatever a damaged file says,
 * reading it ends in a value or in one `UserError`.
 */
export class Hdf5Bytes {
  /** Sizes of addresses and of lengths in this file; the superblock sets them. */
  offsetSize = 8;
  lengthSize = 8;
  /** Bytes from the superblock on, where addresses count from. */
  readonly length: number;
  readonly #bytes: ByteSource;
  readonly #start: number;

  constructor(
    bytes: ByteSource,
    start: number,
    readonly source: string,
  ) {
    this.#bytes = bytes;
    this.#start = start;
    this.length = bytes.length - start;
  }

  damaged(what: string): UserError {
    return new UserError(`${this.source} is a damaged HDF5 file (${what}); obtain the file again.`);
  }

  /** What the file does is legal but not read here. `cure` completes "to read it, ...". */
  unsupported(what: string, cure = "repack it with h5repack or write it with another program"): UserError {
    return new UserError(`${this.source}: ${what}, which is not read here; ${cure}.`);
  }

  slice(at: number, length: number): Uint8Array {
    this.check(at, length);
    return this.#bytes.subarray(this.#start + at, this.#start + at + length);
  }

  /** A little-endian unsigned integer; values above 2^53 lose their last bits. */
  uint(at: number, size: number): number {
    const bytes = this.slice(at, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[i];
    return value;
  }

  check(at: number, length: number): void {
    if (!(at >= 0 && length >= 0 && at + length <= this.length)) {
      const where = at === nowhere ? "an undefined address" : `byte ${at}`;
      throw this.damaged(`it points to ${length} bytes at ${where}, but has ${this.length}`);
    }
  }

  /** A cursor at `at` that may read up to `end`, which defaults to the end of the file. */
  cursor(at: number, end = this.length): Cursor {
    this.check(at, end - at);
    return new Cursor(this, at, end);
  }

  /** A cursor behind a structure's four-letter signature. */
  structure(at: number, signature: string): Cursor {
    const cursor = this.cursor(at);
    const found = String.fromCharCode(...cursor.take(4));
    if (found !== signature) throw this.damaged(`no ${signature} structure at byte ${at}`);
    return cursor;
  }

  /** Checks the checksum that stands at `end` over `start..end`. */
  verifyChecksum(start: number, end: number, what: string): void {
    if (this.cursor(end).u32() !== lookup3(this.slice(start, end - start), 0, end - start)) {
      throw this.damaged(`the checksum of the ${what} at byte ${start} does not match`);
    }
  }
}

/** Reads little-endian values one after another, never past its end. */
export class Cursor {
  constructor(
    readonly file: Hdf5Bytes,
    public at: number,
    readonly end: number,
  ) {}

  get left(): number {
    return this.end - this.at;
  }

  #step(size: number): number {
    if (!(size >= 0 && this.at + size <= this.end)) {
      throw this.file.damaged(`a structure at byte ${this.at} is cut off at byte ${this.end}`);
    }
    const at = this.at;
    this.at += size;
    return at;
  }

  skip(size: number): this {
    this.#step(size);
    return this;
  }
  take(size: number): Uint8Array {
    const at = this.#step(size);
    return this.file.slice(at, size);
  }
  /** A cursor over the next `size` bytes, which this one skips. */
  sub(size: number): Cursor {
    const at = this.#step(size);
    return new Cursor(this.file, at, at + size);
  }
  u8(): number {
    return this.uint(1);
  }
  u16(): number {
    return this.uint(2);
  }
  u32(): number {
    return this.uint(4);
  }
  /** An unsigned integer of `size` bytes; values above 2^53 lose their last bits. */
  uint(size: number): number {
    return this.file.uint(this.#step(size), size);
  }
  /** An address, or `nowhere`. */
  offset(): number {
    return withoutUndefined(this.uint(this.file.offsetSize), this.file.offsetSize);
  }
  /** A size or count; the value that means "unlimited" is `nowhere`. */
  length(): number {
    return withoutUndefined(this.uint(this.file.lengthSize), this.file.lengthSize);
  }
  /** Text up to a NUL or the end. */
  text(): string {
    const bytes = this.file.slice(this.at, this.left);
    const zero = bytes.indexOf(0);
    const size = zero < 0 ? bytes.length : zero;
    this.at = Math.min(this.end, this.at + size + 1);
    return new TextDecoder().decode(bytes.subarray(0, size));
  }
}

function withoutUndefined(value: number, size: number): number {
  return value === (size === 8 ? 2 ** 64 : 2 ** (8 * size) - 1) ? nowhere : value;
}
