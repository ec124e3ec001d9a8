import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Column } from "./column.ts";
import type { Dataset } from "./dataset.ts";
import { NumberTaker } from "./numberTaker.ts";
import { writeDataset } from "./write.ts";

/** A data set and what it is called beside others. */
export interface NamedStudy {
  readonly name: string;
  readonly dataset: Dataset;
}

/** The studies that a data set was joined from. */
export interface Studies {
  readonly names: readonly string[];
  /** For each sample the number of its study. */
  readonly of: Int32Array;
}

/** The metadata column that tells samples' studies, and the parameter that marks such data sets. */
const studyColumn = "study";
const mark = "joinedStudies";

/**
 * Writes several data sets as one: samples and ASVs of all (one row for each sequence), the distances
 * and values that all know, every metadata column, and a column `study`. Distances between samples of
 * different studies are unknown: each may have a tree of its own. Samples are called `study:id` where
 * two studies share an id.
 * @throws UserError for studies without common distances or of one name.
 */
export function joinStudies(folder: string, studies: readonly NamedStudy[]): void {
  const names = studies.map(({ name }) => name);
  if (new Set(names).size < names.length)
    throw new UserError(`The data sets have the same name (${names.join(", ")}); rename their folders.`);
  const [{ dataset: first }] = studies;
  const common = (of: (dataset: Dataset) => readonly string[]) =>
    of(first).filter((name) => studies.every(({ dataset }) => of(dataset).includes(name)));
  const metrics = common(({ manifest }) => manifest.distances);
  if (metrics.length === 0)
    throw new UserError(
      `The data sets ${names.join(", ")} have no distances of one metric; prepare each with a tree and the same --metrics.`,
    );
  const vectors = common(({ manifest }) => manifest.vectors);
  writeDataset(folder, {
    table: joinTables(studies),
    metadata: joinMetadata(studies),
    distances: Object.fromEntries(metrics.map((metric) => [metric, joinDistances(studies, metric)])),
    vectors: Object.fromEntries(
      vectors.map((name) => [
        name,
        Float32Array.from(studies.flatMap(({ dataset }) => [...dataset.vector(name)])),
      ]),
    ),
    provenance: {
      sources: studies.flatMap(({ dataset }) => dataset.manifest.sources),
      parameters: { [mark]: studies.length, rarefyDepth: sharedDepth(studies) },
      dropped: [],
      warnings: studies.flatMap(({ name, dataset }) =>
        dataset.manifest.warnings.map((warning) => `${name}: ${warning}`),
      ),
    },
  });
}

/** The studies of a data set that `joinStudies` wrote; null for others. */
export function studiesOf(dataset: Dataset): Studies | null {
  if (dataset.manifest.parameters[mark] === undefined) return null;
  const column = dataset.column(studyColumn);
  return column.kind === "text" ? { names: column.categories, of: column.codes } : null;
}

/** The depth of all, or null: they differ. */
function sharedDepth(studies: readonly NamedStudy[]): string | number | boolean | null {
  const depths = studies.map(({ dataset }) => dataset.manifest.parameters["rarefyDepth"] ?? null);
  return depths.every((depth) => depth === depths[0]) ? depths[0] : null;
}

function joinTables(studies: readonly NamedStudy[]) {
  const rowOf = new Map<string, number>();
  const ids = studies.flatMap(({ dataset }) => dataset.sampleIds);
  const areUnique = new Set(ids).size === ids.length;
  const sampleIds = areUnique
    ? ids
    : studies.flatMap(({ name, dataset }) => dataset.sampleIds.map((id) => `${name}:${id}`));
  const indptr = [0];
  const indices: number[] = [];
  const data: number[] = [];
  for (const { dataset } of studies) {
    const rows = Int32Array.from({ length: dataset.asvCount }, (_, asv) => {
      const sequence = dataset.asvSequence(asv);
      const row = rowOf.get(sequence) ?? rowOf.size;
      rowOf.set(sequence, row);
      return row;
    });
    for (let sample = 0; sample < dataset.sampleCount; sample++) {
      const { asvs, counts } = dataset.sample(sample);
      // Two ASVs of one study may have one sequence.
      const amounts = new Map<number, number>();
      asvs.forEach((asv, i) => {
        amounts.set(rows[asv], (amounts.get(rows[asv]) ?? 0) + counts[i]);
      });
      for (const [row, amount] of [...amounts].sort(([a], [b]) => a - b)) {
        indices.push(row);
        data.push(amount);
      }
      indptr.push(indices.length);
    }
  }
  return {
    sampleIds,
    asvIds: [...rowOf.keys()],
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
}

/** All pairs in condensed order, one sample's row after the other, so that no more than a row is held. */
function* joinDistances(studies: readonly NamedStudy[], metric: string): Generator<Float32Array> {
  let after = studies.reduce((sum, { dataset }) => sum + dataset.sampleCount, 0);
  for (const { dataset } of studies) {
    const distances = new NumberTaker(dataset.distance(metric).condensed());
    const { sampleCount } = dataset;
    for (let a = 0; a < sampleCount; a++) {
      after--;
      const row = new Float32Array(after).fill(Number.NaN);
      row.set(distances.take(sampleCount - 1 - a));
      yield row;
    }
  }
}

/** The columns of all studies, missing where a study has none of the name; and `study`. */
function joinMetadata(studies: readonly NamedStudy[]): Column[] {
  const sizes = studies.map(({ dataset }) => dataset.sampleCount);
  const names = studies.flatMap(({ dataset }) => dataset.manifest.metadata.map(({ name }) => name));
  const own = [...new Set(names)].filter((name) => name !== studyColumn);
  const column = (name: string): Column => {
    const parts = studies.map(({ dataset }) =>
      dataset.manifest.metadata.some((known) => known.name === name) ? dataset.column(name) : null,
    );
    const kinds = new Set(parts.flatMap((part) => (part ? [part.kind] : [])));
    if (kinds.size > 1)
      throw new UserError(
        `The metadata column ${quote(name)} has numbers in one data set and texts in another; leave it out of one of them.`,
      );
    if (kinds.has("numeric"))
      return {
        kind: "numeric",
        name,
        values: Float64Array.from(
          parts.flatMap((part, i) =>
            part?.kind === "numeric" ? [...part.values] : new Array<number>(sizes[i]).fill(Number.NaN),
          ),
        ),
      };
    const categories = [...new Set(parts.flatMap((part) => (part?.kind === "text" ? part.categories : [])))];
    const place = new Map(categories.map((category, i) => [category, i]));
    const codes = parts.flatMap((part, i) =>
      part?.kind === "text"
        ? Array.from(part.codes, (code) => (code < 0 ? -1 : place.get(part.categories[code])!))
        : new Array<number>(sizes[i]).fill(-1),
    );
    return { kind: "text", name, codes: Int32Array.from(codes), categories };
  };
  return [
    {
      kind: "text",
      name: studyColumn,
      codes: Int32Array.from(sizes.flatMap((size, i) => new Array<number>(size).fill(i))),
      categories: studies.map(({ name }) => name),
    },
    ...own.map(column),
  ];
}
