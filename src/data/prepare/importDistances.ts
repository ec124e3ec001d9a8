import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds, without } from "../alikeIds.ts";
import { distancesOf } from "../distances/distances.ts";
import { readDistances } from "../distances/read.ts";
import { readSampleVector } from "../distances/sampleVector.ts";
import { readIdFile } from "../split/files.ts";
import { endsAtOne } from "../unifrac/metrics.ts";

/** Distances, or Faith's PD, that were computed before. What they lack is unknown in the data set. */
export interface ImportedDistances {
  readonly path: string;
  /** What they are called in the data set, such as `unweighted`; `faith_pd` is one value for each sample. */
  readonly name: string;
  /**
   * Whose distances a file without ids holds: the samples of the table (rarefied, or else as it was read) in
   * their order, or the path of a file with one id on each line.
   */
  readonly order?: "table" | { readonly path: string };
}

/** What was imported, in the order of the data set's samples; NaN where unknown. */
export interface Imported {
  /** Condensed distances of all pairs, or one value for each sample. */
  readonly values: Float32Array | Float64Array;
  readonly isPairwise: boolean;
  readonly warnings: readonly string[];
}

/**
 * @throws UserError if the file cannot be read, has no ids and no order was given, or is about other samples.
 */
export function importDistances(
  { path, name, order }: ImportedDistances,
  sampleIds: readonly string[],
  idsAsRead: readonly string[],
): Imported {
  const orders =
    order === undefined ? [undefined] : order === "table" ? [sampleIds, idsAsRead] : [readIdFile(order.path)];
  if (name !== "faith_pd") {
    const all = firstThatFits(orders, (sampleOrder) =>
      readDistances(path, { allowUnknown: true, sampleOrder }),
    );
    const { distances, lackingIds } = distancesOf(all, sampleIds, path);
    const warnings = [
      ...warningsOf(path, lackingIds, sampleIds, all.ids),
      ...beyondOne(path, name, distances.values),
    ];
    return { values: distances.values, isPairwise: true, warnings };
  }
  const all = firstThatFits(orders, (sampleOrder) => readSampleVector(path, { sampleOrder }));
  const valueById = new Map(all.ids.map((id, i) => [id, all.values[i]]));
  const lackingIds = sampleIds.filter((id) => !valueById.has(id));
  if (lackingIds.length === sampleIds.length) {
    throw new UserError(
      `${path} has none of the samples: its first is ${quote(all.ids[0])}, that of the table ${quote(sampleIds[0])}${alikeIds(all.ids, sampleIds)}; ` +
        "give the values of these samples.",
    );
  }
  const values = Float64Array.from(sampleIds, (id) => valueById.get(id) ?? Number.NaN);
  return { values, isPairwise: false, warnings: warningsOf(path, lackingIds, sampleIds, all.ids) };
}

/** Reads with each order in turn until one has the right number of samples. */
function firstThatFits<T>(
  orders: readonly (readonly string[] | undefined)[],
  read: (sampleOrder: readonly string[] | undefined) => T,
): T {
  let problem: unknown;
  for (const order of orders) {
    try {
      return read(order);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problem ??= error;
    }
  }
  throw problem;
}

function warningsOf(
  path: string,
  lackingIds: readonly string[],
  sampleIds: readonly string[],
  idsInFile: readonly string[],
): string[] {
  if (lackingIds.length === 0) return [];
  return [
    `${lackingIds.length} of ${sampleIds.length} samples are not in ${path} (the first is ${quote(lackingIds[0])}): ` +
      `what it holds is unknown for them${alikeIds(lackingIds, without(idsInFile, sampleIds))}.`,
  ];
}

/** Training expects of such metrics that they end at 1. */
function beyondOne(path: string, name: string, values: Imported["values"]): string[] {
  if (!endsAtOne(name)) return [];
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  // Single precision may round 1 up.
  if (largest <= 1 + 1e-6) return [];
  return [
    `${path} has distances up to ${largest.toPrecision(4)}, but ${name} UniFrac ends at 1: say with --metric what they are ` +
      "(weighted_unnormalized has no such end).",
  ];
}
