import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { availableMemory } from "../../common/availableMemory.ts";
import {
  describeWriteError,
  isSystemError,
  removeQuietly,
  temporaryName,
} from "../../common/files/atomicFile.ts";
import { removeOnInterrupt } from "../../common/interrupt.ts";
import type { DistanceRows } from "./pairRows.ts";

type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** A typed array cannot be larger. */
const largestBytes = 2 ** 32;
/** The share of the free memory that a matrix may take; a larger one goes to a file. */
const memoryShare = 0.25;
/** Columns that are turned into rows together, so that reading them down a block does not leave the cache. */
const columnsPerTurn = 16;
/** Bytes of rows that are read from a file together. */
const bytesPerRead = 2 ** 24;

/** Where a square matrix is kept: in memory or in a file. */
interface Place {
  put(values: Numbers, element: number): void;
  rows(): Generator<Numbers>;
  close(): void;
}

/**
 * Puts blocks of rows, which are half of a square matrix, together to the whole of it, and gives its rows one
 * by one: in memory, or where that is short in a file beside `path`, which `dispose` removes.
 */
export class SquareStore implements Disposable {
  readonly #size: number;
  readonly #place: Place;

  /**
   * `memoryBytes` is what the matrix may take in memory.
   * @throws UserError if a file is needed and cannot be written.
   */
  constructor(
    size: number,
    precision: "float32" | "float64",
    path: string,
    memoryBytes = memoryShare * availableMemory(),
  ) {
    const itemBytes = precision === "float64" ? 8 : 4;
    const make = (length: number) => (itemBytes === 8 ? new Float64Array(length) : new Float32Array(length));
    const isSmall = size * size * itemBytes <= Math.min(memoryBytes, largestBytes);
    this.#size = size;
    this.#place = isSmall ? new MemoryPlace(make, size) : new FilePlace(make, size, itemBytes, path);
  }

  /** Adds the next rows. @throws UserError if the file cannot be written. */
  add({ from, to, values }: DistanceRows): void {
    const size = this.#size;
    const width = size - from;
    const height = to - from;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < row; column++)
        values[row * width + column] = values[column * width + row];
      const start = row * width;
      this.#place.put(values.subarray(start, start + width), (from + row) * size + from);
    }
    const turned = values.slice(0, columnsPerTurn * height);
    for (let start = to; start < size; start += columnsPerTurn) {
      const end = Math.min(size, start + columnsPerTurn);
      for (let row = 0; row < height; row++) {
        const offset = row * width - from;
        for (let column = start; column < end; column++) {
          turned[(column - start) * height + row] = values[offset + column];
        }
      }
      for (let column = start; column < end; column++) {
        const part = turned.subarray((column - start) * height, (column - start + 1) * height);
        this.#place.put(part, column * size + from);
      }
    }
  }

  /** The rows of the whole matrix, each in the memory of the one before. */
  rows(): Generator<Numbers> {
    return this.#place.rows();
  }

  [Symbol.dispose](): void {
    this.#place.close();
  }
}

class MemoryPlace implements Place {
  readonly #values: Numbers;
  readonly #size: number;

  constructor(make: (length: number) => Numbers, size: number) {
    this.#values = make(size * size);
    this.#size = size;
  }

  put(values: Numbers, element: number): void {
    this.#values.set(values, element);
  }

  *rows(): Generator<Numbers> {
    for (let row = 0; row < this.#size; row++) {
      yield this.#values.subarray(row * this.#size, (row + 1) * this.#size);
    }
  }

  close(): void {}
}

class FilePlace implements Place {
  readonly #make: (length: number) => Numbers;
  readonly #size: number;
  readonly #itemBytes: number;
  readonly #path: string;
  readonly #target: string;
  readonly #descriptor: number;
  readonly #release: () => void;

  constructor(make: (length: number) => Numbers, size: number, itemBytes: number, target: string) {
    this.#make = make;
    this.#size = size;
    this.#itemBytes = itemBytes;
    this.#target = target;
    this.#path = temporaryName(target);
    this.#release = removeOnInterrupt(this.#path);
    this.#descriptor = this.#try(() => openSync(this.#path, "wx+"));
  }

  put(values: Numbers, element: number): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const position = element * this.#itemBytes;
    this.#try(() => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      }
    });
  }

  *rows(): Generator<Numbers> {
    const rowBytes = this.#size * this.#itemBytes;
    const rowsPerRead = Math.max(1, Math.floor(bytesPerRead / rowBytes));
    const values = this.#make(rowsPerRead * this.#size);
    const bytes = new Uint8Array(values.buffer);
    for (let from = 0; from < this.#size; from += rowsPerRead) {
      const rows = Math.min(rowsPerRead, this.#size - from);
      this.#try(() => {
        for (let done = 0; done < rows * rowBytes; ) {
          const read = readSync(
            this.#descriptor,
            bytes,
            done,
            rows * rowBytes - done,
            from * rowBytes + done,
          );
          if (read === 0) throw new Error("the file ended early");
          done += read;
        }
      });
      for (let row = 0; row < rows; row++) yield values.subarray(row * this.#size, (row + 1) * this.#size);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
    removeQuietly(this.#path);
    this.#release();
  }

  #try<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (cause) {
      throw isSystemError(cause) ? describeWriteError(this.#target, cause) : cause;
    }
  }
}
