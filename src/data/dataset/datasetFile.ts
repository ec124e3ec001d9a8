import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Data } from "apache-arrow";
import { UserError } from "../../common/userError.ts";
import { ArrowFile } from "../../formats/arrow/file.ts";
import type { Manifest } from "./manifest.ts";

/** Files up to this size are checked when they are opened, parts of larger ones when they are first used. */
const checkedAtOpen = 32 * 2 ** 20;

export function replaced(path: string): UserError {
  return new UserError(`${path} was replaced while it was in use; start again when nothing writes to it.`);
}

/** A file of a data set; whatever is wrong with it is a `UserError`. */
export class DatasetFile {
  readonly #path: string;
  readonly #number: number;
  #arrow: ArrowFile | undefined;

  constructor(folder: string, name: string, expected: Manifest["files"][string], verify: boolean) {
    this.#path = join(folder, name);
    const { size: bytes, ino } = this.#describe();
    this.#number = ino;
    if (bytes !== expected.bytes) {
      throw new UserError(
        `${this.#path} is damaged: it has ${bytes} bytes instead of ${expected.bytes}; prepare the data set again.`,
      );
    }
    this.#arrow = this.#guard(() => new ArrowFile(this.#path, expected.segments));
    if (verify || bytes <= checkedAtOpen) this.#guard(() => this.#arrow!.verify());
  }

  get rows(): number {
    return this.#open().rows;
  }

  get firstBatchRows(): number {
    return this.#open().rowStarts[1];
  }

  batch(index: number): readonly Data[] {
    const arrow = this.#open();
    return arrow.isLoaded(index) ? arrow.batch(index) : this.#guard(() => arrow.batch(index));
  }

  batches(): (readonly Data[])[] {
    return Array.from({ length: this.#open().batchCount }, (_, index) => this.batch(index));
  }

  /** The batch that holds a row, and its place there. */
  locate(row: number): { columns: readonly Data[]; row: number } {
    const arrow = this.#open();
    if (!(row >= 0 && row < arrow.rows)) {
      throw new RangeError(`${this.#path} has rows 0 to ${arrow.rows - 1}, not ${row}.`);
    }
    const batch = arrow.batchOf(row);
    return { columns: this.batch(batch), row: row - arrow.rowStarts[batch] };
  }

  close(): void {
    this.#arrow = undefined;
  }

  #open(): ArrowFile {
    if (this.#arrow === undefined) throw new Error(`${this.#path} was closed.`);
    return this.#arrow;
  }

  #describe(): Stats {
    try {
      return statSync(this.#path);
    } catch {
      throw new UserError(`${this.#path} is missing; prepare the data set again.`);
    }
  }

  #guard<T>(use: () => T): T {
    try {
      return use();
    } catch (cause) {
      if (this.#describe().ino !== this.#number) throw replaced(this.#path);
      const code = (cause as { code?: string }).code;
      if (code === undefined) throw new UserError(`${this.#path} is damaged; prepare the data set again.`);
      throw new UserError(`${this.#path} cannot be read (${code}); check its permissions.`);
    }
  }
}
