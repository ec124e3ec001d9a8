import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";

/** One fold: what is fitted, and what is predicted. Sample numbers in ascending order. */
export interface Fold {
  /** From 0 on; each repeat divides the samples anew. */
  readonly repeat: number;
  /** From 0 on within a repeat. */
  readonly fold: number;
  readonly train: Int32Array;
  readonly test: Int32Array;
  /** The group held out, where each fold holds out one. */
  readonly heldOut?: string;
}

export interface FoldOptions {
  /** Parts of a repeat. Default 5. */
  readonly folds?: number;
  /** Default 1. */
  readonly repeats?: number;
  /** Default 0. */
  readonly seed?: number;
  /** By sample: samples of one group stay on one side. `column` names them in errors. */
  readonly groups?: { readonly column: string; readonly values: readonly (string | null)[] };
  /** By sample: each part has every label in about the same proportion. */
  readonly strata?: { readonly column: string; readonly values: readonly (string | null)[] };
  /** By sample: each fold holds out one group whole, whatever `folds` says. */
  readonly leaveOut?: { readonly column: string; readonly values: readonly (string | null)[] };
}

/**
 * Folds of cross-validation over some samples of a data set: every sample is held out once in each repeat.
 * Random, of whole groups, stratified (also of whole groups, as near as these allow), or one group at a time.
 * The folds depend on the samples and the seed alone.
 * @param samples sample numbers that take part; values of `groups`, `strata` and
 * `leaveOut` are by sample number.
 * @throws UserError for missing groups and labels, fewer groups than folds, and ways that exclude each other.
 * @example
 * const folds = makeFolds(samples, { folds: 5, repeats: 10, groups: { column: "host", values } });
 * for (const { train, test } of folds) fit(train, test);
 */
export function makeFolds(samples: Int32Array, options: FoldOptions = {}): Fold[] {
  const { folds: count = 5, repeats = 1, seed = 0, groups, strata, leaveOut } = options;
  const ascending = Int32Array.from(samples).sort();
  if (leaveOut) {
    if (groups && groups.column !== leaveOut.column)
      throw new UserError(
        `--leave-out ${leaveOut.column} and --split-by ${groups.column} exclude each other; leave one of them out.`,
      );
    if (repeats > 1)
      throw new UserError(
        "--leave-out holds out each group once, so repeats would be the same; leave --repeats out.",
      );
    return leaveOneOut(ascending, leaveOut);
  }
  if (!Number.isInteger(count) || count < 2)
    throw new UserError(`Cross-validation needs at least 2 folds, not ${count}.`);
  const units = groups ? groupUnits(ascending, groups) : Array.from(ascending, (sample) => [sample]);
  if (units.length < count)
    throw new UserError(
      groups
        ? `${count} folds need as many values of "${groups.column}", but the samples have ${units.length}; take fewer folds.`
        : `${count} folds need as many samples, but there are ${units.length}; take fewer folds.`,
    );
  if (strata) requireValues(ascending, strata, "stratified");
  const folds: Fold[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const random = new Random(seed).derive("folds", repeat);
    const parts = deal(units, count, random, strata?.values);
    parts.forEach((test, fold) => {
      folds.push({ repeat, fold, ...sides(ascending, test) });
    });
  }
  return folds;
}

/**
 * Deals units to parts: largest units first within a random order, each to the part that then is the most
 * even one, in the numbers of every label (or of samples).
 */
function deal(
  units: readonly number[][],
  count: number,
  random: Random,
  labels: readonly (string | null)[] | undefined,
): number[][] {
  const names = new Map<string | null, number>();
  const labelOf = (sample: number) => {
    const label = labels ? labels[sample] : null;
    if (!names.has(label)) names.set(label, names.size);
    return names.get(label)!;
  };
  const shuffled = Array.from(random.permutation(units.length), (i) => units[i]);
  shuffled.sort((a, b) => b.length - a.length);
  const tallies = shuffled.map((unit) => {
    const tally = new Map<number, number>();
    for (const sample of unit) tally.set(labelOf(sample), (tally.get(labelOf(sample)) ?? 0) + 1);
    return tally;
  });
  const totals = new Float64Array(names.size);
  for (const tally of tallies) for (const [label, n] of tally) totals[label] += n;
  const parts = Array.from({ length: count }, () => ({
    samples: [] as number[],
    units: 0,
    labels: new Float64Array(names.size),
  }));
  // No part may stay empty, however few units there are: the last ones go to empty parts.
  shuffled.forEach((unit, at) => {
    const empty = parts.filter(({ units: n }) => n === 0);
    const open = empty.length >= shuffled.length - at ? empty : parts;
    let best = open[0];
    let least = Number.POSITIVE_INFINITY;
    for (const part of open) {
      // What the sum of squared shares grows by.
      let cost = 0;
      for (const [label, n] of tallies[at]) cost += (n * (2 * part.labels[label] + n)) / totals[label] ** 2;
      const tie = part.samples.length - best.samples.length;
      if (cost < least - 1e-12 || (cost < least + 1e-12 && tie < 0)) {
        best = part;
        least = cost;
      }
    }
    best.samples.push(...unit);
    best.units++;
    for (const [label, n] of tallies[at]) best.labels[label] += n;
  });
  return parts.map(({ samples }) => samples);
}

function leaveOneOut(samples: Int32Array, by: NonNullable<FoldOptions["leaveOut"]>): Fold[] {
  requireValues(samples, by, "grouped");
  const names = [...new Set(Array.from(samples, (sample) => by.values[sample]!))].sort();
  if (names.length < 2)
    throw new UserError(
      `"${by.column}" has only one value among the samples, so none can be left out; choose another column.`,
    );
  return names.map((heldOut, fold) => {
    const test = Array.from(samples).filter((sample) => by.values[sample] === heldOut);
    return { repeat: 0, fold, heldOut, ...sides(samples, test) };
  });
}

function groupUnits(samples: Int32Array, by: NonNullable<FoldOptions["groups"]>): number[][] {
  requireValues(samples, by, "grouped");
  const units = new Map<string, number[]>();
  for (const sample of samples) {
    const name = by.values[sample]!;
    const unit = units.get(name);
    if (unit) unit.push(sample);
    else units.set(name, [sample]);
  }
  return [...units.keys()].sort().map((name) => units.get(name)!);
}

function requireValues(
  samples: Int32Array,
  { column, values }: NonNullable<FoldOptions["groups"]>,
  how: string,
): void {
  const missing = samples.filter((sample) => values[sample] === null).length;
  if (missing > 0)
    throw new UserError(
      `Folds cannot be ${how} by "${column}": ${missing} of ${samples.length} samples have no value there; fill them in or leave these samples out.`,
    );
}

function sides(samples: Int32Array, test: readonly number[]): { train: Int32Array; test: Int32Array } {
  const held = new Set(test);
  return { train: samples.filter((sample) => !held.has(sample)), test: Int32Array.from(test).sort() };
}
