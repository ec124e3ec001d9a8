import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { readFileBytes } from "../../common/files/inputFile.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { streamHdf5 } from "../../formats/hdf5/write.ts";
import { type NamedArrays, numbersOf, openHdf5Arrays } from "../../formats/namedArrays.ts";
import { pairCount } from "../distances/distances.ts";
import { writeSquare } from "../distances/squareFile.ts";
import type { DistanceRows } from "./pairRows.ts";
import { SquareStore } from "./squareStore.ts";

/** Some rows of the distances between all samples: those of the samples `from` .. `to` to all later ones. */
export interface DistancePart {
  readonly ids: readonly string[];
  readonly from: number;
  readonly to: number;
  /** How the distances were computed, in a few words; parts of different ones do not go together. */
  readonly kind: string;
  /** Row by row the distances to later samples. */
  readonly values: Float32Array | Float64Array;
}

const partFormat = "aam-unifrac-part";

/** Numbers of the pairs of the rows `from` .. `to` with later samples, among `samples`. */
export function partSize(samples: number, from: number, to: number): number {
  return pairCount(samples - from) - pairCount(samples - to);
}

/** Writes a part as HDF5, atomically. @throws UserError if the file cannot be written. */
export function writePart(path: string, { ids, from, to, kind, values }: DistancePart): void {
  const pieces = streamHdf5({
    datasets: {
      format: { values: [partFormat] },
      kind: { values: [kind] },
      order: { values: ids },
      rows: { values: Int32Array.of(from, to) },
      distances: { values },
    },
  });
  writeFileAtomic(path, pieces);
}

/** @throws UserError for a file that is no part, or is damaged. */
export function readPart(path: string): DistancePart {
  const arrays = openHdf5Arrays(readFileBytes(path), path);
  if (!isPart(arrays))
    throw new UserError(`${path} is no part of distances; give files that unifrac wrote with --rows.`);
  const text = (name: string) => arrays.get(name).values as readonly string[];
  const ids = text("order");
  const [from, to] = Array.from(numbersOf(arrays.get("rows")));
  const { values } = arrays.get("distances");
  const isSound = Number.isInteger(from) && from >= 0 && from < to && to <= ids.length;
  const isFloat = values instanceof Float32Array || values instanceof Float64Array;
  if (!isSound || !isFloat || values.length !== partSize(ids.length, from, to))
    throw new UserError(
      `${path} is damaged: its rows and its distances do not fit together; compute it anew.`,
    );
  return { ids, from, to, kind: text("kind")[0], values };
}

function isPart(arrays: NamedArrays): boolean {
  const names = ["format", "kind", "order", "rows", "distances"];
  return names.every((name) => arrays.has(name)) && arrays.get("format").values[0] === partFormat;
}

/** Collects rows, one block after another, into a part. */
export class PartCollector {
  readonly values: Float32Array | Float64Array;
  readonly #samples: number;
  #size = 0;

  constructor(samples: number, from: number, to: number, precision: "float32" | "float64") {
    const size = partSize(samples, from, to);
    this.values = precision === "float64" ? new Float64Array(size) : new Float32Array(size);
    this.#samples = samples;
  }

  add({ from, to, values }: DistanceRows): void {
    const width = this.#samples - from;
    for (let row = from; row < to; row++) {
      const start = (row - from) * width + row + 1 - from;
      const later = values.subarray(start, start + this.#samples - row - 1);
      this.values.set(later, this.#size);
      this.#size += later.length;
    }
  }
}

/** Rows that go to the whole matrix together. */
const rowsPerBlock = 128;

/**
 * Puts parts together to the square matrix, in any order given.
 * @throws UserError for parts of other samples or other distances, and where rows are missing or in two
 * parts. Returns the number of samples.
 */
export async function mergeParts(path: string, parts: readonly string[]): Promise<number> {
  const heads = parts.map((source) => {
    const { ids, from, to, kind, values } = readPart(source);
    return { source, ids, from, to, kind, precision: precisionOf(values) };
  });
  heads.sort((a, b) => a.from - b.from);
  const [first] = heads;
  const size = first.ids.length;
  for (const [i, head] of heads.entries()) {
    if (head.ids.length !== size || head.ids.some((id, k) => id !== first.ids[k]))
      throw new UserError(
        `${head.source} is about other samples than ${first.source}; give parts of one table.`,
      );
    if (head.kind !== first.kind || head.precision !== first.precision)
      throw new UserError(
        `${head.source} has ${head.kind} distances (${head.precision}), ${first.source} has ${first.kind} (${first.precision}); ` +
          "give parts that were computed alike.",
      );
    const expected = i === 0 ? 0 : heads[i - 1].to;
    if (head.from > expected) throw missingRows(expected, head.from, first.ids);
    if (head.from < expected)
      throw new UserError(
        `${heads[i - 1].source} and ${head.source} both have row ${head.from}; leave one out.`,
      );
  }
  const last = heads[heads.length - 1].to;
  if (last < size) throw missingRows(last, size, first.ids);
  using store = new SquareStore(size, first.precision, path);
  for (const { source } of heads) addPart(store, readPart(source));
  await writeSquare(path, { ids: first.ids, precision: first.precision, rows: () => store.rows() });
  return size;
}

function addPart(store: SquareStore, { ids, from, to, values }: DistancePart): void {
  const size = ids.length;
  let at = 0;
  for (let start = from; start < to; start += rowsPerBlock) {
    const end = Math.min(to, start + rowsPerBlock);
    const width = size - start;
    const cells = (end - start) * width;
    const block = values instanceof Float32Array ? new Float32Array(cells) : new Float64Array(cells);
    for (let row = start; row < end; row++) {
      const later = size - row - 1;
      block.set(values.subarray(at, at + later), (row - start) * width + row + 1 - start);
      at += later;
    }
    store.add({ from: start, to: end, values: block });
  }
}

function precisionOf(values: Float32Array | Float64Array): "float32" | "float64" {
  return values instanceof Float32Array ? "float32" : "float64";
}

function missingRows(from: number, to: number, ids: readonly string[]): UserError {
  return new UserError(
    `No part has the rows ${from}:${to} (the first is ${quote(ids[from])}); compute them with --rows ${from}:${to}.`,
  );
}
