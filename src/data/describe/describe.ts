import { UserError } from "../../common/userError.ts";
import { type Dataset, openDataset } from "../dataset/dataset.ts";
import type { Distances } from "../distances/distances.ts";
import { readDistances } from "../distances/read.ts";
import { columnType, numericColumn } from "../metadata/columns.ts";
import type { Metadata } from "../metadata/read.ts";
import { readMetadata } from "../metadata/read.ts";
import { hasSequenceIds } from "../prepare/asvSequences.ts";
import { readFasta } from "../sequences/readFasta.ts";
import { readTableWithNotes } from "../table/read.ts";
import type { Table } from "../table/table.ts";
import { readTaxonomy } from "../taxonomy/read.ts";
import { readTree } from "../tree/read.ts";
import type { TreeSummary } from "../tree/shape.ts";
import { summarizeTree } from "../tree/shape.ts";
import type { ColumnSummary, DatasetSummary } from "./datasetSummary.ts";
import { summarizeDataset, summarizeNumbers, summarizeTexts } from "./datasetSummary.ts";
import { inputKind } from "./inputKind.ts";
import type { DistanceSummary, Quantiles } from "./numberSummary.ts";
import { quantiles, summarizeDistances } from "./numberSummary.ts";
import type { TableSummary } from "./tableSummary.ts";
import { summarizeTable } from "./tableSummary.ts";
import { summarizeTaxa, type TaxaSummary } from "./taxaSummary.ts";
import type { TaxonomySummary } from "./taxonomySummary.ts";
import { summarizeTaxonomy } from "./taxonomySummary.ts";

/** What `info` tells about a file or data set; plain JSON. */
export type Description =
  | ({ readonly kind: "dataset"; readonly taxa?: TaxaSummary } & DatasetSummary)
  | ({ readonly kind: "table"; readonly taxa?: TaxaSummary; readonly format: string } & TableSummary)
  | ({ readonly kind: "tree" } & TreeSummary & {
        readonly rooted: boolean | null;
        readonly lengthsMissing: number;
      })
  | ({
      readonly kind: "distances";
      readonly samples: number;
      readonly hasIds: boolean;
      readonly warnings: readonly string[];
    } & DistanceSummary)
  | { readonly kind: "sequences"; readonly sequences: number; readonly length: Quantiles }
  | ({ readonly kind: "taxonomy" } & TaxonomySummary)
  | {
      readonly kind: "metadata";
      readonly samples: number;
      readonly columns: readonly ColumnSummary[];
      readonly warnings: readonly string[];
    };

/**
 * Reads a file or data set of any kind that this program uses, in full, and describes it; with the names of
 * a `taxonomy` the largest taxa of a table or data set, too.
 * @throws UserError if it cannot be read, is damaged or is nothing of that.
 */
export async function describeInput(
  path: string,
  { taxonomy }: { readonly taxonomy?: string } = {},
): Promise<Description> {
  const kind = inputKind(path);
  if (taxonomy !== undefined && kind !== "table" && kind !== "dataset")
    throw new UserError(
      `--taxonomy names the ASVs of a table or data set, and ${path} is neither; leave it out.`,
    );
  const taxaOf = (counts: Parameters<typeof summarizeTaxa>[0]) =>
    taxonomy === undefined ? {} : { taxa: summarizeTaxa(counts, taxonomy, path) };
  switch (kind) {
    case "dataset": {
      using dataset = openDataset(path, { verify: true });
      return {
        kind,
        ...summarizeDataset(dataset),
        ...taxaOf({ asvIds: dataset.asvIds(), samples: samplesOf(dataset) }),
      };
    }
    case "table": {
      const { table, format, notes } = await readTableWithNotes(path);
      const summary = summarizeTable(table, hasSequenceIds(table.asvIds) ? table.asvIds : undefined);
      return {
        kind,
        ...summary,
        ...taxaOf({ asvIds: table.asvIds, samples: rowsOf(table) }),
        format,
        warnings: [...notes, ...summary.warnings],
      };
    }
    case "tree": {
      const tree = readTree(path);
      const lengthsMissing = tree.lengthMissing.subarray(1).reduce((sum, missing) => sum + missing, 0);
      return { kind, ...summarizeTree(tree), rooted: tree.rooted ?? null, lengthsMissing };
    }
    case "distances": {
      const { ids, values, hasIds } = readDistancesOrRows(path);
      const summary = summarizeDistances(() => [values]);
      const zeroWarning = `${summary.zeros} pairs of samples have the distance 0.`;
      const idWarning = "The file holds no sample ids; they have to be given with it.";
      const warnings = [...(hasIds ? [] : [idWarning]), ...(summary.zeros > 0 ? [zeroWarning] : [])];
      return { kind, samples: ids.length, ...summary, hasIds, warnings };
    }
    case "sequences": {
      const lengths = Array.from(readFasta(path).values(), (sequence) => sequence.length);
      return { kind, sequences: lengths.length, length: quantiles(lengths) };
    }
    case "taxonomy":
      return { kind, ...summarizeTaxonomy(readTaxonomy(path)) };
    case "metadata": {
      const metadata = readMetadata(path);
      const columns = [...metadata.columns.keys()].map((name) => summarizeMetadataColumn(metadata, name));
      return { kind, samples: metadata.ids.length, columns, warnings: metadata.warnings };
    }
  }
}

function* samplesOf(dataset: Dataset) {
  for (let i = 0; i < dataset.sampleCount; i++) yield dataset.sample(i);
}

function* rowsOf({ indptr, indices, data }: Table) {
  for (let i = 0; i + 1 < indptr.length; i++)
    yield {
      asvs: indices.subarray(indptr[i], indptr[i + 1]),
      counts: data.subarray(indptr[i], indptr[i + 1]),
    };
}

/** Distances of a file; its rows are numbered where it holds no ids. */
function readDistancesOrRows(path: string): Distances & { readonly hasIds: boolean } {
  let hasIds = true;
  const sampleOrder = (rows: number): string[] => {
    hasIds = false;
    return Array.from({ length: rows }, (_, row) => `row ${row + 1}`);
  };
  const distances = readDistances(path, { allowUnknown: true, sampleOrder });
  return { ...distances, hasIds };
}

function summarizeMetadataColumn(metadata: Metadata, name: string): ColumnSummary {
  const column = metadata.columns.get(name)!;
  return columnType(column) === "numeric"
    ? summarizeNumbers(name, numericColumn(metadata, name))
    : summarizeTexts(name, column.values);
}
