import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../alikeIds.ts";
import { checkIds } from "../checkIds.ts";

/** Distances between all pairs of some samples. */
export interface Distances {
  /** Unique. */
  readonly ids: readonly string[];
  /** Condensed: (0,1), (0,2), ... (1,2), ...; NaN is an unknown distance. */
  readonly values: Float32Array | Float64Array;
}

/** Number of pairs of `samples` samples. */
export function pairCount(samples: number): number {
  return (samples * (samples - 1)) / 2;
}

/** Position of the pair `a < b` in condensed distances. */
export function pairIndex(samples: number, a: number, b: number): number {
  return (a * (2 * samples - a - 1)) / 2 + (b - a - 1);
}

/**
 * For distances that a program made. @throws UserError for another number of them than the samples have
 * pairs, and for the first that is unknown, infinite or negative.
 */
export function checkDistances({ ids, values }: Distances): void {
  const pairs = pairCount(ids.length);
  if (values.length !== pairs)
    throw new UserError(
      `There are ${values.length} distances for ${ids.length} samples, which have ${pairs} pairs; give one for each pair.`,
    );
  const bad = values.findIndex((value) => !(value >= -belowZero && value < Number.POSITIVE_INFINITY));
  if (bad < 0) return;
  if (Number.isNaN(values[bad]))
    throw new UserError("Some distances are not known (nan); leave their samples out.");
  throw new UserError(`A distance is ${values[bad]}, but distances are finite and at least 0; check them.`);
}

/**
 * How much a matrix may deviate from symmetry and a zero diagonal: what rounding to six
 * digits does, and no more.
 */
const tolerance = 1e-5;
/** How far below 0 a distance may lie: what `1 - similarity` leaves in single precision. It counts as 0. */
const belowZero = 1e-6;

export interface CondenseOptions {
  /** Take NaN for an unknown distance instead of refusing it. */
  readonly allowUnknown?: boolean;
}

/**
 * Collects the rows of a square matrix into condensed distances and checks on the way that they are finite,
 * at least 0, symmetric and 0 on the diagonal.
 */
export class Condenser {
  readonly #ids: readonly string[];
  readonly #values: Float32Array | Float64Array;
  readonly #source: string;
  readonly #allowUnknown: boolean;
  #row = 0;

  /** `source` names the matrix in errors. @throws UserError for ids that are empty or stand twice. */
  constructor(
    ids: readonly string[],
    precision: "float32" | "float64",
    source: string,
    options: CondenseOptions = {},
  ) {
    checkIds(ids, "sample", source);
    this.#ids = ids;
    this.#source = source;
    this.#allowUnknown = options.allowUnknown ?? false;
    const pairs = pairCount(ids.length);
    this.#values = precision === "float32" ? new Float32Array(pairs) : new Float64Array(pairs);
  }

  /** Takes the next row. @throws UserError naming the pair for a value that is no distance. */
  addRow(row: ArrayLike<number>): void {
    const i = this.#row++;
    const n = this.#ids.length;
    if (row.length !== n) throw new RangeError(`Row ${i} has ${row.length} values instead of ${n}.`);
    for (let j = 0; j < i; j++) {
      const place = pairIndex(n, j, i);
      const upper = this.#values[place];
      if (Math.abs(row[j] - upper) <= tolerance * Math.max(1, upper)) continue;
      if (!this.#allowUnknown || !(Number.isNaN(row[j]) || Number.isNaN(upper)))
        this.#refuse(i, j, row[j], upper);
      // Of a matrix of which only one half is filled in, this half counts.
      if (Number.isNaN(upper)) this.#values[place] = this.#distance(i, j, row[j]);
    }
    if (!(Math.abs(row[i]) <= tolerance) && !(this.#allowUnknown && Number.isNaN(row[i]))) {
      throw new UserError(
        `${this.#source} is not a distance matrix: the distance of ${quote(this.#ids[i])} from itself is ${row[i]}, not 0; give a matrix of distances (not similarities).`,
      );
    }
    let place = i < n - 1 ? pairIndex(n, i, i + 1) : 0;
    for (let j = i + 1; j < n; j++) {
      this.#values[place++] = this.#distance(i, j, row[j]);
    }
  }

  finish(): Distances {
    if (this.#row !== this.#ids.length) {
      throw new RangeError(`There are ${this.#row} rows for ${this.#ids.length} samples.`);
    }
    return { ids: this.#ids, values: this.#values };
  }

  /** The distance that a value stands for. */
  #distance(i: number, j: number, value: number): number {
    if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
    if (this.#allowUnknown && Number.isNaN(value)) return value;
    return value < 0 && value >= -belowZero ? 0 : this.#refuse(i, j, value, value);
  }

  #refuse(i: number, j: number, value: number, other: number): never {
    const pair = `${quote(this.#ids[i])} and ${quote(this.#ids[j])}`;
    if (Number.isNaN(value) || Number.isNaN(other)) {
      throw new UserError(
        `${this.#source}: the distance between ${pair} is missing (nan); compute it, or leave these samples out.`,
      );
    }
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new UserError(
        `${this.#source}: the distance between ${pair} is ${value}, but distances are finite and at least 0; compute the matrix anew.`,
      );
    }
    throw new UserError(
      `${this.#source} is not symmetric: the distance between ${pair} is ${value} in one direction and ${other} in the other; compute the matrix anew.`,
    );
  }
}

/** Rows of the square matrix, one after another in the same memory. */
export function* squareRows({ ids, values }: Distances): Generator<Float32Array | Float64Array> {
  const n = ids.length;
  const row = values instanceof Float32Array ? new Float32Array(n) : new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) row[j] = values[pairIndex(n, j, i)];
    row[i] = 0;
    if (i < n - 1)
      row.set(values.subarray(pairIndex(n, i, i + 1), pairIndex(n, i, i + 1) + n - i - 1), i + 1);
    yield row;
  }
}

/**
 * Distances of some samples, in their order; NaN for pairs of which `distances` lacks a sample.
 * `source` names the distances in errors.
 * @throws UserError if fewer than two samples are in both, with an id of either side.
 */
export function distancesOf(
  distances: Distances,
  sampleIds: readonly string[],
  source: string,
): { distances: Distances; lackingIds: readonly string[] } {
  const rowOf = new Map(distances.ids.map((id, row) => [id, row]));
  const lackingIds = sampleIds.filter((id) => !rowOf.has(id));
  if (sampleIds.length - lackingIds.length < 2) {
    throw new UserError(
      `${source} and the samples have ${sampleIds.length - lackingIds.length} ids in common: the first are ${quote(distances.ids[0])} and ${quote(sampleIds[0])}${alikeIds(distances.ids, sampleIds)}; give the distances of these samples.`,
    );
  }
  const total = distances.ids.length;
  const pairs = pairCount(sampleIds.length);
  const values = distances.values instanceof Float32Array ? new Float32Array(pairs) : new Float64Array(pairs);
  const rows = Int32Array.from(sampleIds, (id) => rowOf.get(id) ?? -1);
  let place = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let j = i + 1; j < rows.length; j++) {
      const [a, b] = rows[i] < rows[j] ? [rows[i], rows[j]] : [rows[j], rows[i]];
      values[place++] = a < 0 ? Number.NaN : distances.values[pairIndex(total, a, b)];
    }
  }
  return { distances: { ids: sampleIds, values }, lackingIds };
}
