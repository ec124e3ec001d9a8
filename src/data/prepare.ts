import { UserError } from "../common/userError.ts";
import { resolveSequences } from "./asvSequences.ts";
import type { Numbers } from "./datasetWriter.ts";
import { writeDataset } from "./datasetWriter.ts";
import { dropEmpty } from "./dropEmpty.ts";
import { readFasta } from "./fasta.ts";
import type { Dropped, Manifest, Source } from "./manifest.ts";
import { matchTree } from "./matchTree.ts";
import { readMetadata } from "./metadata.ts";
import { describeSource, dropped } from "./provenance.ts";
import { rarefy, suggestDepth } from "./rarefy.ts";
import { readTable } from "./readTable.ts";
import { metadataOf } from "./sampleMetadata.ts";
import { sampleTotals } from "./selectTable.ts";
import type { Table } from "./table.ts";
import type { Tree } from "./tree.ts";
import { readTree } from "./treeFile.ts";

/** What is computed between samples, or per sample (`faith_pd`). */
export const metrics = [
  "unweighted",
  "weighted_normalized",
  "weighted_unnormalized",
  "generalized",
  "faith_pd",
] as const;
export type Metric = (typeof metrics)[number];

export interface MetricOptions {
  /** Of generalized UniFrac. */
  readonly alpha?: number;
  readonly varianceAdjusted?: boolean;
}

/**
 * Computes a metric for all samples of a table whose ASV ids are tips of the tree: condensed distances of all pairs, or
 * for `faith_pd` one value for each sample.
 */
export type MetricFunction = (
  metric: Metric,
  table: Table,
  tree: Tree,
  options: MetricOptions,
) => Numbers | Promise<Numbers>;

export interface PrepareOptions extends MetricOptions {
  /** Paths of the sources. */
  readonly table: string;
  readonly tree?: string;
  readonly repSeqs?: string;
  readonly metadata?: string;
  /** What to compute from the tree; default `unweighted` if there is one. */
  readonly metrics?: readonly Metric[];
  /**
   * Counts that are drawn of each sample. "none" keeps the counts as they are. "auto", the default, keeps them where
   * all samples have the same number and else draws as many as nine samples of ten have.
   */
  readonly rarefyDepth?: number | "auto" | "none";
  readonly withReplacement?: boolean;
  /** Of the rarefaction. Default 0. */
  readonly seed?: number;
  /** Is told what is being done. */
  readonly onStage?: (stage: string) => void;
}

/** The parameters that decide a data set's content, as its manifest records them. */
export type PrepareParameters = Manifest["parameters"];

/**
 * Reads a study's files, rarefies, computes distances and writes a data set into the folder `output`, which is replaced
 * if it is one. Samples, ASVs and metadata rows that do not make it are reported in the manifest, which is returned.
 * @throws UserError for files that cannot be read or do not belong together, and for options that make no sense.
 */
export async function prepareDataset(
  options: PrepareOptions,
  output: string,
  computeMetric: MetricFunction,
): Promise<Manifest> {
  const parameters = prepareParameters(options);
  const sources = describeSources(options);
  const stage = options.onStage ?? (() => {});
  const warnings: string[] = [];
  const drops: Dropped[] = [];

  stage("reading the table");
  const read = await readTable(options.table);
  let table = dropEmpty(read);
  drops.push(...dropped("samples", "empty", missingFrom(read.sampleIds, table.sampleIds)));
  drops.push(...dropped("asvs", "in no sample", missingFrom(read.asvIds, table.asvIds)));
  if (table.sampleIds.length === 0)
    throw new UserError(`${options.table} holds no counts; give a table that does.`);
  const repSeqs =
    options.repSeqs === undefined
      ? undefined
      : { name: options.repSeqs, sequences: readFasta(options.repSeqs) };
  let sequences = resolveSequences(table.asvIds, options.table, repSeqs);
  let tipNames = table.asvIds;
  let tree: Tree | undefined;
  if (options.tree !== undefined) {
    stage("reading the tree");
    tree = readTree(options.tree);
    const matched = matchTree(table, sequences, tree, { table: options.table, tree: options.tree });
    ({ table, sequences, tipNames } = matched);
    drops.push(...matched.dropped);
    warnings.push(...matched.warnings);
  }

  const before = { table, sequences, tipNames };
  stage("rarefying");
  const rarefied = rarefyTable(table, options);
  table = rarefied.table;
  drops.push(...rarefied.dropped);
  warnings.push(...rarefied.warnings);
  const rowBefore = new Map(before.table.asvIds.map((id, row) => [id, row]));
  const rows = table.asvIds.map((id) => rowBefore.get(id)!);
  sequences = rows.map((row) => before.sequences[row]);
  const treeTable = { ...table, asvIds: rows.map((row) => before.tipNames[row]) };

  const distances: Record<string, Numbers> = {};
  const vectors: Record<string, Float32Array | Float64Array> = {};
  for (const metric of wantedMetrics(options)) {
    stage(`computing ${metric}`);
    const values = await computeMetric(metric, treeTable, tree!, options);
    if (metric === "faith_pd") vectors[metric] = values as Float64Array;
    else distances[metric] = values;
  }

  let metadata: ReturnType<typeof metadataOf> | undefined;
  if (options.metadata !== undefined) {
    stage("reading the metadata");
    metadata = metadataOf(readMetadata(options.metadata), table.sampleIds, options.table);
    drops.push(...metadata.dropped);
    warnings.push(...metadata.warnings);
  }

  stage("writing the data set");
  return writeDataset(output, {
    table,
    sequences: repSeqs === undefined ? undefined : sequences,
    metadata: metadata?.columns,
    distances,
    vectors,
    provenance: {
      sources,
      parameters: { ...parameters, rarefyDepth: rarefied.depth },
      dropped: drops,
      warnings,
    },
  });
}

/** The sources that the options name, with the hashes of their content. */
export function describeSources(options: PrepareOptions): Source[] {
  const roles = {
    table: options.table,
    tree: options.tree,
    "rep-seqs": options.repSeqs,
    metadata: options.metadata,
  };
  return Object.entries(roles).flatMap(([role, path]) =>
    path === undefined ? [] : [describeSource(role, path)],
  );
}

/**
 * Everything besides the sources that decides the content, with its defaults.
 * @throws UserError for values that make no sense.
 */
export function prepareParameters(options: PrepareOptions): PrepareParameters {
  const {
    rarefyDepth = "auto",
    withReplacement = false,
    seed = 0,
    alpha = 1,
    varianceAdjusted = false,
  } = options;
  if (typeof rarefyDepth === "number" && (!Number.isInteger(rarefyDepth) || rarefyDepth < 1)) {
    throw new UserError(`The rarefaction depth must be a whole number from 1 on, got ${rarefyDepth}.`);
  }
  const wanted = wantedMetrics(options);
  for (const metric of wanted) {
    if (!metrics.includes(metric)) {
      throw new UserError(`There is no metric "${metric}"; choose from ${metrics.join(", ")}.`);
    }
  }
  if (wanted.length > 0 && options.tree === undefined) {
    throw new UserError(`${wanted.join(" and ")} cannot be computed without a tree; give one with --tree.`);
  }
  if (!(alpha >= 0 && alpha <= 1)) throw new UserError(`alpha must be between 0 and 1, got ${alpha}.`);
  return { metrics: wanted.join(","), alpha, varianceAdjusted, rarefyDepth, withReplacement, seed };
}

function wantedMetrics(options: PrepareOptions): readonly Metric[] {
  return options.metrics ?? (options.tree === undefined ? [] : ["unweighted"]);
}

interface Rarefied {
  readonly table: Table;
  /** "none" where the counts are as they were. */
  readonly depth: number | "none";
  readonly dropped: readonly Dropped[];
  readonly warnings: readonly string[];
}

function rarefyTable(table: Table, options: PrepareOptions): Rarefied {
  const unchanged = { table, depth: "none", dropped: [], warnings: [] } as const;
  const { rarefyDepth = "auto", withReplacement = false, seed = 0 } = options;
  if (rarefyDepth === "none") return unchanged;
  let depth: number;
  const warnings: string[] = [];
  if (rarefyDepth === "auto") {
    const totals = sampleTotals(table);
    if (totals.every((total) => total === totals[0])) return unchanged;
    if (!table.data.every(Number.isInteger)) {
      const warning = `${options.table} has counts that are no whole numbers, so it was not rarefied.`;
      return { ...unchanged, warnings: [warning] };
    }
    const suggestion = suggestDepth(table);
    depth = suggestion.depth;
    warnings.push(
      `The table was rarefied to ${depth} counts, which ${suggestion.samples} of its ${totals.length} samples have; ` +
        "choose another depth with --rarefy-depth.",
    );
  } else depth = rarefyDepth;
  const result = rarefy(table, { depth, seed, withReplacement, source: options.table });
  return {
    table: result.table,
    depth,
    dropped: [
      ...dropped(
        "samples",
        `fewer than ${depth} counts`,
        result.report.droppedSamples.map(({ id }) => id),
      ),
      ...dropped("asvs", "not drawn when rarefying", missingFrom(table.asvIds, result.table.asvIds)),
    ],
    warnings,
  };
}

function missingFrom(all: readonly string[], kept: readonly string[]): string[] {
  if (all.length === kept.length) return [];
  const known = new Set(kept);
  return all.filter((id) => !known.has(id));
}
