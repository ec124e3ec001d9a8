import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError } from "../userError.ts";
import type { ByteSource } from "./byteSource.ts";
import { changedWhileRead, describeReadError, identityOf } from "./inputFile.ts";

/** Small parts are read in stretches of this size: structures stand close together. */
const stretchBytes = 64 * 1024;

/**
 * The bytes of a file of any size, read when they are asked for. Nothing stays open between, unless it is
 * given open (`held`), to be closed with `Symbol.dispose`.
 * @throws UserError where the file cannot be read, and once it is another than it was at first.
 */
export class FileBytes implements ByteSource, Disposable {
  readonly length: number;
  readonly #path: string;
  readonly #held: number | undefined;
  readonly #identity: string;
  #stretch: { readonly start: number; readonly bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };

  constructor(path: string, held?: number) {
    this.#path = path;
    this.#held = held;
    const { size, identity } = this.#open((descriptor) => {
      // A folder can be opened, but not read.
      readSync(descriptor, new Uint8Array(1));
      return describeFile(descriptor);
    });
    this.length = size;
    this.#identity = identity;
  }

  subarray(start: number, end: number): Uint8Array {
    const at = start - this.#stretch.start;
    if (at >= 0 && at + end - start <= this.#stretch.bytes.length)
      return this.#stretch.bytes.subarray(at, at + end - start);
    if (end - start >= stretchBytes) return this.#read(start, end);
    this.#stretch = { start, bytes: this.#read(start, Math.min(this.length, start + stretchBytes)) };
    return this.#stretch.bytes.subarray(0, end - start);
  }

  [Symbol.dispose](): void {
    if (this.#held !== undefined) closeSync(this.#held);
  }

  #read(start: number, end: number): Uint8Array {
    return this.#open((descriptor) => {
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      for (let read = 1; read > 0 && filled < bytes.length; filled += read)
        read = readSync(descriptor, bytes, filled, Math.min(bytes.length - filled, 2 ** 30), start + filled);
      if (filled < bytes.length || describeFile(descriptor).identity !== this.#identity)
        throw changedWhileRead(this.#path);
      return bytes;
    });
  }

  #open<T>(use: (descriptor: number) => T): T {
    try {
      if (this.#held !== undefined) return use(this.#held);
      const descriptor = openSync(this.#path, "r");
      try {
        return use(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      throw cause instanceof UserError ? cause : describeReadError(this.#path, cause);
    }
  }
}

function describeFile(descriptor: number): { size: number; identity: string } {
  const found = fstatSync(descriptor);
  return { size: found.size, identity: identityOf(found) };
}
