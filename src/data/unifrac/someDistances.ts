import { writeFileAtomic } from "../../common/files/atomicFile.ts";
import { checkOutput } from "../../common/files/checkOutput.ts";
import { quote } from "../../common/quote.ts";
import { Random } from "../../common/random/random.ts";
import { UserError } from "../../common/userError.ts";
import { npyHeader } from "../../formats/npy/npy.ts";
import { pairCount, pairIndex } from "../distances/distances.ts";
import { shortSingle } from "../distances/write.ts";
import { mergeTables } from "../table/merge.ts";
import { gather, inOneSlice } from "../table/slices.ts";
import type { Table } from "../table/table.ts";
import type { Tree } from "../tree/tree.ts";
import { ChosenPairs } from "./chosenPairs.ts";
import type { UniFracOptions } from "./pairData.ts";
import { PartCollector, writePart } from "./partFile.ts";
import { shearTree } from "./shearTree.ts";

/** Options of the computation, and what errors and progress need. */
export interface SomeOptions extends UniFracOptions {
  /** Names the tree in errors. */
  readonly treeSource?: string;
  /** Is told how many pairs are done. */
  readonly onProgress?: (done: number) => void;
}

/** Formats of what is no square matrix, by what is written. */
const formats = { rows: [".h5"], against: [".npy", ".tsv"], pairs: [".tsv"] } as const;

/** Refuses an output that cannot be written. @throws UserError as `checkOutput` does. */
export function checkSomeOutput(path: string, what: keyof typeof formats): void {
  checkOutput(path, formats[what], `--${what}`);
}

/**
 * Reads `A:B`, rows from A up to B, which is not among them; counted from 0.
 * @throws UserError for anything else.
 */
export function rowRange(text: string, samples: number): [from: number, to: number] {
  const found = /^(\d+):(\d+)$/.exec(text);
  const [from, to] = found ? [Number(found[1]), Number(found[2])] : [0, 0];
  if (!(from < to && to <= samples))
    throw new UserError(
      `--rows ${text} is no range of the table's ${samples} samples; write the first row and the one behind the last, counted from 0, ` +
        `such as 0:${Math.ceil(samples / 2)}.`,
    );
  return [from, to];
}

function kindOf(options: UniFracOptions): string {
  const { metric = "unweighted", alpha = 1, varianceAdjusted, absolute, bypassTips } = options;
  const forms = [
    ...(metric === "generalized" ? [`alpha ${alpha}`] : []),
    ...(varianceAdjusted ? ["variance-adjusted"] : []),
    ...(absolute ? ["of absolute counts"] : []),
    ...(bypassTips ? ["without tips"] : []),
  ];
  return [metric, ...forms].join(", ");
}

/**
 * Computes the distances of the samples `from` .. `to` to all later ones into a part (see `partFile.ts`), for
 * what `mergeParts` puts together.
 * @throws UserError where table and tree do not fit, and for a file that cannot be written.
 */
export async function writeRows(
  path: string,
  table: Table,
  tree: Tree,
  [from, to]: readonly [from: number, to: number],
  { treeSource, onProgress, ...options }: SomeOptions,
): Promise<void> {
  const { distanceRowsOnThreads } = await import("./distanceRows.ts");
  const { precision = "float32" } = options;
  const ids = table.sampleIds;
  const part = new PartCollector(ids.length, from, to, precision);
  const sheared = shearTree(tree, table.asvIds, treeSource);
  for await (const rows of distanceRowsOnThreads(table, sheared, { ...options, rows: [from, to] })) {
    part.add(rows);
    onProgress?.(pairCount(ids.length - from) - pairCount(ids.length - rows.to));
  }
  writePart(path, { ids, from, to, kind: kindOf(options), values: part.values });
}

/**
 * Computes the distances of a table's samples (rows) to those of another table (columns): `.tsv` with
 * the ids of both, or `.npy`.
 * @throws UserError where tables and tree do not fit, for a sample that is in both, and for a
 * file that cannot be written.
 */
export async function writeAgainst(
  path: string,
  table: Table,
  others: { readonly table: Table; readonly source: string },
  tree: Tree,
  { treeSource, onProgress, source, ...options }: SomeOptions & { readonly source: string },
): Promise<void> {
  const { distanceRowsOnThreads } = await import("./distanceRows.ts");
  const parts = [{ table, source }, others].map((part) => ({
    ...part,
    table: inOneSlice(part.table),
    sequences: part.table.asvIds,
  }));
  const { table: merged } = mergeTables(parts);
  const both = gather(merged);
  const sheared = shearTree(tree, both.asvIds, treeSource);
  const [height, size] = [table.sampleIds.length, both.sampleIds.length];
  const rows: (Float32Array | Float64Array)[] = [];
  for await (const { from, to, values } of distanceRowsOnThreads(both, sheared, {
    ...options,
    rows: [0, height],
  })) {
    const width = size - from;
    for (let row = from; row < to; row++) {
      const start = (row - from) * width;
      rows.push(values.slice(start + height - from, start + width));
    }
    onProgress?.(to * (size - height));
  }
  writeFileAtomic(
    path,
    path.endsWith(".npy")
      ? npyPieces(rows, [height, size - height])
      : tsvPieces(table.sampleIds, others.table.sampleIds, rows),
  );
}

function* npyPieces(
  rows: readonly (Float32Array | Float64Array)[],
  shape: [number, number],
): Generator<Uint8Array> {
  yield npyHeader(rows[0], shape);
  for (const row of rows) yield new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
}

function* tsvPieces(
  rowIds: readonly string[],
  columnIds: readonly string[],
  rows: readonly (Float32Array | Float64Array)[],
): Generator<Uint8Array> {
  refuseBreaks([...rowIds, ...columnIds]);
  const encoder = new TextEncoder();
  yield encoder.encode(`\t${columnIds.join("\t")}\n`);
  for (const [i, row] of rows.entries())
    yield encoder.encode(`${rowIds[i]}\t${Array.from(row, (value) => shown(value, row)).join("\t")}\n`);
}

function shown(value: number, among: Float32Array | Float64Array): number {
  return among instanceof Float32Array ? shortSingle(value) : value;
}

function refuseBreaks(ids: readonly string[]): void {
  const bad = ids.find((id) => /[\t\r\n]/.test(id));
  if (bad !== undefined)
    throw new UserError(
      `The id ${quote(bad)} contains a tab or line break, which a .tsv cannot hold; rename the sample.`,
    );
}

/**
 * Computes the distances of `count` different pairs of samples, drawn at random, into a `.tsv` of two ids and
 * the distance, in the table's order. The same seed draws the same pairs.
 * @throws UserError where table and tree do not fit, and for a file that cannot be written.
 */
export function writePairs(
  path: string,
  table: Table,
  tree: Tree,
  { count, seed, treeSource, onProgress, ...options }: SomeOptions & { count: number; seed: number },
): number {
  const { sampleIds, indptr, indices, data } = table;
  const samples = sampleIds.length;
  refuseBreaks(sampleIds);
  const total = pairCount(samples);
  const wanted = Math.min(count, total);
  const drawn = new Set<number>();
  const random = new Random(seed).derive("pairs");
  // Of most of the pairs those that are left out are drawn.
  const isFew = wanted <= total / 2;
  while (drawn.size < (isFew ? wanted : total - wanted)) drawn.add(Math.floor(random.float() * total));
  const chosen = isFew
    ? Float64Array.from(drawn).sort()
    : Float64Array.from({ length: total }, (_, pair) => pair).filter((pair) => !drawn.has(pair));
  const pairs = new ChosenPairs(
    shearTree(tree, table.asvIds, treeSource),
    (sample) => ({
      asvs: indices.subarray(indptr[sample], indptr[sample + 1]),
      counts: data.subarray(indptr[sample], indptr[sample + 1]),
    }),
    options,
  );
  const lines = ["sample_a\tsample_b\tdistance\n"];
  let a = 0;
  for (const [done, pair] of chosen.entries()) {
    while (a < samples - 2 && pairIndex(samples, a + 1, a + 2) <= pair) a++;
    const b = a + 1 + pair - pairIndex(samples, a, a + 1);
    const [{ distances }] = pairs.rows(Int32Array.of(a, b));
    lines.push(`${sampleIds[a]}\t${sampleIds[b]}\t${shown(distances[0], distances)}\n`);
    onProgress?.(done + 1);
  }
  writeFileAtomic(path, lines.join(""));
  return wanted;
}
