import type { ReportProgress } from "../../common/progress.ts";
import { quote } from "../../common/quote.ts";
import { UserError } from "../../common/userError.ts";
import type { Dropped } from "../dataset/manifest.ts";
import { readFasta } from "../sequences/readFasta.ts";
import { type DepthSummary, suggestDepth, summarizeDepths, usableSamples } from "../table/depths.ts";
import { dropEmptySlices } from "../table/dropEmpty.ts";
import { mergeTables, type TablePart } from "../table/merge.ts";
import { rarefySlices } from "../table/rarefy.ts";
import { openTable } from "../table/read.ts";
import { gather, type TableSlices, tally } from "../table/slices.ts";
import type { Table } from "../table/table.ts";
import { readRootedTree } from "../tree/rootedTree.ts";
import type { Tree } from "../tree/tree.ts";
import { alikeSequences } from "./alikeSequences.ts";
import { resolveSequences } from "./asvSequences.ts";
import { matchTree } from "./matchTree.ts";
import { type PrepareOptions, tableName } from "./options.ts";
import { dropped } from "./provenance.ts";

/** A table that is ready for a data set, and what goes with it. */
export interface PreparedTable {
  readonly table: Table;
  /** The sequence of each of its ASVs. */
  readonly sequences: readonly string[];
  /** What each of its ASVs is called in the tree. */
  readonly tipNames: readonly string[];
  readonly tree: Tree | undefined;
  /** The samples before any was left out. */
  readonly sampleIdsAsRead: readonly string[];
  /** Counts of each sample, "none" where they are as they were. */
  readonly depth: number | "none";
  /** What other depths would have kept; undefined where nothing was drawn. */
  readonly depths: DepthSummary | undefined;
  readonly dropped: readonly Dropped[];
  readonly warnings: readonly string[];
}

/**
 * Reads table, representative sequences and tree, leaves out what is empty or not in the tree, and rarefies.
 * @throws UserError for files that cannot be read or do not belong together.
 */
export async function prepareTable(options: PrepareOptions): Promise<PreparedTable> {
  const { tree: treePath } = options;
  const name = tableName(options);
  const stage = options.onProgress ?? (() => {});
  using open = new DisposableStack();
  const { merged, sampleIdsAsRead, empty } = await readTables(options, stage, open);
  const { table: filled, sequences } = merged;
  let tree: Tree | undefined;
  let doubts: readonly string[] = [];
  let matched: ReturnType<typeof matchTree> = {
    table: filled,
    sequences,
    tipNames: filled.asvIds,
    dropped: [],
    warnings: [],
  };
  if (treePath !== undefined) {
    stage("Reading the tree");
    ({ tree, warnings: doubts } = readRootedTree(treePath, { midpoint: "unrooted" }));
    matched = matchTree(filled, sequences, tree, { table: name, tree: treePath });
  }
  stage("Rarefying");
  const rarefied = rarefyTable(matched.table, options);
  const rowOfId = new Map(matched.table.asvIds.map((id, row) => [id, row]));
  const rows = rarefied.table.asvIds.map((id) => rowOfId.get(id)!);
  // Distances shall be those of the counts that are stored.
  const { data } = rarefied.table;
  for (let i = 0; i < data.length; i++) data[i] = Math.fround(data[i]);
  return {
    table: rarefied.table,
    sequences: rows.map((row) => matched.sequences[row]),
    tipNames: rows.map((row) => matched.tipNames[row]),
    tree,
    sampleIdsAsRead,
    depth: rarefied.depth,
    depths: rarefied.depths,
    dropped: [...empty, ...matched.dropped, ...rarefied.dropped],
    warnings: [
      ...doubts,
      ...alikeSequences(filled.asvIds, sequences),
      ...matched.warnings,
      ...rarefied.warnings,
    ],
  };
}

/**
 * Opens the tables and looks through each once, which shows what is empty and checks them; then puts them
 * together. They are read from until `open` is disposed of.
 */
async function readTables({ table, repSeqs }: PrepareOptions, stage: ReportProgress, open: DisposableStack) {
  const known = repSeqs === undefined ? undefined : { name: repSeqs, sequences: readFasta(repSeqs) };
  const parts: TablePart[] = [];
  const sampleIdsAsRead: string[] = [];
  const [emptySamples, emptyAsvs]: [string[], string[]] = [[], []];
  const paths = [table].flat();
  for (const [i, path] of paths.entries()) {
    const name = paths.length === 1 ? "Reading the table" : `Reading table ${i + 1} of ${paths.length}`;
    stage(name);
    const read = open.use(await openTable(path));
    const filled = dropEmptySlices(read, reported(read.firstSlices(), read.cells, name, stage));
    if (filled.sampleIds.length === 0)
      throw new UserError(`${path} holds no counts; give a table that does.`);
    for (const id of read.sampleIds) sampleIdsAsRead.push(id);
    emptySamples.push(...filled.emptySamples);
    emptyAsvs.push(...filled.emptyAsvs);
    parts.push({ table: filled, sequences: resolveSequences(filled.asvIds, path, known), source: path });
  }
  const empty = [...dropped("samples", "empty", emptySamples), ...dropped("asvs", "in no sample", emptyAsvs)];
  return { merged: mergeTables(parts), sampleIdsAsRead, empty };
}

/** The slices, with a report of how far they have come. */
function* reported(slices: Iterable<Table>, total: number, name: string, report: ReportProgress) {
  let done = 0;
  for (const slice of slices) {
    yield slice;
    done += slice.data.length;
    report(name, { done, total, unit: "counts" });
  }
}

interface Rarefied {
  readonly table: Table;
  /** "none" where the counts are as they were. */
  readonly depth: number | "none";
  readonly depths?: DepthSummary;
  readonly dropped: readonly Dropped[];
  readonly warnings: readonly string[];
}

function rarefyTable(table: TableSlices, options: PrepareOptions): Rarefied {
  const unchanged = () => ({ table: gather(table), depth: "none", dropped: [], warnings: [] }) as const;
  const { rarefyDepth = "auto", withReplacement = false, seed = 0 } = options;
  if (rarefyDepth === "none") return unchanged();
  const looked = tally(table);
  const { totals } = looked;
  const chosenHere = rarefyDepth === "auto";
  let depth: number;
  if (rarefyDepth === "auto") {
    if (totals.every((total) => total === totals[0])) return unchanged();
    if (!looked.areWhole) {
      const warning = `${tableName(options)} has counts that are no whole numbers, so it was not rarefied.`;
      return { ...unchanged(), warnings: [warning] };
    }
    depth = suggestDepth(totals);
  } else depth = rarefyDepth;
  const { onProgress } = options;
  const how = { depth, seed, withReplacement, source: tableName(options), onProgress };
  const result = rarefySlices(table, how, looked);
  const depths = summarizeDepths(table, depth, looked);
  return {
    table: result.table,
    depth,
    depths,
    dropped: [
      ...dropped(
        "samples",
        `fewer than ${depth} counts`,
        result.report.droppedSamples.map(({ id }) => id),
      ),
      ...dropped("asvs", "not drawn when rarefying", missingFrom(table.asvIds, result.table.asvIds)),
    ],
    warnings: [
      ...(chosenHere ? [chosenDepth(depth, result.report.samplesAfter, totals)] : []),
      ...failedSamples(depths),
    ],
  };
}

function chosenDepth(depth: number, kept: number, totals: Float64Array): string {
  const { count, least } = usableSamples(totals);
  const all = totals.length;
  const who =
    count === all
      ? `its ${all} samples`
      : `the ${count} samples with ${least > 1 ? `at least ${least} ` : ""}counts`;
  const lost = kept < all ? `; ${all - kept} of all ${all} samples are left out` : "";
  return (
    `The table was rarefied to ${depth} counts, which ${kept} of ${who} have: the depth that keeps the most counts ` +
    `and nine of ten of these${lost}. When data are prepared, --rarefy-depth chooses another one.`
  );
}

const shownSamples = 12;

/** Names the samples that sequencing failed for, which would otherwise be found in the drop report alone. */
function failedSamples(depths: DepthSummary | undefined): string[] {
  if (depths === undefined || depths.failed.length === 0) return [];
  const { failed, median } = depths;
  const shown = failed.slice(0, shownSamples).map(({ id, total }) => `${quote(id)} (${total})`);
  const more = failed.length > shown.length ? ` and ${failed.length - shown.length} more` : "";
  return [
    `${failed.length} samples have less than a tenth of the ${median} counts of the median sample, so their sequencing failed: ` +
      `${shown.join(", ")}${more}.`,
  ];
}

function missingFrom(all: readonly string[], kept: readonly string[]): string[] {
  if (all.length === kept.length) return [];
  const known = new Set(kept);
  return all.filter((id) => !known.has(id));
}
