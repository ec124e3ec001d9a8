import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { describeWriteError, makeFolder } from "../../common/files/atomicFile.ts";
import { UserError } from "../../common/userError.ts";
import {
  fileVersionEvent,
  type HistogramCounts,
  type HyperParameter,
  histogramValue,
  hyperParameterValues,
  imageValue,
  type LayoutCategory,
  layoutValue,
  scalarValue,
  summaryEvent,
  textValue,
} from "./eventMessages.ts";
import { countHistogram } from "./histogramCounts.ts";
import type { ProtoWriter } from "./protobuf.ts";
import { encodeRecord } from "./tfRecord.ts";

const flushAfterSeconds = 5;
const flushAfterBytes = 1 << 20;
const namePattern = /^events\.out\.tfevents\.(\d{10,})\./;

/** Where an event file stood at some moment; plain JSON, for checkpoints. */
export interface EventPosition {
  /** Name of the file in its folder. */
  readonly file: string;
  readonly bytes: number;
}

let openedHere = 0;

/**
 * Writes one TensorBoard event file. Records are gathered and written whole: when they pass 1 MiB, when five
 * seconds have passed since the last write, and on `flush` and `close`. A run that is resumed opens another
 * file in the same folder; TensorBoard reads the files in the order of their names and shows one run.
 *
 * If writing fails, the file is cut back to its last whole record, what was pending is dropped and a
 * `UserError` thrown; the writer stays usable.
 */
export class EventFile {
  readonly path: string;
  readonly #now: () => number;
  readonly #descriptor: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;
  #lastFlush: number;
  #closed = false;

  /** Makes `folder` if need be and a new file in it. `now`: milliseconds since 1970, for tests. */
  constructor(folder: string, now: () => number = Date.now) {
    makeFolder(folder);
    this.#now = now;
    this.#lastFlush = now();
    this.path = join(folder, nextName(folder, now()));
    try {
      this.#descriptor = openSync(this.path, "ax");
    } catch (cause) {
      throw describeWriteError(this.path, cause);
    }
    this.#append(fileVersionEvent(now() / 1000));
    this.flush();
  }

  /** `value` is stored as float32. `step`: a whole number of at least 0, here and below. */
  scalar(tag: string, value: number, step: number): void {
    this.#summary(step, [scalarValue(tag, value)]);
  }

  /** Several scalars of one step in one record. */
  scalars(values: Readonly<Record<string, number>>, step: number): void {
    const parts = Object.entries(values).map(([tag, value]) => scalarValue(tag, value));
    if (parts.length > 0) this.#summary(step, parts);
  }

  /**
   * The distribution of `values`; those that are not finite are left out, and nothing is written if none is.
   */
  histogram(tag: string, values: ArrayLike<number> | HistogramCounts, step: number): void {
    const counts = "buckets" in values ? values : countHistogram(values);
    if (counts !== undefined) this.#summary(step, [histogramValue(tag, counts)]);
  }

  /** A picture: the bytes of a PNG file. */
  image(tag: string, png: Uint8Array, step: number): void {
    const { width, height } = pngSize(png);
    this.#summary(step, [imageValue(tag, png, width, height)]);
  }

  /** A text in Markdown. */
  text(tag: string, markdown: string, step = 0): void {
    this.#summary(step, [textValue(tag, markdown)]);
  }

  /** The arrangement of the "Custom scalars" page. */
  layout(categories: readonly LayoutCategory[]): void {
    this.#summary(0, [layoutValue(categories)]);
  }

  /**
   * What the run was given, and which scalar tags tell how good it is: the "HParams"
   * page compares runs by them.
   */
  hyperParameters(parameters: Readonly<Record<string, HyperParameter>>, metricTags: readonly string[]): void {
    this.#summary(0, hyperParameterValues(parameters, metricTags, this.#now() / 1000));
  }

  /** Writes what is pending. */
  flush(): void {
    this.#lastFlush = this.#now();
    if (this.#pendingBytes === 0) return;
    const chunk = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      for (let offset = 0; offset < chunk.length; ) {
        offset += writeSync(this.#descriptor, chunk, offset, chunk.length - offset);
      }
      this.#written += chunk.length;
    } catch (cause) {
      ftruncateSync(this.#descriptor, this.#written);
      throw describeWriteError(this.path, cause);
    }
  }

  /**
   * Writes what is pending to the disk and tells where the file ends, for `rewindEventFiles` after a resume.
   */
  position(): EventPosition {
    this.flush();
    try {
      fsyncSync(this.#descriptor);
    } catch (cause) {
      throw describeWriteError(this.path, cause);
    }
    return { file: basename(this.path), bytes: this.#written };
  }

  /** Writes what is pending and closes the file; calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.flush();
    } finally {
      closeSync(this.#descriptor);
    }
  }

  #summary(step: number, values: readonly ProtoWriter[]): void {
    this.#append(summaryEvent(this.#now() / 1000, step, values));
  }

  #append(event: ProtoWriter): void {
    if (this.#closed) throw new Error(`The event file ${this.path} is closed.`);
    const record = encodeRecord(event.finish());
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    const due = this.#now() - this.#lastFlush >= flushAfterSeconds * 1000;
    if (due || this.#pendingBytes >= flushAfterBytes) this.flush();
  }
}

/**
 * The event files of a folder in the order in which TensorBoard reads them; none if there is no such folder.
 */
export function listEventFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => namePattern.test(name))
      .sort();
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return [];
    throw new UserError(`Cannot list ${folder}: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

/**
 * Takes back what a run logged after a checkpoint, before it is resumed from there: the file named in
 * `position` is cut to its length at that moment, files opened later are removed. So no step is ever logged
 * twice. Does nothing if the folder does not hold that file, as when a run is resumed into a new folder.
 */
export function rewindEventFiles(folder: string, position: EventPosition): void {
  const names = listEventFiles(folder);
  const at = names.indexOf(position.file);
  if (at < 0) return;
  try {
    const path = join(folder, position.file);
    if (statSync(path).size > position.bytes) truncateSync(path, position.bytes);
    for (const later of names.slice(at + 1)) rmSync(join(folder, later));
  } catch (cause) {
    throw describeWriteError(join(folder, position.file), cause);
  }
}

/** Names sort by their seconds, so a new file's are later than any present one's, whatever the clock says. */
function nextName(folder: string, milliseconds: number): string {
  const present = listEventFiles(folder).map((name) => Number(namePattern.exec(name)![1]));
  const seconds = present.reduce((latest, one) => Math.max(latest, one + 1), Math.floor(milliseconds / 1000));
  const host = hostname().replace(/[^\w.-]/g, "-") || "host";
  return `events.out.tfevents.${String(seconds).padStart(10, "0")}.${host}.${process.pid}.${openedHere++}`;
}

/** Width and height in pixels from the header of a PNG file. */
function pngSize(png: Uint8Array): { width: number; height: number } {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (png.length < 24 || signature.some((byte, i) => png[i] !== byte)) {
    throw new TypeError("An image for TensorBoard must be the bytes of a PNG file.");
  }
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}
