import { quote, quoteSome } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import { alikeIds } from "../alikeIds.ts";
import { type Distances, pairCount, pairIndex } from "../distances/distances.ts";
import { getColumn, rowsOf } from "../metadata/columns.ts";
import type { Metadata } from "../metadata/read.ts";

/** Which group each sample belongs to. */
export interface Grouping {
  /** In alphabetical order. */
  readonly names: readonly string[];
  /** Number of each sample's group. */
  readonly of: Int32Array;
  readonly sizes: Int32Array;
}

/** The groups that labels make. */
export function groupsOf(labels: readonly string[]): Grouping {
  const names = [...new Set(labels)].sort();
  const numberOf = new Map(names.map((name, number) => [name, number]));
  const sizes = new Int32Array(names.length);
  const of = Int32Array.from(labels, (label) => numberOf.get(label)!);
  for (const group of of) sizes[group]++;
  return { names, of, sizes };
}

/**
 * @throws UserError for a grouping that no test can compare: one group, or none with two samples. `what`
 * names it.
 */
export function checkGroups({ names, sizes }: Grouping, what: string): void {
  if (names.length < 2)
    throw new UserError(
      `${what} has one group alone (${quote(names[0])}), so there is nothing to compare; choose another column.`,
    );
  if (sizes.every((size) => size === 1))
    throw new UserError(
      `${what} has another value for each sample, so no group has two samples to compare; choose a column of groups.`,
    );
}

export interface GroupedDistances {
  readonly distances: Distances;
  readonly groups: Grouping;
  /** Of the second column. */
  readonly strata?: Grouping;
  /** Samples without a value in a column, or not in the metadata. */
  readonly withoutValue: readonly string[];
}

/**
 * The samples of a matrix that have a value in a metadata column (and in another one, `strata`, if it is
 * given), with their groups.
 * @throws UserError if there is no such column, if no sample is in the metadata, and as `checkGroups` does.
 */
export function groupDistances(
  distances: Distances,
  metadata: Metadata,
  column: string,
  strata?: string,
): GroupedDistances {
  const columns = [column, ...(strata === undefined ? [] : [strata])].map((name) =>
    getColumn(metadata, name),
  );
  const rows = rowsOf(metadata, distances.ids);
  if (rows.every((row) => row < 0))
    throw new UserError(
      `${metadata.source} has none of the samples: its first ids are ${quoteSome(metadata.ids, 2)}, theirs ${quoteSome(distances.ids, 2)}${alikeIds(metadata.ids, distances.ids)}; give their metadata.`,
    );
  const kept = [...rows.keys()].filter(
    (i) => rows[i] >= 0 && columns.every(({ values }) => values[rows[i]] !== null),
  );
  const isKept = new Set(kept);
  const labels = columns.map(({ values }) => kept.map((i) => values[rows[i]]!));
  const groups = groupsOf(labels[0]);
  if (kept.length === 0)
    throw new UserError(
      `${metadata.source}: no sample has a value of ${quote(column)}; choose another column.`,
    );
  checkGroups(groups, `${metadata.source}: ${quote(column)}`);
  const withinStrata = new Set(labels[1]?.map((stratum, i) => JSON.stringify([stratum, labels[0][i]])));
  if (labels[1] !== undefined && withinStrata.size === new Set(labels[1]).size)
    throw new UserError(
      `${metadata.source}: ${quote(column)} is the same for all samples of one ${quote(strata)}, so permutations within these change nothing; ` +
        "leave the strata out, or choose another column.",
    );
  return {
    distances: kept.length === distances.ids.length ? distances : chosen(distances, kept),
    groups,
    strata: labels[1] && groupsOf(labels[1]),
    withoutValue: distances.ids.filter((_, i) => !isKept.has(i)),
  };
}

/** The distances between some samples, given by index. */
export function chosen({ ids, values }: Distances, samples: readonly number[]): Distances {
  const part = new (values instanceof Float32Array ? Float32Array : Float64Array)(pairCount(samples.length));
  let place = 0;
  for (let a = 0; a < samples.length; a++) {
    for (let b = a + 1; b < samples.length; b++) {
      const [i, j] = [Math.min(samples[a], samples[b]), Math.max(samples[a], samples[b])];
      part[place++] = values[pairIndex(ids.length, i, j)];
    }
  }
  return { ids: samples.map((i) => ids[i]), values: part };
}
